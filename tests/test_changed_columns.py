"""Columns that come and go: files in a folder of their own decide how a new first model, and all
that follow, are read.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.projects import REGISTER, Project, tables

if TYPE_CHECKING:
    from pathlib import Path


def rewritten(text: str) -> str:
    """The table with a new column `wind`, and without `load`."""
    head, *rows = (line.split(",") for line in text.splitlines())
    return (
        "\n".join(
            ",".join(row)
            for row in [
                ["wind", head[0], *head[2:]],
                *([str(n % 7), r[0], *r[2:]] for n, r in enumerate(rows)),
            ]
        )
        + "\n"
    )


def manifest(project: Project, version: int) -> dict[str, object]:
    found = (
        json.loads(path.read_text())
        for path in project.folder.glob("mlflow_server/artifacts/**/manifest.json")
    )
    by_version = sorted(found, key=lambda one: one["champion"] or 0)
    return by_version[version - 1]


def test_files_of_other_columns_in_a_named_folder_make_a_first_model_of_their_own(
    registered: Project,
) -> None:
    old = registered.names("used_data")
    for place, text in enumerate(tables(6, seed=20)):
        registered.put(f"wind-{place}.csv", rewritten(text), to="with-wind", age=0)
    said = registered.register("--train-from", "with-wind", "--set-alias").out
    assert "2 number (wind, speed)" in said
    assert "12 files of the archive" in said
    assert "column is missing: 'wind'" in said
    assert registered.names("used_data") == old | {f"wind-{place}.csv" for place in range(6)}
    assert "no new version was made" in registered.register("--train-from", "with-wind").out

    registered.configure(RETRAIN_WHEN="always", MIN_IMPROVEMENT="-1")
    registered.deliver(*map(rewritten, tables(3, seed=21)))
    seen = registered.cycle()
    assert (seen["ending"], seen["production_version"]) == ("promoted", 3), seen
    third = manifest(registered, 3)
    assert len(third["left_out"]) == 12
    assert not {file["name"] for file in (*third["files"], *third["held_out"])} & old
    assert registered.start("check", "--json").expect(0).json["problems"] == []


def test_files_that_do_not_fit_each_other_move_nothing(registered: Project) -> None:
    old = registered.names("used_data")
    plain, changed = tables(2, seed=22)
    registered.put("plain.csv", plain, to="mixed")
    registered.put("changed.csv", rewritten(changed), to="mixed")
    done = registered.start("--train-from", "mixed", script=REGISTER).expect(3)
    assert "--train-from" in done.error[2]
    assert registered.names("used_data") == old
    assert not list(registered.folder.glob("used_data/.claimed/*"))


def test_a_rejected_challenger_of_the_old_columns_is_not_asked_about_files_of_the_new(
    registered: Project,
) -> None:
    registered.configure(RETRAIN_WHEN="always", MIN_IMPROVEMENT="0.9")
    registered.deliver(*tables(3, seed=23))
    assert registered.cycle()["ending"] == "rejected"
    for place, text in enumerate(tables(6, seed=24)):
        registered.put(f"wind-{place}.csv", rewritten(text), to="with-wind")
    registered.register("--train-from", "with-wind", "--set-alias")
    registered.deliver(*map(rewritten, tables(3, seed=25)))
    assert registered.cycle()["ending"] == "rejected"


def test_a_folder_without_tables_is_named(registered: Project) -> None:
    (registered.folder / "empty").mkdir()
    said = registered.start("--train-from", "empty", script=REGISTER).expect(2).error[0]
    assert said.endswith("empty holds no CSV or Parquet file.")


def test_what_lies_in_a_folder_without_tables_is_counted_by_the_reason(registered: Project) -> None:
    for name in ("notes.txt", "rows.json", "day.csv.tmp", ".hidden"):
        registered.put(name, "x", to="empty")
    (registered.folder / "empty" / "dt=2026-01-01").mkdir()
    said = registered.start("--train-from", "empty", script=REGISTER).expect(2).error[0]
    assert said.endswith(
        "empty holds no CSV or Parquet file: 3 entries are not read: "
        "'dt=2026-01-01' (a folder: files in it are not read), "
        "'notes.txt' and 1 more (neither .csv, .csv.gz nor .parquet)."
    )


def test_a_first_model_of_an_archive_without_tables_says_what_lies_there(tmp_path: Path) -> None:
    project = Project.made(tmp_path / "project")
    project.put("rows.xlsx", "x", to="used_data")
    said = project.start(script=REGISTER).expect(2).error[0]
    assert said.endswith(
        "used_data holds no CSV or Parquet file: "
        "1 entry is not read: 'rows.xlsx' (neither .csv, .csv.gz nor .parquet)."
    )
