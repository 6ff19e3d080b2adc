"""`status`, `history` and `explain` as a person reads them: after a roll-back, under a hold, on
narrow terminals, with strangers' names.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from retraining.commands import explain
from retraining.commands.live_facts import read_books
from retraining.console.terminal import columns, labelled
from retraining.errors import NoProductionModelError
from retraining.records import Comparison, CycleRecord, Outcome, Score
from retraining.settings import load
from tests.projects import Project, table, tables

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def rolled_back(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Project:
    """Version 2 was promoted on a turned concept, then failed its probation."""
    project = Project.with_first_model(
        tmp_path_factory.mktemp("rolled-back") / "project", empty_store
    )
    project.deliver(*tables(6, seed=2, rows=120, turned=True))
    assert project.cycle()["ending"] == "promoted"
    project.deliver(*tables(6, seed=3, rows=120))
    assert project.cycle()["ending"] == "rolled_back"
    return project


def words(text: str) -> str:
    """The text without its line ends."""
    return " ".join(text.split())


def test_status_says_why_a_restored_version_serves_and_what_undid_the_other(
    rolled_back: Project,
) -> None:
    told = rolled_back.start("status", "--json").expect(0).json
    assert told["production_version"] == 1
    assert told["reason"].startswith("put back in place of v2 (v2 failed its probation")
    assert "it had come as: registered by a person" in told["reason"]
    assert "rolled_back: v2 failed its probation" in words(
        rolled_back.start("status").expect(0).out
    )


def test_status_says_that_an_open_probation_is_not_held_where_the_setting_switches_it_off(
    registered: Project,
) -> None:
    registered.configure(RETRAIN_WHEN="always", MIN_IMPROVEMENT="-1")
    registered.deliver(*tables(3, seed=2, turned=True))
    assert registered.cycle()["ending"] == "promoted"
    assert re.search(r"probation +open$", registered.start("status").expect(0).out, re.MULTILINE)
    registered.configure(PROBATION_BATCHES="0")
    assert "open, and not held while PROBATION_BATCHES=0" in words(
        registered.start("status").expect(0).out
    )


def test_explain_without_a_first_model_says_that_nothing_was_decided(project: Project) -> None:
    assert "No cycle has decided anything yet" in project.start("explain").expect(2).error[0]


def test_explain_without_a_name_tells_the_last_cycle_whatever_its_ending(
    rolled_back: Project,
) -> None:
    assert rolled_back.start("explain", "--json").expect(0).json["ending"] == "rolled_back"
    text = words(rolled_back.start("explain", "v2").expect(0).out)
    assert "ending promoted" in text
    assert "today v2 is rolled back; v1 is in production" in text


def test_explain_finds_a_cycle_by_the_first_digits_of_its_id_and_says_what_it_does_not_find(
    rolled_back: Project,
) -> None:
    known = rolled_back.start("history", "--json").expect(0).json[-1]["cycle_id"]
    assert (
        rolled_back.start("explain", known[:8], "--json").expect(0).json["ending"] == "rolled_back"
    ), "the newest of that day"
    assert rolled_back.start("explain", known, "--json").expect(0).json["ending"] == "promoted"
    for name in ("v9", "\u0665", "nonsense"):
        assert name in rolled_back.start("explain", name).expect(2).error[0]


def test_explain_tells_the_comparison_of_a_version_whose_attempt_was_only_remembered_since() -> (
    None
):
    score = Score("accuracy", 0.8, 100)
    comparison = Comparison(score, score, -0.1, None, 0.95, "worse", rows=100, blocks=10)
    lost = Outcome("rejected", "why", challenger_version=2, comparison=comparison)
    compared = CycleRecord(1, "20261120T0217-a", "r", datetime(2026, 11, 20, tzinfo=UTC), lost)
    remembered = replace(
        compared, number=2, cycle_id="20261121T0217-b", outcome=lost._replace(comparison=None)
    )
    assert explain.find((compared, remembered), "v2") is compared
    assert explain.find((compared, remembered), None) is remembered


def test_explain_tells_a_cycle_that_no_threshold_decided(registered: Project) -> None:
    registered.configure(RETRAIN_WHEN="drop")
    registered.deliver(*tables(3, seed=2))
    told = registered.cycle()
    assert (told["ending"], told["threshold"]) == ("kept", None)
    text = words(registered.start("explain").expect(0).out)
    assert "production v1, accuracy" in text
    assert "threshold" not in text


def test_status_tells_no_falsehood_where_the_store_was_moved_away(
    registered: Project, tmp_path: Path
) -> None:
    (registered.folder / "mlflow_server").rename(tmp_path / "elsewhere")
    told = registered.start("status", "--json").expect(0).json
    assert told["store_lost"]
    text = words(registered.start("status").expect(0).out)
    assert "a file that is not there: was it moved, is its disk mounted?" in text
    for denied in ("no version holds", "0 used", "none yet"):
        assert denied not in text


def test_status_of_a_project_without_a_first_model_goes_on_without_a_store(
    project: Project,
) -> None:
    assert not project.start("status", "--json").expect(0).json["store_lost"]
    assert "no version holds the production alias" in project.start("status").expect(0).out


@pytest.mark.parametrize("command", ["status", "history", "explain", "check"])
@pytest.mark.parametrize("width", [40, 80])
def test_no_line_is_wider_than_the_terminal(rolled_back: Project, command: str, width: int) -> None:
    lines = rolled_back.start(command, COLUMNS=str(width)).expect(0).out.splitlines()
    beyond = [line for line in lines if len(line) > width]
    if command == "history" and width == 40:
        # a row of the table stays a row
        beyond = [line for line in beyond if not line.startswith(("started", "2"))]
    assert not beyond


def test_history_tells_of_a_roll_back_by_the_version_that_was_rolled_back(
    rolled_back: Project,
) -> None:
    head, back, promoted, gain, since, *together = (
        rolled_back.start("history", COLUMNS="80").expect(0).out.splitlines()
    )
    assert "1 promotion lost " in " ".join(together)
    assert "1 harmed (v2)" in " ".join(together)
    assert gain.startswith("    gain +")
    assert head.startswith("started (UTC)")
    assert "version  production's score" in head
    assert back.split()[4] == "v2", "the score is that of the version that served"
    assert promoted.split()[4] == "v1"
    assert back.split()[2:4] == ["rolled_back", "v2"]
    assert promoted.split()[2:4] == ["promoted", "v2"]
    assert since.startswith("    since then: v2 lost ")


def test_a_hold_is_told_by_status_and_check_with_the_command_that_lifts_it(
    registered: Project,
) -> None:
    registered.deliver(*tables(6, seed=2, rows=120, turned=True))
    assert registered.cycle()["ending"] == "promoted"
    registered.start("rollback", "--why", "the labels were late").expect(0)
    status = registered.start("status").expect(0).out
    assert "since then it was undone: v1 is in production again" in words(status)
    assert "the labels were late" in words(status)
    (problem,) = registered.start("check", "--json").expect(0).json["problems"]
    assert problem["what"].startswith("Promotions are held: by ")
    command = problem["try"].split("`")[1]
    assert f"`{command}`" in status, "a command is never broken over lines"
    subprocess.run(
        shlex.split(command),
        cwd="/",
        check=True,
        capture_output=True,
        env={"PATH": "/usr/bin:/bin", "HOME": "/"},
    )
    assert registered.start("status", "--json").json["hold"] is None


def test_names_of_strangers_are_shown_without_their_control_characters(registered: Project) -> None:
    registered.put("evil\x1b[2J\n.csv", "no header")
    registered.put("caf\udce9.txt", "x")
    registered.put("folder.csv/inside.csv", table())
    registered.start("--force").expect(3)
    out = registered.start("status").expect(0).out
    assert "evil\\x1b[2J\\n.csv" in out
    assert "caf\\udce9.txt: neither .csv, .csv.gz nor .parquet" in out
    assert "folder.csv: a folder" in words(out)


def test_status_tells_of_the_files_in_the_inbox_that_are_not_counted(registered: Project) -> None:
    first, second = tables(2, seed=6)
    for name, text in {
        "a.csv": first,
        "b.csv": second,
        "again.csv": first,
        "half.csv.part": "x",
        ".hidden.csv": "x",
        "notes.txt": "x",
    }.items():
        registered.put(name, text, age=90 - len(name))
    (registered.folder / "new_data" / "link.csv").symlink_to("a.csv")
    told = registered.start("status", "--json").expect(0).json
    assert told["waiting"] == 2
    assert sorted(told["skipped"]) == ["again.csv", "link.csv", "notes.txt"]
    assert "again.csv: the same bytes are archived, withdrawn, or waiting" in words(
        registered.start("status").expect(0).out
    )


def test_a_cycle_status_and_history_count_alike_beside_copies_empty_files_and_strange_names(
    registered: Project,
) -> None:
    first, *others = tables(3, seed=5)
    for name, text in {
        "a.csv": first,
        "copy.csv": first,
        "UP.CSV": others[0],
        "caf\udce9.csv": others[1],
    }.items():
        registered.put(name, text)
    registered.put("nothing.csv", "")
    registered.put("nothing.parquet", "")
    would, did = registered.cycle("--dry-run")["files"], registered.cycle()["files"]
    assert would == did == {"waiting": 0, "judged": 3, "archived": 0, "quarantined": 3}
    status = registered.start("status", "--json").expect(0).json
    assert (status["waiting"], status["judged"], status["quarantined"]) == (0, 3, 3)
    assert registered.start("history", "--json").expect(0).json[0]["files"] == did
    notes = {
        path.name: json.loads(path.read_text())["reason"]
        for path in registered.folder.glob("quarantine/*.reason.json")
    }
    assert {notes[f"nothing.{kind}.reason.json"] for kind in ("csv", "parquet")} == {
        "the file is empty (zero bytes)"
    }
    assert notes["copy.csv.reason.json"].startswith("duplicate")


def test_a_command_in_backticks_is_not_wrapped_and_other_words_are() -> None:
    lines = labelled(
        "try",
        "run `python a.py --project /srv/a very long command rollback` now or some other day",
        40,
        room=4,
    )
    assert "`python a.py --project /srv/a very long command rollback`" in "\n".join(lines)
    assert len(lines) == 3
    assert [line.rstrip() for line in labelled("why", "", 40, room=4)] == ["why"]


@pytest.mark.parametrize(
    ("said", "width"),
    [("40", 40), ("80", 80), ("12", 40), ("500", 100), ("", 80), ("many", 80), ("0", 80)],
)
def test_the_width_is_that_of_the_terminal_within_reason(
    monkeypatch: pytest.MonkeyPatch, said: str, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", said)
    monkeypatch.setattr("sys.__stdout__", None)
    assert columns() == width


def test_what_is_accepted_but_seldom_meant_is_a_line_in_the_log(registered: Project) -> None:
    head, *rows = table(seed=7).splitlines()
    cells = [row.split(",") for row in rows]
    odd = {
        "empty.csv": [[speed, "", city, label] for speed, _, city, label in cells],
        "empty-too.csv": [[speed, "", city, label] for speed, _, city, label in cells[1:]],
        "huge.csv": [["1e300", *cells[0][1:]], *cells[1:]],
        "long.csv": [[*cells[0][:2], "x" * 20_000, cells[0][3]], *cells[1:]],
    }
    for place, (name, changed) in enumerate(odd.items()):
        registered.put(name, "\n".join([head, *map(",".join, changed)]) + "\n", age=60 - place)
    said = registered.start("run").expect(0).err
    assert "column 'load': no value in any row, in 2 of 4 files; the first is 'empty.csv'" in said
    assert "column 'speed': numbers beyond 3.4e+38" in said
    assert (
        "column 'city': texts of more than 10,000 characters, in 1 of 4 files; the first is"
        " 'long.csv'" in said
    )


def test_a_failed_cycle_owns_up_to_the_files_that_it_had_refused(registered: Project) -> None:
    (registered.folder / "train_classification_model.py").write_text(
        "def train_model(X, y):\n    return None\n"
    )
    registered.configure(RETRAIN_WHEN="always")
    registered.deliver(*tables(3, seed=8))
    registered.put("bad.csv", "no header")
    _, unchanged, remedy = registered.start("run").expect(1).error
    assert unchanged.startswith(
        f"No alias moved; 1 refused file went to {registered.folder / 'quarantine'}"
    )
    assert f"--project {registered.folder} check`" in remedy


def test_who_may_not_keep_anything_in_the_project_can_read_it_all_the_same(
    tmp_path: Path, empty_store: Path
) -> None:
    project = Project.with_first_model(tmp_path / "project", empty_store)
    project.deliver(*tables(4, seed=2))
    shutil.rmtree(project.folder / ".retraining")
    # no folder: what is refused to another user is refused to the tests' user, who may be root
    (project.folder / ".retraining").touch()
    for command, code in (("status", 0), ("history", 0), ("check", 3)):
        ended = project.start(command, "--json").expect(code)
        assert "Error" not in ended.err, command
    assert [problem["what"] for problem in ended.json["problems"]] == [
        f"The lock {project.folder}/.retraining/lock cannot be opened: Not a directory."
    ]
    project.start("run").expect(3)
    assert (project.folder / ".retraining").read_bytes() == b""


def test_explain_names_no_threshold_where_none_decides(registered: Project) -> None:
    registered.configure(RETRAIN_WHEN="drop")
    registered.deliver(*tables(3, seed=2))
    assert registered.cycle()["threshold"] is None
    text = words(registered.start("explain").expect(0).out)
    assert "ending kept" in text
    assert "threshold" not in text


def test_history_and_explain_say_that_the_store_is_lost(
    registered: Project, tmp_path: Path
) -> None:
    registered.deliver(*tables(3, seed=2))
    registered.cycle()
    (registered.folder / "mlflow_server").rename(tmp_path / "elsewhere")
    for command in ("history", "explain"):
        what, _, _ = registered.start(command).expect(3).error
        assert "a file that is not there: was it moved, is its disk mounted?" in what, command
    with pytest.raises(NoProductionModelError):  # the live page shows why it knows of no cycle
        read_books(load(registered.folder, {}))
