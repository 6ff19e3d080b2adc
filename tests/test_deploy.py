"""What is in deploy/, each file held against the tool that reads it: cron's own environment,
systemd-analyze, promtool.

`deploy/checks/build.sh` makes the readers of Kubernetes, Compose, BuildKit and GitHub's workflows,
and fetches promtool; without them that part is skipped.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from retraining.console import command_words
from retraining.notices import textfile
from retraining.settings import Settings
from tests.projects import Project, environment_of_cron
from tests.test_notices import CHECKERS, NOW, ended, found

CLONE = Path(__file__).resolve().parent.parent
DEPLOY = CLONE / "deploy"


def read_yaml(name: str) -> list[Any]:
    return list(yaml.safe_load_all((DEPLOY / name).read_text()))


def needs(name: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(found(name) is None, reason=f"{name} is not installed here")


def tool(name: str) -> str:
    path = found(name)
    assert path is not None
    return path


def checked(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def asked_of(words: list[str]) -> Any:
    """How the job itself reads a command line."""
    return command_words.parse(words)


# --- cron -----------------------------------------------------------------------------------------


def cron_line() -> tuple[list[str], str, list[str]]:
    lines = [
        line
        for line in (DEPLOY / "crontab").read_text().splitlines()
        if line and not line.startswith("#") and "=" not in line.split()[0]
    ]
    (line,) = lines
    assert "%" not in line, "cron takes a percent sign for a line break"
    *times, user, command = line.split(None, 6)
    return times, user, shlex.split(command)


def test_cron_starts_one_quiet_cycle_at_an_odd_minute() -> None:
    times, user, command = cron_line()
    assert all(re.fullmatch(r"\*|\d+", field) for field in times)
    assert int(times[0]) % 5
    assert user == "retraining"
    script = command.index("/srv/retraining/pipeline_orchestrator.py")
    args = asked_of(command[script + 1 :])
    assert (args.command, args.quiet) == ("run", True)


def test_crons_line_works_with_crons_environment() -> None:
    """An empty environment, another working directory, a shell."""
    command = [
        word.replace("/srv/retraining/.venv/bin/python", sys.executable).replace(
            "/srv/retraining", str(CLONE)
        )
        for word in cron_line()[2]
    ]
    environment = ["env", "-i", "HOME=/", "SHELL=/bin/sh", "PATH=/usr/bin:/bin"]
    done = subprocess.run(
        [*environment, "/bin/sh", "-c", shlex.join([*command, "--version"])],
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "pipeline_orchestrator.py" in done.stdout


# --- systemd --------------------------------------------------------------------------------------


@needs("systemd-analyze")
def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    for unit in (DEPLOY / "systemd").iterdir():
        text = (
            unit.read_text()
            .replace("/srv/retraining/.venv/bin/python", sys.executable)
            .replace("/srv/retraining", str(CLONE))
        )
        (tmp_path / unit.name).write_text(text.replace("User=retraining", "User=nobody"))
    checked(
        "systemd-analyze",
        "verify",
        "--man=no",
        "--recursive-errors=no",
        *sorted(tmp_path.iterdir()),
    )


@needs("systemd-analyze")
def test_the_timer_elapses_every_night() -> None:
    (calendar,) = re.findall(
        r"^OnCalendar=(.*)$", (DEPLOY / "systemd" / "retraining.timer").read_text(), re.MULTILINE
    )
    checked("systemd-analyze", "calendar", calendar)


def test_systemd_tries_again_what_heals_and_nothing_else() -> None:
    text = (DEPLOY / "systemd" / "retraining.service").read_text()
    assert "RestartPreventExitStatus=2 3\n" in text
    assert "SuccessExitStatus=75\n" in text
    (start,) = re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)
    assert asked_of(shlex.split(start)[2:]).command == "run"


# --- containers -----------------------------------------------------------------------------------


def dockerfile() -> list[tuple[str, str]]:
    text = re.sub(r"\\\n", " ", (DEPLOY / "Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in lines]


def test_the_image_copies_what_exists_and_runs_as_nobody_in_particular() -> None:
    steps = dockerfile()
    copied = [word for step, rest in steps if step == "COPY" for word in rest.split()[:-1]]
    assert not [source for source in copied if not (CLONE / source).exists()]
    stages = [i for i, (step, _) in enumerate(steps) if step == "FROM"]
    for stage in ("server", "job"):  # `service` is the job with another entry
        (begin,) = [i for i in stages if steps[i][1].endswith(f"AS {stage}")]
        inside = steps[begin : next((i for i in stages if i > begin), len(steps))]
        assert ("USER", "10001:10001") in inside
    assert not [rest for step, rest in steps if step == "FROM" and ":latest" in rest]


def test_the_image_starts_a_cycle_of_the_project_on_its_volume() -> None:
    places = {rest: place for place, (_, rest) in enumerate(dockerfile())}
    stage = dockerfile()[places["base AS job"] : places["job AS service"]]
    steps = dict(stage)
    entry, default = (yaml.safe_load(steps[step]) for step in ("ENTRYPOINT", "CMD"))
    assert entry[0] == "retraining"
    args = asked_of([*entry[1:], *default])
    assert (args.command, str(args.project)) == ("run", "/project")
    assert asked_of([*entry[1:], "rollback", "--to", "3"]).command == "rollback"


def test_the_images_wheel_is_made_of_what_it_copies_and_holds_all_that_ours_holds(
    tmp_path: Path,
) -> None:
    copies = [rest.split() for step, rest in dockerfile() if step == "COPY"]
    source = tmp_path / "source"
    source.mkdir()
    for *paths, target in copies:
        for path in paths if target.startswith("/source") else ():
            if (CLONE / path).is_dir():
                shutil.copytree(CLONE / path, source / path)
            else:
                shutil.copy(CLONE / path, source)
    held = names_in_the_wheel_of(source, tmp_path / "image")
    assert held == names_in_the_wheel_of(CLONE, tmp_path / "clone")
    assert "retraining/env.example" in held


def names_in_the_wheel_of(source: Path, folder: Path) -> set[str]:
    flags = ("--quiet", "--disable-pip-version-check", "--no-deps", "--wheel-dir", folder)
    checked(sys.executable, "-m", "pip", "wheel", *flags, source)
    (wheel,) = folder.glob("*.whl")
    return set(zipfile.ZipFile(wheel).namelist())


def test_compose_gives_job_and_server_the_same_project_at_the_same_path() -> None:
    (content,) = read_yaml("compose.yaml")
    services = content["services"]
    mounts = [services[name]["volumes"][0] for name in ("mlflow", "job")]
    assert {mount["target"] for mount in mounts} == {"/project"}
    assert mounts[0]["read_only"]
    assert (
        "--default-artifact-root=file:///project/mlflow_server/artifacts"
        in services["mlflow"]["command"]
    )
    assert "--no-serve-artifacts" in services["mlflow"]["command"]
    assert all(port.startswith("127.0.0.1:") for port in services["mlflow"]["ports"]), (
        "MLflow asks nobody for a password"
    )
    assert services["job"]["environment"]["MLFLOW_TRACKING_URI"] == "http://mlflow:5000"
    assert services["job"]["profiles"] == ["job"]


def test_mlflow_knows_every_flag_that_compose_gives_its_server() -> None:
    (content,) = read_yaml("compose.yaml")
    given = {word.partition("=")[0] for word in content["services"]["mlflow"]["command"]}
    from mlflow.cli import server

    known = {flag for option in server.params for flag in (*option.opts, *option.secondary_opts)}
    assert given <= known, given - known


# --- Kubernetes -----------------------------------------------------------------------------------


def test_the_cron_job_forbids_two_at_once_has_deadlines_and_gives_up_on_2_and_3() -> None:
    claim, settings, job = read_yaml("kubernetes/cronjob.yaml")
    spec, task = job["spec"], job["spec"]["jobTemplate"]["spec"]
    assert spec["concurrencyPolicy"] == "Forbid"
    assert spec["startingDeadlineSeconds"]
    assert task["activeDeadlineSeconds"]
    pod = task["template"]["spec"]
    assert pod["restartPolicy"] == "Never", "a podFailurePolicy needs it"
    (give_up,) = [rule for rule in task["podFailurePolicy"]["rules"] if rule["action"] == "FailJob"]
    assert give_up["onExitCodes"] == {"containerName": "job", "operator": "In", "values": [2, 3]}
    (container,) = pod["containers"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert mounts["project"] == "/project", (
        "the image's --project: lock and .retraining stay on the volume"
    )
    assert volumes["project"]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert mounts.keys() == volumes.keys()
    assert container["envFrom"][0]["configMapRef"]["name"] == settings["metadata"]["name"]


def test_the_config_map_holds_settings_that_the_job_takes(tmp_path: Path) -> None:
    from retraining import settings as room

    _, settings, _ = read_yaml("kubernetes/cronjob.yaml")
    assert settings["data"].keys() <= set(room.SETTING_NAMES)
    assert room.load(tmp_path, settings["data"]).retrain_threshold == 0.8


# --- GitHub ---------------------------------------------------------------------------------------


def test_the_scheduled_workflow_runs_at_an_odd_minute_by_hand_and_never_twice_at_once() -> None:
    (flow,) = read_yaml("github/retrain.yml")
    triggers = flow[True]  # YAML 1.1 reads `on` as true
    (schedule,) = triggers["schedule"]
    assert int(schedule["cron"].split()[0]) % 5
    assert "workflow_dispatch" in triggers
    assert flow["concurrency"] == {"group": "retraining", "cancel-in-progress": False}
    (cycle,) = [step for step in flow["jobs"]["cycle"]["steps"] if step.get("name") == "One cycle"]
    assert "${{" not in cycle["run"], "what a person typed reaches the shell as environment only"
    words = shlex.split(
        cycle["run"].replace(
            '${DRY_RUN:+"$DRY_RUN"} ${FORCE:+"$FORCE"} > cycle.json', "--dry-run --force"
        )
    )
    args = asked_of(words[2:])
    assert (args.command, args.json, args.dry_run, args.force) == ("run", True, True, True)


STAND_IN = """#!/bin/sh
# stands for Python: keeps what it was asked, and ends as `monitor` does on that day
echo "$*" >> asked.txt
case "$*" in
    *" monitor "*) echo '{"alerts": [{"what": "amount drifted"}]}'; exit $MONITOR_ENDS ;;
    -c*) exec "$REAL_PYTHON" "$@" ;;
esac
"""


@pytest.mark.parametrize(
    ("monitor_ends", "step_ends", "retrains"), [(0, 0, False), (4, 0, True), (69, 1, False)]
)
def test_the_daily_workflow_retrains_where_monitor_raises_an_alert(
    tmp_path: Path, monitor_ends: int, step_ends: int, retrains: bool
) -> None:
    """The steps' own scripts, run by the shell that GitHub runs them with."""
    (flow,) = read_yaml("github/monitor.yml")
    steps = {step.get("name"): step for step in flow["jobs"]["monitor"]["steps"]}
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(STAND_IN)
    python.chmod(0o755)

    def run(name: str) -> int:
        shell = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", steps[name]["run"]]
        environment = {
            "PATH": "/usr/bin:/bin",
            "PROJECT": "/srv/churn",
            "GITHUB_OUTPUT": str(tmp_path / "output"),
            "MONITOR_ENDS": str(monitor_ends),
            "REAL_PYTHON": sys.executable,
        }
        return subprocess.run(shell, cwd=tmp_path, env=environment, check=False).returncode

    assert run("What does traffic show?") == step_ends
    (asked,) = (tmp_path / "asked.txt").read_text().splitlines()
    assert asked.split()[1:3] == ["monitor", "--alert"]
    assert (tmp_path / "output").read_text() == f"code={monitor_ends}\n"
    assert steps["Retrain"]["if"] == "steps.traffic.outputs.code == '4'"
    if retrains:
        assert run("Retrain") == 0
        cycle = (tmp_path / "asked.txt").read_text().splitlines()[-1]
        words = asked_of(cycle.split(" ", 1)[1].replace("monitor: amount drifted", "w").split())
        assert (words.command, words.force, str(words.project)) == ("run", True, "/srv/churn")
        assert "--why monitor: amount drifted" in cycle


def test_ci_runs_what_the_makefile_has() -> None:
    (flow,) = read_yaml("github/ci.yml")
    targets = re.findall(
        r"^make (\S+)",
        "\n".join(step.get("run", "") for step in flow["jobs"]["test"]["steps"]),
        re.MULTILINE,
    )
    assert targets == ["check", "test", "test-oldest"]
    makefile = (CLONE / "Makefile").read_text()
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)


# --- Prometheus -----------------------------------------------------------------------------------


@pytest.mark.deploy
@needs("promtool")
def test_promtool_accepts_the_rules() -> None:
    checked(tool("promtool"), "check", "rules", DEPLOY / "prometheus" / "retraining.rules.yml")


def test_the_rules_ask_for_series_that_the_text_file_has() -> None:
    text = textfile.render(ended(), Settings(project=Path("/srv/a"), retrain_threshold=0.8), NOW)
    (rules,) = read_yaml("prometheus/retraining.rules.yml")
    asked = {
        name
        for rule in rules["groups"][0]["rules"]
        for name in re.findall(r"\bretraining_\w+", rule["expr"])
    }
    assert asked <= set(re.findall(r"^# TYPE (\w+)", text, re.MULTILINE))


@pytest.mark.deploy
@needs("promtool")
def test_no_success_in_26_hours_fires_and_25_do_not(tmp_path: Path) -> None:
    rules = DEPLOY / "prometheus" / "retraining.rules.yml"
    labels = {
        "alertname": "RetrainingNoSuccess",
        "model": "classifier",
        "project": "/srv/a",
        "severity": "critical",
    }
    firing = 'count(ALERTS{alertname="RetrainingNoSuccess",alertstate="firing"})'
    case = {
        "rule_files": [str(rules)],
        "evaluation_interval": "5m",
        "tests": [
            {
                "interval": "5m",
                "input_series": [
                    {
                        "series": (
                            "retraining_last_success_timestamp_seconds"
                            '{model="classifier",project="/srv/a"}'
                        ),
                        "values": "0x400",
                    }
                ],
                "promql_expr_test": [
                    {"expr": firing, "eval_time": "25h", "exp_samples": []},
                    {
                        "expr": f"{firing} by (model, project, alertname, severity)",
                        "eval_time": "27h",
                        "exp_samples": [
                            {
                                "labels": (
                                    "{" + ", ".join(f'{k}="{v}"' for k, v in labels.items()) + "}"
                                ),
                                "value": 1,
                            }
                        ],
                    },
                ],
            }
        ],
    }
    (tmp_path / "case.yml").write_text(yaml.safe_dump(case))
    checked(tool("promtool"), "test", "rules", tmp_path / "case.yml")


# --- the readers of the real programs -------------------------------------------------------------


@pytest.mark.deploy
@pytest.mark.skipif(
    not (CHECKERS / "deploycheck").exists(),
    reason="deploy/checks/build.sh was not run (it needs Go): no strict reading",
)
@pytest.mark.parametrize(
    "name",
    [
        "Dockerfile", "compose.yaml", "kubernetes/cronjob.yaml", "kubernetes/service.yaml",
        "grafana/serving.json",
    ],
)  # fmt: skip
def test_kubernetes_compose_buildkit_and_grafana_read_their_files_strictly(name: str) -> None:
    checked(CHECKERS / "deploycheck", DEPLOY / name)


@pytest.mark.deploy
@pytest.mark.skipif(
    not (CHECKERS / "actionlint").exists(),
    reason="deploy/checks/build.sh was not run (it needs Go): no actionlint",
)
@pytest.mark.parametrize("name", ["retrain.yml", "model.yml", "monitor.yml", "ci.yml"])
def test_actionlint_accepts_the_workflows(name: str, tmp_path: Path) -> None:
    (tmp_path / "actionlint.yaml").write_text("self-hosted-runner: {labels: [retraining]}")
    flags = ("-shellcheck=", "-pyflakes=", "-config-file", tmp_path / "actionlint.yaml")
    checked(CHECKERS / "actionlint", *flags, DEPLOY / "github" / name)


# --- the model, tested in CI ----------------------------------------------------------------------


def what_ci_says(project: Project, **environment: str) -> subprocess.CompletedProcess[str]:
    """What `pytest test_model.py` says of a project's production version."""
    words = ["-p", "no:cacheprovider", "-q", "--rootdir", str(DEPLOY), "-c", os.devnull]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *words, str(DEPLOY / "github" / "test_model.py")],
        env={**environment_of_cron(project.folder), "PROJECT": str(project.folder), **environment},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_a_sound_version_passes_in_ci_and_one_under_its_floor_does_not(registered: Project) -> None:
    done = what_ci_says(registered)
    assert done.returncode == 0, done.stdout
    done = what_ci_says(registered, FLOORS='{"accuracy": 0.9999}')
    assert done.returncode == 1
    assert "accuracy is 0." in done.stdout
    assert "1 failed, 3 passed" in done.stdout


# --- the words ------------------------------------------------------------------------------------


def test_the_readme_names_every_file_and_the_signature_that_it_explains_holds() -> None:
    import hashlib
    import hmac
    import time

    from retraining.notices.webhook import signature as sign

    text = (DEPLOY / "README.md").read_text()
    for path in (
        "crontab",
        "systemd/",
        "Dockerfile",
        "compose.yaml",
        "kubernetes/cronjob.yaml",
        "kubernetes/service.yaml",
        "prometheus/retraining-serving.rules.yml",
        "grafana/serving.json",
        "github/retrain.yml",
        "github/model.yml",
        "github/test_model.py",
        "github/monitor.yml",
        "github/ci.yml",
    ):
        assert f"`{path}`" in text
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    timestamp, body = str(int(time.time())), b"{}"
    names: dict[str, Any] = {
        "hmac": hmac,
        "hashlib": hashlib,
        "time": time,
        "secret": b"s",
        "timestamp": timestamp,
        "body": body,
    }
    names["signature"] = f"sha256={sign('s', timestamp, body)}"
    exec(code, names)
    assert names["genuine"]


def test_no_file_holds_a_secret() -> None:
    texts = "".join(
        path.read_text()
        for path in DEPLOY.rglob("*")
        if path.is_file() and path.suffix in {".yaml", ".yml", ".service", ""}
    )
    assert not re.search(r"(PASSWORD|SECRET|TOKEN): +[^$\s{]", texts)
