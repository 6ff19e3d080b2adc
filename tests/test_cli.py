"""The edge: what the words on a command line do, exit codes, three-line errors, streams, and a
start as cron makes it.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from retraining.console.command_words import COMMANDS, common_flags, parse
from retraining.errors import NOTHING_CHANGED, UsageError
from tests.projects import (
    CLONE,
    ORCHESTRATOR,
    REGISTER,
    Project,
    environment_of_cron,
    table,
    tables,
)

NO_SERVER = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "0"}
SLOW_RECIPE = """
import pathlib, time
def train_model(X_train, y_train):
    pathlib.Path({started!r}).touch()
    time.sleep(60)
"""


def nobody_listens_at() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


# --- words ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("flag", ["--project", "--env-file", "--log-file"])
def test_an_empty_path_is_not_taken_for_the_working_directory(flag: str) -> None:
    with pytest.raises(UsageError, match=f"{flag}: an empty path"):
        common_flags().parse_args([flag, ""])


@pytest.mark.parametrize(
    ("words", "means"),
    [
        ([], {"command": "run"}),
        (["--json"], {"command": "run", "json": True}),
        (["--dry-run", "-q"], {"command": "run", "dry_run": True, "quiet": True}),
        (["run", "--dry"], {"command": "run", "dry_run": True}),
        (["--dry"], {"command": "run", "dry_run": True}),
        (["status", "--js"], {"command": "status", "json": True}),
        (["-qv", "status"], {"command": "status", "quiet": True, "verbose": True}),
        (["status", "-qv"], {"command": "status", "quiet": True, "verbose": True}),
        (["-q", "status", "-v"], {"command": "status", "quiet": True, "verbose": True}),
        (["--project", "run", "status"], {"command": "status", "project": Path("run")}),
        (["--proj", "run", "status"], {"command": "status", "project": Path("run")}),
        (["--project=a", "check", "--project", "b"], {"command": "check", "project": Path("b")}),
        (["--project", "status"], {"command": "run", "project": Path("status")}),
        (
            ["-q", "--log-file", "f", "history", "-n", "3"],
            {"command": "history", "n": 3, "quiet": True},
        ),
        (["explain", "check"], {"command": "explain", "which": "check"}),
        (["rollback", "--why", "status"], {"command": "rollback", "why": "status", "to": None}),
        (["rollback", "--to", "v2"], {"command": "rollback", "to": 2}),
        (["approve", "v12"], {"command": "approve", "version": 12}),
        (["--why", "a word", "--dry-run"], {"command": "run", "why": "a word", "dry_run": True}),
        (["--why", "run"], {"command": "run", "why": "run"}),
    ],
)
def test_no_command_means_run_and_common_flags_may_stand_before_it(
    words: list[str], means: dict[str, object]
) -> None:
    args = vars(parse(words))
    assert {name: args[name] for name in means} == means
    assert {"project", "env_file", "log_file", "json", "quiet", "verbose"} <= args.keys()


@pytest.mark.parametrize(
    "words",
    [["--dry-run", "check"], ["--to", "3", "rollback"], ["status", "--deep"], ["check", "x"]],
)
def test_a_flag_of_one_command_is_no_other_commands(words: list[str]) -> None:
    with pytest.raises(UsageError):
        parse(words)


def test_flags_that_are_cut_short_or_joined_print_what_the_parser_takes_them_for(
    registered: Project,
) -> None:
    assert registered.start("status", "--js").expect(0).json["production_version"] == 1
    assert registered.start("status", "-qv").expect(0).out == ""
    registered.deliver(*tables(3, seed=2))
    assert registered.start("run", "--dry", "--js").expect(0).json["dry_run"] is True
    failed = registered.start("run", "--dry", "-n", "--js").expect(2)
    assert failed.json["ending"] == "failed"
    unknown = registered.start("check", "--frobnicate", "--js").expect(2)
    assert unknown.json["ok"] is False


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_every_command_has_help_on_stdout(tmp_path: Path, command: str) -> None:
    done = Project.made(tmp_path / "project").start(*filter(None, [command]), "--help").expect(0)
    assert "usage:" in done.out
    assert done.err == ""


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["frobnicate"], "frobnicate"), (["run", "--frobnicate"], "--frobnicate"),
        (["history", "-n", "many"], "many"),
        (["forget", "a.csv"], "--why"), (["requeue"], "FILE"), (["history", "-n", "0"], "-n 0"),
    ],
)  # fmt: skip
def test_a_wrong_command_line_ends_2_in_three_lines_that_name_it(
    tmp_path: Path, words: list[str], named: str
) -> None:
    project = Project.made(tmp_path / "project")
    what, unchanged, _ = project.start(*words).expect(2).error
    assert named in what
    assert unchanged == NOTHING_CHANGED
    assert not (project.folder / "mlflow_server").exists()


def test_a_project_that_is_not_there_ends_2(tmp_path: Path) -> None:
    what, _, remedy = Project(tmp_path / "nowhere").start("status").expect(2).error
    assert str(tmp_path / "nowhere") in what
    assert "Correct the name" in remedy


# --- settings -------------------------------------------------------------------------------------


def test_a_start_from_a_folder_that_was_deleted_works_on_a_project_named_in_full(
    registered: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    for words in (("status",), ("run", "--dry-run")):
        gone.mkdir()
        monkeypatch.chdir(gone)
        gone.rmdir()
        registered.start(*words).expect(0)
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    relative = replace(registered, folder=Path("project"))
    assert "The working directory" in relative.start("status", HOME="/").expect(2).error[0]


def test_wrong_settings_take_a_line_each_before_the_three(project: Project) -> None:
    project.configure(RETRAIN_TRESHOLD="0.7", HOLDOUT_FRACTION="seven")
    done = project.start("--json").expect(2)
    assert done.err.splitlines()[0].startswith(
        "RETRAIN_TRESHOLD: unknown; did you mean RETRAIN_THRESHOLD?"
    )
    assert done.err.splitlines()[1].startswith("HOLDOUT_FRACTION: 'seven' is not")
    what, unchanged, remedy = done.error
    assert len(done.err.splitlines()) == 5, "each problem is told once"
    assert what.endswith("RETRAIN_TRESHOLD, HOLDOUT_FRACTION.")
    assert what.startswith("2 settings are wrong")
    assert "did you mean RETRAIN_THRESHOLD?" in done.json["reason"]
    assert unchanged == NOTHING_CHANGED
    assert ".env.example" in remedy
    assert (done.json["ending"], done.json["exit_code"]) == ("failed", 2)


def test_a_metric_that_needs_a_threshold_says_so(project: Project) -> None:
    project.settings.pop("RETRAIN_THRESHOLD")
    project.configure(METRIC="f1")
    said = "RETRAIN_THRESHOLD: required, since RETRAIN_WHEN has threshold and METRIC is f1"
    for command in ("run", "check"):
        assert said in project.start(command).expect(2).err, command
    assert project.start("status").expect(0), "who only reads is asked for none"
    project.configure(RETRAIN_WHEN="drop")
    assert project.start("run").expect(0)


# --- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
def test_a_name_that_the_terminal_cannot_show_is_shown_by_its_code(
    project: Project, encoding: str
) -> None:
    project.put("smile-\U0001f600.txt", "")
    project.put("caf\udce9.txt", "")
    for flags in ((), ("--json",)):
        done = project.start_process(
            "status", *flags, PYTHONIOENCODING=f"{encoding}:strict"
        ).expect(0)
        assert "caf\\udce9.txt" in done.out
        assert "smile" in done.out
    assert set(done.json["skipped"]) == {"smile-\U0001f600.txt", "caf\udce9.txt"}


def test_errors_and_logs_show_strange_names_by_their_codes(registered: Project) -> None:
    for place, name in enumerate(("red\x1b[31m.csv", "caf\udce9.csv", "line\nend.csv")):
        registered.put(name, f"no,{place}\n")
    done = registered.start("run", "--log-file", str(registered.folder / "own.log")).expect(3)
    assert "red\\x1b[31m.csv" in done.error[0]
    assert "caf\\udce9.csv" in done.error[0]
    (kept,) = (registered.folder / ".retraining" / "logs").glob("*.log")
    for log in (kept, registered.folder / "own.log"):
        assert "caf\\udce9.csv" in log.read_text()


def test_without_a_production_alias_a_cycle_ends_3_and_says_how_to_assign_it(
    project: Project,
) -> None:
    inbox = project.deliver(*tables(3, seed=2))
    done = project.start("--json").expect(3)
    what, _, remedy = done.error
    assert "holds the alias 'production'" in what
    assert f"`{sys.executable} {CLONE / REGISTER} --project {project.folder} --set-alias`" in remedy
    assert project.names("new_data") == {path.name for path in inbox}


def test_a_server_that_is_down_ends_69_and_everything_stays(project: Project) -> None:
    project.deliver(*tables(3, seed=2))
    uri = nobody_listens_at()
    what, _, remedy = project.start(MLFLOW_TRACKING_URI=uri, **NO_SERVER).expect(69).error
    assert uri in what
    assert "MLFLOW_TRACKING_URI" in remedy
    assert len(project.names("new_data")) == 3


def test_the_password_in_an_address_is_never_shown(project: Project) -> None:
    project.deliver(*tables(3, seed=2))
    uri = nobody_listens_at().replace("http://", "http://me:hunter22@")
    done = project.start(
        "--json",
        "-v",
        "--log-file",
        str(project.folder / "all.log"),
        MLFLOW_TRACKING_URI=uri,
        **NO_SERVER,
    ).expect(69)
    logs = "".join(
        path.read_text()
        for path in [project.folder / "all.log", *project.folder.glob(".retraining/logs/*")]
    )
    assert "hunter22" not in done.out + done.err + logs


def test_a_missing_inbox_ends_3(registered: Project) -> None:
    (registered.folder / "new_data").rmdir()
    what, _, remedy = registered.start().expect(3).error
    assert "new_data" in what
    assert "unmounted" in remedy


def test_an_error_nobody_foresaw_is_three_lines_too_and_its_traceback_is_in_the_log(
    project: Project,
) -> None:
    (project.folder / ".retraining" / "head.json").mkdir(parents=True)
    project.deliver(*tables(3, seed=2))
    what, _, remedy = project.start().expect(1).error
    assert what.startswith("IsADirectoryError in retraining/folders/disks.py line ")
    assert ".retraining/logs/" in remedy
    (log,) = project.folder.glob(".retraining/logs/*.log")
    assert "Traceback" in log.read_text()
    verbose = project.start("-v").expect(1)
    assert "Traceback" in verbose.err
    assert verbose.err.splitlines()[-1] == remedy


def test_with_quiet_a_failure_is_three_lines_and_nothing_else(project: Project) -> None:
    project.deliver(*tables(3, seed=2))
    quiet = project.start("-q").expect(3)
    assert quiet.err.splitlines() == quiet.error
    assert quiet.out == ""


# --- streams --------------------------------------------------------------------------------------


def test_the_gate_opens_by_files_and_stdout_holds_results_only(registered: Project) -> None:
    registered.deliver(*tables(2, seed=2))
    closed = registered.start().expect(0)
    assert "2 of 3 files not yet judged" in " ".join(closed.out.split())
    registered.deliver(table(seed=9))
    open_ = registered.start("--json").expect(0)
    assert open_.json["ending"] == "kept"
    assert open_.out.count("\n") == 1
    assert "production scored accuracy" in open_.err
    assert registered.start("-q").expect(0) == type(open_)(0, "", "")


def test_json_logs_are_one_object_a_line_and_the_cycles_log_is_kept_as_text(
    registered: Project,
) -> None:
    registered.deliver(*tables(3, seed=2))
    done = registered.start(
        "--log-file", str(registered.folder / "all.log"), LOG_FORMAT="json"
    ).expect(0)
    levels = {json.loads(line)["level"] for line in done.err.splitlines()}
    assert "info" in levels
    assert "kept: production scored" in (registered.folder / "all.log").read_text()
    assert any(
        "kept: production scored" in path.read_text()
        for path in registered.folder.glob(".retraining/logs/*.log")
    )


# --- as cron starts it ----------------------------------------------------------------------------


def test_a_start_as_cron_makes_it_ends_as_one_by_hand_does(registered: Project) -> None:
    registered.deliver(*tables(3, seed=2))
    dry = registered.cycle("--dry-run")
    done = registered.start_process("--json", "-q", cwd="/").expect(0)
    assert done.err == ""
    assert (done.json["ending"], done.json["reason"]) == (dry["ending"], dry["reason"])
    assert not (registered.folder.parent / "mlruns").exists()
    assert registered.cycle()["ending"] == "unchanged"


def test_sigterm_ends_a_training_at_once_and_the_next_start_heals_it(registered: Project) -> None:
    started, recipe = (
        registered.folder / "training",
        registered.folder / "train_classification_model.py",
    )
    recipe.write_text(SLOW_RECIPE.format(started=str(started)))
    registered.deliver(*tables(3, seed=2, turned=True))
    command = [sys.executable, str(CLONE / ORCHESTRATOR), "--project", str(registered.folder)]
    with subprocess.Popen(
        command, env=environment_of_cron(registered.folder), stderr=subprocess.PIPE, text=True
    ) as process:
        deadline = time.monotonic() + 120
        while not started.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=200)
    assert process.returncode == 143
    assert err.splitlines()[-3] == "Interrupted by SIGTERM."
    recipe.unlink()
    assert registered.cycle()["new_rows"] == 120


def test_ctrl_c_ends_130(registered: Project) -> None:
    registered.deliver(*tables(3, seed=2, turned=True))
    (registered.folder / "train_classification_model.py").write_text(
        "def train_model(X, y):\n    raise KeyboardInterrupt\n"
    )
    assert registered.start().expect(130).error[0] == "Interrupted by Ctrl-C."
    assert len(registered.names("new_data")) == 3


# --- the first model ------------------------------------------------------------------------------


def test_nothing_to_register_ends_2(tmp_path: Path) -> None:
    what, _, remedy = Project.made(tmp_path / "project").start(script=REGISTER).expect(2).error
    assert "nothing to register" in what
    assert "--train-from DIR" in remedy


def test_a_pickle_is_not_loaded_without_the_word(project: Project) -> None:
    trace = project.folder / "ran"
    project.put("model.pkl", f"cposix\nsystem\n(S'touch {trace}'\ntR.", to="model")
    what, _, remedy = project.start(script=REGISTER).expect(2).error
    assert "loading a pickle runs the code in it" in what
    assert "--trust-pickle" in remedy
    assert not trace.exists()


def test_registering_the_same_again_changes_nothing(registered: Project) -> None:
    again = registered.register()
    assert "registered already as v1" in again.out
    assert os.listdir(registered.folder / "new_data") == []  # noqa: PTH208 - hidden files too
