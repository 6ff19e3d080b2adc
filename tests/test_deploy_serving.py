"""The prediction service's files in deploy/: each held against the service itself and the tool that
reads it.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import yaml

import prediction_service
from retraining.serving.access import OPEN_TO_ALL
from retraining.serving.metrics import Metrics
from retraining.serving.tokens import TokenFile
from retraining.settings import SETTING_NAMES, load
from tests.mlflow_servers import wait_for
from tests.ports import free_port
from tests.postgres import PASSWORD, USER
from tests.projects import CLONE, REGISTER, Project, environment_of_cron, tables
from tests.serving.services import Caller, until
from tests.test_notices import found

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.postgres import Postgres

DEPLOY = CLONE / "deploy"
PROMTOOL = found("promtool")
RULES = DEPLOY / "prometheus" / "retraining-serving.rules.yml"
DASHBOARD = DEPLOY / "grafana" / "serving.json"
needs_promtool = pytest.mark.skipif(
    PROMTOOL is None, reason="deploy/checks/build.sh was not run: no promtool"
)


def read_yaml(name: str) -> list[Any]:
    return list(yaml.safe_load_all((DEPLOY / name).read_text()))


def compose() -> dict[str, Any]:
    (content,) = read_yaml("compose.yaml")
    services: dict[str, Any] = content["services"]
    return services


def words_in_the_image() -> list[str]:
    """What the stage `service` of the Dockerfile gives to the service beside its project."""
    text = (DEPLOY / "Dockerfile").read_text().partition(" AS service")[2]
    entry, command = (
        json.loads(words) for words in re.findall(r"^(?:ENTRYPOINT|CMD) (.*)$", text, re.MULTILINE)
    )
    assert entry == ["retraining", "serve", "--project", "/project"]
    words: list[str] = command
    return words


def by_promtool(*words: str | Path) -> None:
    assert PROMTOOL is not None
    command = [PROMTOOL, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


# --- systemd --------------------------------------------------------------------------------------


def test_a_stop_of_the_unit_reaches_the_service_and_no_cycle_that_it_started() -> None:
    text = (DEPLOY / "systemd" / "retraining-serving.service").read_text()
    settings = dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE))
    assert settings["KillMode"] == "process"
    assert settings["OOMPolicy"] == "continue", "a cycle that needs too much memory would stop it"
    assert "PrivateTmp" not in settings, "systemd would empty it under the cycle"
    assert settings["RestartPreventExitStatus"] == "2"
    args = prediction_service.parse(shlex.split(settings["ExecStart"])[2:])
    assert (args.host, args.port) == ("127.0.0.1", 8002)


# --- containers -----------------------------------------------------------------------------------


def test_three_ports_of_the_host_reach_the_port_that_the_service_listens_on() -> None:
    args = prediction_service.parse(words_in_the_image())
    published = [port.rsplit(":", 2) for port in compose()["service"]["ports"]]
    assert [(host, inside) for _, host, inside in published] == [
        (str(host), str(args.port)) for host in (8001, 8002, 8050)
    ]
    assert {address for address, _, _ in published} == {"127.0.0.1"}, "without TLS"


def test_the_names_of_the_projects_settings_are_kept_where_the_shell_has_none() -> None:
    """An empty value in a container's environment would beat the line in .env."""
    environment = compose()["service"]["environment"]
    assert environment["ALLOWED_HOSTS"] is None, "Compose passes it on where the shell has it"


def test_manifests_name_the_images_that_the_dockerfile_tells_how_to_build() -> None:
    told = re.findall(r"-t (\S+)", (DEPLOY / "Dockerfile").read_text())
    job = (DEPLOY / "kubernetes" / "cronjob.yaml").read_text()
    named = re.findall(r"image: (\S+)", job + (DEPLOY / "kubernetes" / "service.yaml").read_text())
    assert named == told


def test_job_and_service_share_project_store_and_log() -> None:
    services = compose()
    shared = ("MLFLOW_TRACKING_URI", "PREDICTION_LOG_URI")
    job, service = (services[name] for name in ("job", "service"))
    assert [job["environment"][name] for name in shared] == [
        service["environment"][name] for name in shared
    ]
    assert job["volumes"] == service["volumes"]
    assert set(service["networks"]) == set(job["networks"]) == {"store", "job"}
    assert service["environment"].keys() <= set(SETTING_NAMES)


def by_hand(value: str, project: Path, postgres_port: int, mlflow_port: int, store: str) -> str:
    """A setting of the compose file, for processes on this machine instead of containers."""
    for there, here in (
        ("${POSTGRES_PASSWORD:?set POSTGRES_PASSWORD}", PASSWORD),
        ("mlflow:", f"{USER}:"),
        ("@database:5432/mlflow", f"@127.0.0.1:{postgres_port}/{store}"),
        ("@database:5432", f"@127.0.0.1:{postgres_port}"),
        (f"http://{USER}:5000", f"http://127.0.0.1:{mlflow_port}"),
        ("--host=0.0.0.0", "--host=127.0.0.1"),
        ("--port=5000", f"--port={mlflow_port}"),
        (f"{USER}:5000", f"127.0.0.1:{mlflow_port}"),
        ("/project", str(project)),
    ):
        value = value.replace(there, here)
    assert "$" not in value, value
    return value


@contextlib.contextmanager
def process(command: list[str], environment: dict[str, str], log: Path) -> Iterator[Any]:
    with log.open("wb") as stream:
        started = subprocess.Popen(
            command, env=environment, cwd="/", stdout=stream, stderr=stream, start_new_session=True
        )
    try:
        yield started
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(started.pid, signal.SIGTERM)
        started.wait(60)


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.server
def test_the_services_of_compose_work_together_as_processes_with_the_same_settings(
    tmp_path: Path, postgres: Postgres
) -> None:
    services, project = compose(), Project.made(tmp_path / "project")
    store = postgres.new_database().rpartition("/")[2]
    (content,) = read_yaml("compose.yaml")
    address = postgres.address(store).replace("+psycopg", "")
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(content["configs"]["predictions"]["content"])

    port = free_port()

    def here(value: str) -> str:
        return by_hand(value, project.folder, postgres.port, port, store)

    def environment(name: str) -> dict[str, str]:
        told = services[name]["environment"].items()
        given = {key: here(value) for key, value in told if value is not None}
        return {**environment_of_cron(project.folder), **given}

    server = [sys.executable, "-m", "mlflow", "server", *map(here, services["mlflow"]["command"])]
    with process(server, environment("mlflow"), tmp_path / "mlflow.log") as mlflow:
        wait_for(f"http://127.0.0.1:{port}", mlflow)
        settings = {
            name: value for name, value in environment("job").items() if name in SETTING_NAMES
        }
        project.deliver(*tables(12, seed=1), to="used_data", age=7200)
        words = ("--train-from", "used_data", "--set-alias")
        project.start(*words, script=REGISTER, **settings).expect(0)
        token = TokenFile(project.folder).add("shop", ("predict", "label"))

        told = free_port()
        words = [*words_in_the_image(), "--host", "127.0.0.1", "--port", str(told)]
        script = [sys.executable, str(CLONE / "prediction_service.py"), *words]
        script += ["--project", str(project.folder)]
        log = tmp_path / "service.log"
        with process(script, environment("service"), log) as service:
            assert until(lambda: is_ready(told, service), 120), log.read_text()
            row = {"speed": 1.5, "load": 0.2, "city": "north"}
            body = {"dataframe_records": [row], "ids": ["order-1"]}
            caller = Caller(told)
            answered = caller.ask("POST", "/predict", body, Authorization=f"Bearer {token}")
            assert (answered.status, answered.json["logged"]) == (200, True), answered
            assert Caller(told).ask("POST", "/predict", body).status == 401
            label = {"labels": [{"prediction_id": "order-1", "label": 1}]}
            taken = caller.ask("POST", "/labels", label, Authorization=f"Bearer {token}")
            assert taken.json["new"] == 1, taken
        logged = project.start("status", "--json", **settings).expect(0).json["predictions"]
        assert logged == {"logged": 1, "labelled": 1, "exported": 0}, "the job reads the same log"
        assert not (project.folder / "predictions").exists(), "no log on sqlite beside it"


def is_ready(port: int, service: subprocess.Popen[bytes]) -> bool:
    with contextlib.suppress(OSError):
        return Caller(port).ask("GET", "/ready").status == 200
    assert service.poll() is None, "the service ended while it started"
    return False


# --- Kubernetes -----------------------------------------------------------------------------------


def kubernetes() -> dict[str, Any]:
    return {one["kind"]: one for one in read_yaml("kubernetes/service.yaml")}


def test_kubernetes_probes_ask_routes_that_are_open_to_all_and_names_agree(tmp_path: Path) -> None:
    objects = kubernetes()
    deployment, service = objects["Deployment"], objects["Service"]
    pod = deployment["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    args = prediction_service.parse(container["args"])
    (port,) = container["ports"]
    assert port["containerPort"] == args.port
    assert service["spec"]["ports"][0]["targetPort"] == port["name"]
    for kind, path in (("startup", "/live"), ("readiness", "/ready"), ("liveness", "/live")):
        probe = container[f"{kind}Probe"]["httpGet"]
        assert (probe["path"], probe["port"]) == (path, port["name"])
        assert path in OPEN_TO_ALL
    labels = pod["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"] == labels
    assert service["spec"]["selector"] == labels
    assert objects["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    scaled = objects["HorizontalPodAutoscaler"]["spec"]
    assert scaled["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    assert "replicas" not in deployment["spec"], "applying it again would undo the autoscaler"
    settings = objects["ConfigMap"]["data"]
    assert settings.keys() <= set(SETTING_NAMES)
    assert load(tmp_path, settings).metric == "accuracy"
    given = {one["name"]: one for one in container["env"]}
    assert given["POD_IP"]["valueFrom"]["fieldRef"]["fieldPath"] == "status.podIP"
    names = load(tmp_path, {"ALLOWED_HOSTS": given["ALLOWED_HOSTS"]["value"]}).allowed_hosts
    assert {service["metadata"]["name"], "$(POD_IP)"} <= set(names), "callers, and Prometheus"


def test_a_pod_that_goes_takes_no_row_with_it() -> None:
    pod = kubernetes()["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
    assert mounts["/project/new_data"]["readOnly"], "a batch or an export would go with the pod"
    assert "retraining-log" in json.dumps(container["envFrom"]), "the log is on PostgreSQL"
    volumes = {volume["name"] for volume in pod["volumes"]}
    assert {mount["name"] for mount in mounts.values()} == volumes


# --- Prometheus and Grafana -----------------------------------------------------------------------


def series_of_the_service() -> set[str]:
    """Names that `/metrics` has, those of histograms with their endings."""
    text = Metrics().text().decode()
    kinds = dict(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE))
    histograms = [name for name, kind in kinds.items() if kind == "histogram"]
    ends = ("_bucket", "_sum", "_count")
    return kinds.keys() | {f"{name}{end}" for name in histograms for end in ends}


def expressions_of_the_dashboard() -> list[str]:
    dashboard = json.loads(DASHBOARD.read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    asked += [one["expr"] for one in dashboard["annotations"]["list"]]
    for name, value in (("$__rate_interval", "5m"), ("$job", "a"), ("$instance", "b")):
        asked = [expression.replace(name, value) for expression in asked]
    return asked


def test_rules_and_dashboard_ask_for_series_that_the_service_has() -> None:
    (rules,) = read_yaml("prometheus/retraining-serving.rules.yml")
    asked = [rule["expr"] for rule in rules["groups"][0]["rules"]]
    asked += expressions_of_the_dashboard()
    asked += re.findall(r"label_values\((\w+)", DASHBOARD.read_text())
    names = {name for one in asked for name in re.findall(r"\bretraining_\w+", one)}
    assert names <= series_of_the_service()


@pytest.mark.deploy
@needs_promtool
def test_prometheus_reads_the_rules_and_every_query_of_the_dashboard(tmp_path: Path) -> None:
    by_promtool("check", "rules", RULES)
    recorded = [
        {"record": f"panel:{number}", "expr": expression}
        for number, expression in enumerate(expressions_of_the_dashboard())
    ]
    path = tmp_path / "queries.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": recorded}]}))
    by_promtool("check", "rules", path)


ANSWERED = 'retraining_requests_total{job="s",instance="i",route="/predict",code="%s"}'
HERE = '{job="s",instance="i"}'
CASES = [
    ("PredictionServiceDown", {'up{job="retraining-serving",instance="i"}': "1x5 0x60",
                               f"retraining_model_version{HERE}": "4x90"}, "9m"),
    ("PredictionServiceDown", {'up{job="retraining-serving",instance="i"}': "1x60"}, "3m"),
    ("PredictionServiceHasNoModel", {f"retraining_model_version{HERE}": "0x60"}, "2m"),
    (
        "PredictionServiceBehindTheAlias",
        {f"retraining_model_version{HERE}": "3x60", f"retraining_alias_version{HERE}": "4x60"},
        "6m",
    ),
    ("PredictionServiceErrors", {ANSWERED % 200: "0+100x60", ANSWERED % 500: "0+2x60"}, "11m"),
    (
        "PredictionLogDropping",
        {'retraining_log_dropped_total{job="s",instance="i",why="full"}': "0 0 7x60"},
        "4m",
    ),
    ("PredictionTrafficNotMonitored",
     {f"retraining_monitored_timestamp_seconds{HERE}": "0x90"}, "71m"),
    ("PredictionTrafficAlert",
     {'retraining_traffic_alert{job="s",instance="i",kind="data_drift"}': "0 1x60"}, "4m"),
]  # fmt: skip
WELL = {
    'up{job="retraining-serving",instance="i"}': "1 0 1x90",
    'retraining_traffic_alert{job="s",instance="i",kind="data_drift"}': "0x90",
    f"retraining_model_version{HERE}": "4x90",
    f"retraining_alias_version{HERE}": "4x3 5x2 4x90",
    ANSWERED % 200: "0+1000x90",
    ANSWERED % 503: "0+9x90",
    'retraining_requests_total{job="s",instance="i",route="/ready",code="503"}': "0+900x90",
    'retraining_log_dropped_total{job="s",instance="i",why="full"}': "7x90",
    f"retraining_monitored_timestamp_seconds{HERE}": "0+60x90",
}


@pytest.mark.deploy
@needs_promtool
@pytest.mark.parametrize(("alert", "series", "when"), CASES)
def test_each_alert_fires_by_its_sign_alone(
    alert: str, series: dict[str, str], when: str, tmp_path: Path
) -> None:
    fires = f'count(ALERTS{{alertname="{alert}",alertstate="firing"}})'
    anything = 'count(ALERTS{alertstate="firing"})'
    one = [{"labels": "{}", "value": 1}]
    tests = [
        (series, [{"expr": fires, "eval_time": when, "exp_samples": one}]),
        (WELL, [{"expr": anything, "eval_time": when, "exp_samples": []}]),
    ]
    written = [
        {
            "interval": "1m",
            "input_series": [{"series": name, "values": at} for name, at in given.items()],
            "promql_expr_test": expected,
        }
        for given, expected in tests
    ]
    path = tmp_path / "case.yml"
    case = {"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": written}
    path.write_text(yaml.safe_dump(case))
    by_promtool("test", "rules", path)
