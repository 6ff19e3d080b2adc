"""What the documents say is true: their commands run, and every command, flag, setting, trigger,
ending and error is in them.
"""

from __future__ import annotations

import argparse
import glob
import re
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING, get_args

import pandas as pd
import psycopg
import pytest

import prediction_service
import register_first_model
from retraining import decisions, errors
from retraining.console import command_words
from retraining.endings import CYCLE_ENDINGS
from retraining.errors import RetrainingError
from retraining.model_registry.mlflow_registry import MlflowRegistry
from retraining.outcomes import PromotionRule, TriggerName
from retraining.settings import READINGS, SETTING_NAMES, load
from tests.mlflow_servers import wait_for
from tests.ports import free_port
from tests.postgres import PASSWORD, USER
from tests.projects import CLONE, ORCHESTRATOR, REGISTER, Project, table, tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.postgres import Postgres

EXAMPLE, REFERENCE = CLONE / ".env.example", CLONE / "docs/reference.md"
SERVICE = "prediction_service.py"
DOCUMENTS = [CLONE / "README.md", CLONE / "CONTRIBUTING.md", *sorted(CLONE.glob("docs/*.md"))]
BLOCK = re.compile(r"^```(?P<kind>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
QUICK = {"MIN_NEW_FILES": "3", "MIN_FILE_AGE_SECONDS": "0", "HOLDOUT_FRACTION": "0.4"}
PYTHON = ".venv/bin/python"


def blocks(path: Path, *kinds: str) -> Iterator[str]:
    return (found["text"] for found in BLOCK.finditer(path.read_text()) if found["kind"] in kinds)


def lines(text: str) -> Iterator[str]:
    """Lines to type, continued ones joined."""
    return (
        line for line in text.replace("\\\n", " ").splitlines() if shlex.split(line, comments=True)
    )


# --- everything is in them ------------------------------------------------------------------------


def flags_of(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        yield from action.option_strings
        if isinstance(action, argparse._SubParsersAction):
            for name, command in action.choices.items():
                yield name
                yield from flags_of(command)


@pytest.mark.parametrize("script", [ORCHESTRATOR, REGISTER, SERVICE])
def test_every_command_and_flag_stands_in_the_reference(
    script: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = REFERENCE.read_text()
    words = set(flags_of(command_words.parser_of()))
    if script != ORCHESTRATOR:
        with pytest.raises(SystemExit):
            parse(script, ["--help"])
        words = set(re.findall(r"(?<![\w-])--[\w-]+", capsys.readouterr().out))
    assert words
    assert [word for word in words - {"-h"} if not names(word, text)] == []


def names(word: str, text: str) -> bool:
    """Whether a text has the whole word, and not a longer one that begins or ends so."""
    return re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text) is not None


def first_cells(page: str, head: str) -> list[str]:
    """The names in the first column of the table that begins with this line."""
    _, _, table = (CLONE / page).read_text().partition(head)
    rows = table.partition("\n\n")[0]
    cells = re.findall(r"^\| ([^|]*) \|", rows, re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]


def explained_above(setting: str) -> list[str]:
    """The values that the lines above a setting of `.env.example` explain: `#   value: when`."""
    above = EXAMPLE.read_text().partition(f"# {setting}=")[0]
    block = above.rpartition("=")[2]  # what follows the setting before it
    return re.findall(r"^#   (\w+): ", block, re.MULTILINE)


@pytest.mark.parametrize(
    ("setting", "values", "head"),
    [
        ("RETRAIN_WHEN", get_args(TriggerName), "| value | retrains when |"),
        ("PROMOTE_WHEN", get_args(PromotionRule), "| value | promotes when |"),
    ],
)
def test_every_trigger_and_promotion_rule_stands_in_the_example_the_reference_and_thresholds(
    setting: str, values: tuple[str, ...], head: str
) -> None:
    (row,) = re.findall(rf"^\| `{setting}`.*$", REFERENCE.read_text(), re.MULTILINE)
    assert sorted(explained_above(setting)) == sorted(values)
    assert [value for value in values if not names(value, row)] == []
    assert sorted(first_cells("docs/thresholds.md", head)) == sorted(values)


def test_every_trigger_has_its_function() -> None:
    assert decisions.TRIGGERS.keys() == set(get_args(TriggerName))


def test_every_ending_of_a_cycle_is_explained_where_newcomers_meet_it() -> None:
    explained = first_cells("docs/first-hour.md", "| ending | what it means | the files |")
    assert sorted([*explained, "failed"]) == sorted(CYCLE_ENDINGS)


def test_every_setting_is_documented_in_the_reference() -> None:
    text = REFERENCE.read_text()
    assert [name for name in SETTING_NAMES if f"`{name}`" not in text] == []


def test_the_reference_marks_the_settings_that_decide() -> None:
    marked = set(re.findall(r"`([A-Z_0-9]+)` \*", REFERENCE.read_text()))
    assert marked == {name.upper() for name, reading in READINGS.items() if reading.deciding}


def test_every_kind_of_error_is_documented_with_its_exit_code() -> None:
    text = (CLONE / "docs/errors.md").read_text()
    kinds = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, RetrainingError)
    ]
    leaves = [kind for kind in kinds if kind not in (RetrainingError, errors.PersonNeededError)]
    assert [
        kind.__name__ for kind in leaves if f"`{kind.__name__}` ({kind.exit_code})" not in text
    ] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_to_files_that_are_there(path: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", path.read_text())
    assert [link for link in links if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("name", ["docs/source-code.md", "CONTRIBUTING.md"])
def test_the_map_names_nothing_that_is_not_there(name: str) -> None:
    text = (CLONE / name).read_text()
    named = re.findall(r"`((?:retraining|tests|bench|tools|deploy|docs)/[\w/.*-]+)`", text)
    assert named
    assert [path for path in named if not list(CLONE.glob(path))] == []


def test_the_map_has_every_room_and_what_it_sends_the_reader_to() -> None:
    text = (CLONE / "docs" / "source-code.md").read_text()
    rooms = {path.parent.name for path in CLONE.glob("retraining/*/__init__.py")}
    assert [room for room in rooms if f"| `retraining/{room}/` |" not in text] == []
    where = {
        "retraining/outcomes.py": ("TriggerName", "EndingName"),
        "retraining/decisions.py": ("TRIGGERS", "should_retrain"),
        "retraining/metrics.py": ("METRICS",),
        "retraining/sources/__init__.py": ("SOURCES", "open_source"),
        "retraining/console/command_words.py": ("COMMANDS",),
        "retraining/serving/application.py": ("groups",),
        "retraining/notices/alerts.py": ("alerts_of",),
        "retraining/endings.py": ("ENDINGS",),
        "retraining/cycle/promotion.py": ("_promote", "set_alias"),
    }
    for path, names in where.items():
        assert f"`{path}`" in text
        code = (CLONE / path).read_text()
        for name in names:
            assert f"`{name}`" in text
            assert re.search(rf"\b{name}\b", code), f"{name} is not in {path}"


def test_the_readme_is_short() -> None:
    assert len((CLONE / "README.md").read_text().splitlines()) < 150


# --- commands can be typed ------------------------------------------------------------------------


def parse(script: str, words: list[str]) -> None:
    """Raise UsageError where a script would not take these words."""
    if script == ORCHESTRATOR:
        command_words.parse(words)
    elif script == REGISTER:
        register_first_model.parse(words)
    elif script == SERVICE:
        prediction_service.parse(words)
    elif script == "-m":
        module, *_ = words
        assert (CLONE / f"{module.replace('.', '/')}.py").is_file(), module
    else:
        assert (CLONE / script).is_file(), script


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_line_can_be_parsed_and_every_make_target_is_there(path: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (CLONE / "Makefile").read_text(), re.MULTILINE))
    for text in blocks(path, "sh", "sh tested", ""):
        for words in (shlex.split(line, comments=True) for line in lines(text)):
            if words[0] == PYTHON:
                parse(words[1], words[2:])
            if words[0] == "make":
                assert {word for word in words[1:] if re.fullmatch(r"[a-z-]+", word)} - {
                    "make"
                } <= targets


# --- tested blocks do what they say ---------------------------------------------------------------


def nothing_yet(project: Project) -> None:
    """Files to learn from and files to judge, somewhere outside of the data folders."""
    (project.folder / ".env").unlink()
    project.deliver(*tables(12, seed=1), to="history", age=7200)
    project.deliver(*tables(4, seed=2), to="arriving")


def a_pickle(project: Project) -> None:
    """A model that somebody trained elsewhere, and the files that it learned."""
    import joblib
    import pandas as pd
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    paths = project.deliver(*tables(12, seed=1), to="used_data", age=7200)
    data = pd.concat([pd.read_csv(path) for path in paths], ignore_index=True)
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["city"]), remainder="passthrough"
    )
    model = make_pipeline(columns, LogisticRegression()).fit(
        data.drop(columns="target"), data["target"]
    )
    (project.folder / "model").mkdir()
    joblib.dump(model, project.folder / "model" / "first.pkl")


def a_model(project: Project) -> None:
    """Version 1 in production, a refused file, files that are judged, and files with other columns
    and classes.
    """
    project.deliver(*tables(12, seed=1), to="used_data", age=7200)
    project.put("batch-poisoned.csv", table(seed=7), to="used_data")
    project.register()
    project.deliver(*tables(3, seed=2))
    project.put("batch-refused.csv", "speed,target\n1\n")
    assert project.cycle()["files"]["quarantined"] == 1
    wind = [
        "wind," + text.replace("\n", "\n0.5,", text.count("\n") - 1) for text in tables(12, seed=6)
    ]
    project.deliver(*wind, to="with-wind")


def changed_columns(project: Project) -> None:
    """The same, with a label in another word refused, and two files that bring a third class."""
    a_model(project)
    project.put("week-33.csv", re.sub(r",1$", ",churned", table(seed=8), flags=re.MULTILINE))
    project.deliver(*tables(3, seed=9))
    assert project.cycle()["files"]["quarantined"] == 1
    for seed, name in enumerate(("week-31.csv", "week-32.csv")):
        project.put(name, re.sub(r"0$", "2", table(seed=seed), count=9, flags=re.MULTILINE))


def a_promotion(project: Project) -> None:
    """The same, and version 2 promoted since."""
    a_model(project)
    project.deliver(*tables(16, seed=3, rows=120, turned=True), age=30)
    assert project.cycle()["ending"] == "promoted"


STAGES: dict[str, Callable[[Project], None]] = {
    "README.md": nothing_yet,
    "first-hour.md": nothing_yet,
    "from-a-script.md": a_pickle,
    "recipe.md": a_model,
    "columns.md": changed_columns,
    "thresholds.md": a_model,
    "undo.md": a_promotion,
    "production.md": a_model,
    "errors.md": a_model,
}


def type_in(project: Project, words: list[str], line: str) -> None:
    """Type a line in the project's folder; our scripts run in this process."""
    if words[0] == PYTHON:
        expanded: list[str] = []
        for word in words[2:]:
            expanded += sorted(glob.glob(word)) or [word]  # noqa: PTH207 - as a shell does
        done = project.start(*expanded, script=words[1], **QUICK)
        assert done.code == 0, f"{line}\n{done}"
        return
    subprocess.run(
        ["bash", "-euc", line],
        cwd=project.folder,
        check=True,
        stdin=subprocess.DEVNULL,
        timeout=200,
    )


@pytest.mark.parametrize(
    "path",
    [path for path in DOCUMENTS if any(blocks(path, "sh tested"))],
    ids=lambda path: path.name,
)
def test_the_documents_commands_work_when_typed_one_after_the_other(
    path: Path, tmp_path: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Project.made(tmp_path / "project")
    project.take_store(empty_store)
    monkeypatch.chdir(project.folder)
    STAGES[path.name](project)
    (project.folder / ".env.example").write_text((CLONE / ".env.example").read_text())
    for text in blocks(path, "sh tested"):
        for line in lines(text):
            type_in(project, shlex.split(line, comments=True), line)


@pytest.mark.slow
def test_a_project_that_was_backed_up_is_restored_as_it_was(
    registered: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Typed from the document, with a promotion and its archiving in between."""
    monkeypatch.chdir(registered.folder)
    (registered.folder / "quarantine").mkdir(exist_ok=True)
    texts = list(blocks(CLONE / "docs/production.md", "sh tested"))
    backup = next(text for text in texts if "tar -czf" in text)
    restore = next(text for text in texts if "tar -xzf" in text)
    inbox = {path.name for path in registered.deliver(*tables(6, seed=2, rows=120, turned=True))}
    for line in lines(backup):
        type_in(registered, shlex.split(line, comments=True), line)
    assert registered.cycle()["ending"] == "promoted"
    assert registered.names("new_data") == set()
    for line in lines(restore):
        words = shlex.split(line, comments=True)
        if words[0] == PYTHON:  # this process still has the lost store open
            registered.start_process(*words[2:], script=words[1]).expect(0)
        else:
            type_in(registered, words, line)
    status = registered.start_process("status", "--json").expect(0).json
    assert (status["production_version"], status["waiting"]) == (1, 6)
    assert registered.names("new_data") == inbox


@pytest.mark.postgres
def test_a_database_that_was_dumped_is_restored_as_it_was(
    postgres: Postgres, tmp_path: Path
) -> None:
    """Typed from the document, with a change in between."""
    address = postgres.new_database()
    name = address.rpartition("/")[2]
    (text,) = blocks(CLONE / "docs/production.md", "sh postgres")
    dump, restore = (line.replace("mlflow ", f"{name} ") for line in lines(text))
    (tmp_path / "project").mkdir()
    environment = {
        "PATH": f"{postgres.programs}:/usr/bin:/bin",
        "PGHOST": "127.0.0.1",
        "PGPORT": str(postgres.port),
        "PGUSER": USER,
        "PGPASSWORD": PASSWORD,
    }

    def typed(line: str) -> None:
        subprocess.run(
            ["bash", "-euc", line],
            cwd=tmp_path / "project",
            env=environment,
            check=True,
            timeout=200,
        )

    typed(f"psql -qd {name} -c 'create table versions (v int); insert into versions values (1)'")
    typed(dump)
    typed(f"psql -qd {name} -c 'update versions set v = 2; create table later (v int)'")
    typed(restore)
    with psycopg.connect(address.replace("+psycopg", "")) as connection:
        assert connection.execute("select v from versions").fetchall() == [(1,)]


SERVED = """
import sys, time
import pandas as pd
{code}
rows = pd.read_parquet({rows!r})
labels, probabilities = predict(rows)
assert list(labels) == {labels}, list(labels)
assert probabilities.shape == (len(rows), 2) and abs(probabilities.sum(axis=1) - 1).max() < 1e-9
without_optional = predict(rows.drop(columns="grade"))[0]
assert list(without_optional) == list(labels), "an optional column may be absent"
assert "retraining" not in sys.modules
print("serving", flush=True)

def until(happened):
    deadline = time.monotonic() + 120
    while not happened():
        assert time.monotonic() < deadline
        predict(rows)
        time.sleep(0.05)

failed = []
print = lambda *words: failed.append(words)
sys.stdin.readline()  # the alias was moved
until(lambda: str(served["version"]) == "2")
assert list(predict(rows)[0]) != list(labels)
sys.stdout.write("moved\\n")
sys.stdout.flush()
sys.stdin.readline()  # the server was stopped
until(lambda: len(failed) > 1)
assert str(served["version"]) == "2" and len(predict(rows)[0]) == len(rows)
"""


ALWAYS_ONE = """
from sklearn.dummy import DummyClassifier
def train_model(X_train, y_train):
    return DummyClassifier(strategy="constant", constant=1).fit(X_train, y_train)
"""


def loans(rows: int) -> str:
    """A CSV of whole numbers, yes and no, and words, with gaps; the label follows `months`."""
    lines = ["months,member,grade,city,target"]
    for place in range(rows):
        months = place * 37 % 60
        label = int(months >= 30)
        grade = "" if place % 7 == 0 else place % 3
        city = "" if place % 11 == 0 else "north" if place % 2 else "south"
        lines.append(f"{months},{place % 2 == 0},{grade},{city},{label}")
    return "\n".join(lines) + "\n"


@pytest.mark.slow
@pytest.mark.server
def test_the_readmes_python_serves_rows_read_by_pandas_through_a_move_of_the_alias_and_an_outage(
    tmp_path: Path, empty_store: Path
) -> None:
    (text,) = blocks(CLONE / "README.md", "python tested")
    project = Project.made(tmp_path / "project")
    project.take_store(empty_store)
    project.put("all.csv", loans(600), to="used_data")
    project.register("--train-from", "used_data", "--set-alias")
    (project.folder / "train_classification_model.py").write_text(ALWAYS_ONE)
    project.put("more.csv", loans(300), to="later")
    project.register("--train-from", "later")
    rows = pd.DataFrame(
        {
            "months": [1, 59, 2],
            "member": pd.array([True, None, False], dtype="boolean"),
            "grade": pd.array([None, None, None], dtype="Int64"),
            "city": pd.Categorical(["north", None, "south"]),
            "unknown": ["not", "a", "feature"],
        }
    )
    rows.to_parquet(tmp_path / "rows.parquet")
    port = free_port()
    uri = f"http://127.0.0.1:{port}"
    code = re.sub(r'set_tracking_uri\(".*?"\)', f"set_tracking_uri({uri!r})", text)
    code = code.replace("seconds=5", "seconds=0.2")
    probe = SERVED.format(code=code, rows=str(tmp_path / "rows.parquet"), labels=[0, 1, 0])
    server = subprocess.Popen(
        [sys.executable, str(CLONE / "mlflow_server/start_server.py"),
         "--project", str(project.folder), "--port", str(port)],
        cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_for(uri, server)
        with subprocess.Popen(
            [sys.executable, "-I", "-c", probe], cwd="/", text=True,
            env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path),
                 "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        ) as serving:  # fmt: skip
            assert serving.stdin is not None
            assert serving.stdout is not None
            assert serving.stdout.readline() == "serving\n"
            MlflowRegistry(load(project.folder, {})).set_alias("production", 2)
            serving.stdin.write("\n")
            serving.stdin.flush()
            assert serving.stdout.readline() == "moved\n"
            server.terminate()
            server.wait(timeout=120)
            _, err = serving.communicate("\n", timeout=120)
        assert serving.returncode == 0, err
    finally:
        server.kill()
        server.wait(timeout=120)
