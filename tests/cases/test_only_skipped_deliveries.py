"""A producer changes to packed files, or to Spark's folders: what is never looked at is not passed
over in silence.
"""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.projects import tables

if TYPE_CHECKING:
    from tests.projects import Finished, Project

DAYS_2 = 2 * 86_400


def alerts(project: Project) -> list[dict[str, Any]]:
    path = project.folder / ".retraining" / "alerts.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def spark_writes(project: Project, day: str) -> None:
    folder = project.folder / "new_data" / day
    folder.mkdir()
    (folder / "part-00000.parquet").write_bytes(b"PAR1")
    project.put("_SUCCESS", "", age=DAYS_2)


def run(project: Project, *flags: str) -> Finished:
    return project.start("run", *flags).expect(0)


def test_packed_files_are_read_scored_and_archived_like_others(registered: Project) -> None:
    registered.configure(RETRAIN_WHEN="always", PROMOTE_WHEN="unless_worse")
    for place, text in enumerate(tables(6, seed=2, rows=120, turned=True)):
        registered.put(f"day-{place}.csv.gz", gzip.compress(text.encode()))
    told = registered.cycle()
    assert (told["ending"], told["new_rows"], told["files"]["archived"]) == ("promoted", 720, 6)
    assert {f"day-{place}.csv.gz" for place in range(6)} <= registered.names("used_data")
    assert registered.start("check", "--deep", "--json").expect(0).json["problems"] == []


def test_a_packed_file_that_was_cut_short_is_refused_with_the_reason(registered: Project) -> None:
    texts = tables(4, seed=2)
    registered.deliver(*texts[:3])
    registered.put("cut.csv.gz", gzip.compress(texts[3].encode())[:-20])
    assert registered.cycle()["files"]["quarantined"] == 1
    note = json.loads((registered.folder / "quarantine" / "cut.csv.gz.reason.json").read_text())
    assert "the gzip file is damaged or cut short" in note["reason"]


def test_a_closed_gate_counts_what_it_does_not_read(registered: Project) -> None:
    spark_writes(registered, "dt=2026-01-01")
    spark_writes(registered, "dt=2026-01-02")
    registered.put("rows.json", "{}")
    told = registered.cycle()
    assert (told["ending"], told["files"]["waiting"]) == ("unchanged", 0)
    assert told["reason"].endswith(
        "3 entries are not read: 'dt=2026-01-01' and 1 more (a folder: files in it are not read), "
        "'rows.json' (neither .csv, .csv.gz nor .parquet); `status` lists them"
    )
    assert "'dt=2026-01-01' and 1 more" in " ".join(run(registered).out.split())


def test_files_copied_a_moment_ago_are_not_told_as_nothing(registered: Project) -> None:
    registered.configure(MIN_FILE_AGE_SECONDS="3600")
    registered.deliver(*tables(3, seed=2), age=0)
    told = registered.cycle()
    assert told["ending"] == "unchanged"
    assert "3 entries are not read: " in told["reason"]
    assert "(younger than MIN_FILE_AGE_SECONDS)" in told["reason"]


@pytest.mark.parametrize("gate", ["closed", "open"])
def test_an_alert_tells_once_of_what_has_lain_there_for_over_a_day(
    registered: Project, gate: str
) -> None:
    registered.put("rows.json", "{}", age=DAYS_2)
    registered.put("young.json", "{}")
    if gate == "open":
        registered.deliver(*tables(3, seed=2))
    first = registered.start("run", "-q").expect(0)
    assert first.err == ""
    (said,) = alerts(registered)
    assert said["kind"] == "not_read"
    assert "for over a day, 1 entry is not read: 'rows.json'" in said["what"]
    assert ".csv.gz" in said["try"]
    run(registered, "-q")
    assert alerts(registered) == [said]
    registered.put("more.json", "{}", age=DAYS_2)
    run(registered, "-q")
    assert len(alerts(registered)) == 2


def test_a_dry_run_alerts_nobody(registered: Project) -> None:
    registered.put("rows.json", "{}", age=DAYS_2)
    run(registered, "--dry-run")
    assert alerts(registered) == []


def test_check_warns_of_what_no_cycle_will_read(registered: Project) -> None:
    spark_writes(registered, "dt=2026-01-01")
    (problem,) = registered.start("check", "--json").expect(0).json["problems"]
    assert "1 entry is not read: 'dt=2026-01-01' (a folder" in problem["what"]
    assert problem["where"].endswith("new_data")


@pytest.mark.parametrize(
    ("content", "told"),
    [("archived", "the same bytes are archived"), ("", "empty (zero bytes)")],
)
def test_check_says_that_nothing_new_comes_where_only_known_bytes_do(
    content: str, told: str, registered: Project
) -> None:
    learned = sorted((registered.folder / "used_data").glob("*.csv"))[0].read_text()
    for night in range(3):
        registered.put(f"again-{night}.csv", learned if content else "", age=60 + night)
    problems = registered.start("check", "--json").expect(0).json["problems"]
    if content:
        (problem,) = problems
        assert problem["what"].startswith(
            "Nothing new waits: 3 entries are not read: 'again-0.csv'"
        )
        assert "export has stopped" in problem["try"]
    assert told in registered.start("run", "--json").expect(0).json["reason"]


def test_the_lock_of_a_file_that_is_open_in_a_spreadsheet_is_no_delivery(
    registered: Project,
) -> None:
    registered.put("~$march.csv", b"Ada")
    cycle = registered.cycle()
    assert (cycle["ending"], cycle["files"]["waiting"]) == ("unchanged", 0)


def test_a_closed_gate_with_such_entries_still_loads_no_package(registered: Project) -> None:
    from tests.test_architecture import packages_loaded_by

    registered.put("rows.json", "{}", age=DAYS_2)
    run(registered)
    assert packages_loaded_by(registered, "-q") == "0 []"
