"""A full dump every night is scored on what is new in it.

Few distinct rows can be compared all the same.
"""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from tests.projects import Project

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SETTINGS = {
    "RETRAIN_THRESHOLD": "0.8",
    "HOLDOUT_FRACTION": "0.2",
    "RETRAIN_WHEN": "threshold",
    "TRAIN_WINDOW": "all",
}


def few_distinct_rows(seed: int, count: int, *, turned: bool) -> str:
    """Three columns of two values.

    One label in ten is noise, and all are turned round where asked.
    """
    rng = random.Random(seed)
    lines = ["a,b,c,target"]
    for _ in range(count):
        a, b, c = rng.randint(0, 1), rng.randint(0, 1), rng.choice("xy")
        label = int(a + b + (c == "x") >= 2) ^ (rng.random() < 0.1) ^ turned
        lines.append(f"{a},{b},{c},{int(label)}")
    return "\n".join(lines) + "\n"


def numbers(rng: random.Random, count: int, *, turned: bool) -> list[str]:
    """Rows of two numbers that never repeat; the label follows their sum, or is turned round."""
    rows = []
    for _ in range(count):
        a, b = rng.gauss(0, 1), rng.gauss(0, 1)
        label = int(a + b / 2 > 0) ^ (rng.random() < 0.1) ^ turned
        rows.append(f"{a:.5f},{b:.5f},{label}")
    return rows


def file_of(rows: Sequence[str]) -> str:
    return "\n".join(["a,b,target", *rows]) + "\n"


def project_of(
    folder: Path, store: Path, used: Sequence[str], new: Sequence[str], **settings: str
) -> Project:
    project = Project.made(folder, **{**SETTINGS, **settings})
    project.deliver(*used, to="used_data", age=7200)
    project.take_store(store)
    project.register()
    project.deliver(*new)
    return project


def dumps(folder: Path, store: Path) -> Project:
    """2,000 rows in the archive.

    Three dumps of the whole table, each with 100 rows more, whose labels are turned.
    """
    rng = random.Random(3)
    table = numbers(rng, 2000, turned=False)
    used = [file_of(table[start : start + 200]) for start in range(0, 2000, 200)]
    new = []
    for _ in range(3):
        table = table + numbers(rng, 100, turned=True)
        new.append(file_of(table))
    return project_of(folder, store, used, new)


def alerts(project: Project) -> list[dict[str, Any]]:
    path = project.folder / ".retraining" / "alerts.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_a_full_dump_is_scored_on_the_rows_that_are_new_in_it(
    tmp_path: Path, empty_store: Path
) -> None:
    project = dumps(tmp_path / "project", empty_store)
    told = project.cycle()
    assert told["trigger"] == "threshold"
    assert (told["copied_rows"], told["new_rows"]) == (6000, 600)
    assert told["scores"]["production_on_new"] == pytest.approx(0.157, abs=0.05)
    assert (
        "are copies of rows seen before and were left out: is each file a full dump?"
        in told["reason"]
    )
    (remedy,) = (alert["try"] for alert in alerts(project) if alert["kind"] == "copies")
    assert remedy.endswith("no dump of the whole table, and no rows a second time.")
    checked = " ".join(project.start("check").expect(0).out.split())
    assert "are copies of rows seen before" in checked
    assert remedy in checked
    explained = " ".join(project.start("explain").expect(0).out.split())
    assert "more are copies of rows seen before" in explained


def test_few_distinct_rows_are_compared_and_the_better_version_is_promoted(
    tmp_path: Path, empty_store: Path
) -> None:
    used = [few_distinct_rows(seed, 30, turned=False) for seed in range(10)]
    new = [few_distinct_rows(100 + seed, 60, turned=True) for seed in range(15)]
    project = project_of(
        tmp_path / "project", empty_store, used, new, MIN_NEW_FILES="15", TRAIN_WINDOW="1"
    )
    told = project.cycle()
    assert told["copied_rows"] == 0
    assert told["scores"]["production_on_new"] < 0.2
    assert told["test_rows"] >= 180
    assert told["ending"] == "promoted", told["reason"]


def test_nothing_comparable_below_the_threshold_has_words_of_its_own_and_an_alert(
    tmp_path: Path, empty_store: Path
) -> None:
    """Each dump holds the whole table in an order of its own: what would test is learned from
    another.
    """
    rng = random.Random(7)
    table = numbers(rng, 1000, turned=False)
    used = [file_of(table[start : start + 100]) for start in range(0, 1000, 100)]
    table += numbers(rng, 100, turned=True)
    new = [file_of(rng.sample(table, len(table))) for _ in range(3)]
    project = project_of(tmp_path / "project", empty_store, used, new)
    ended = project.start("run", "--json").expect(0)
    told = ended.json
    assert "test set: 0 rows in 0 blocks" in ended.err
    assert told["scores"]["production_on_new"] < 0.8
    assert (told["ending"], told["trigger"]) == ("kept", "threshold")
    assert "nothing can be compared" in told["reason"]
    told_by_kind = {alert["kind"]: alert for alert in alerts(project)}
    assert "nothing can be compared" in told_by_kind["nothing_comparable"]["what"]
    assert "This cycle trained nothing" in told_by_kind["concept_drift"]["try"]
    checked = " ".join(project.start("check").expect(0).out.split())
    assert "The last cycle could train no version: production scored" in checked


@pytest.mark.slow
def test_dumps_with_a_load_time_are_told_of_and_the_advice_brings_their_copies_to_light(
    tmp_path: Path, empty_store: Path
) -> None:
    rng = random.Random(5)
    table = numbers(rng, 1000, turned=False)
    nights = []
    for night in range(4):
        lines = [f"2026-10-{night + 1:02d} 02:00:00,{row}" for row in table]
        nights.append("\n".join(["load_time,a,b,target", *lines]) + "\n")
        table = table + numbers(rng, 100, turned=False)
    project = project_of(tmp_path / "project", empty_store, nights[:1], nights[1:])
    told = " ".join(project.start("check").expect(0).out.split())
    assert "77 % of the rows of batch-" in told
    assert "equal rows seen before in all columns but 'load_time'" in told
    assert "--train-from used_data --set-alias" in told
    project.configure(IGNORE_COLUMNS="load_time")
    project.register()
    assert project.cycle("--dry-run")["copied_rows"] == 3000
