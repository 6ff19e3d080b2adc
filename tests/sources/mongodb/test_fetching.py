"""The export on a real server: what is delivered, when, and by whom."""

from __future__ import annotations

import json
import shutil
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from bson import Binary, ObjectId
from pymongo.collection import Collection
from pymongo.errors import ExecutionTimeout

from retraining.sources.mongodb.fetching import Fetched, fetch
from tests.sources.mongodb.material import (
    SCHEMA,
    document,
    leftovers_in,
    now,
    object_id,
    project_at,
    refused_in,
    rows_in,
    serials_in,
)

if TYPE_CHECKING:
    from pathlib import Path

    from retraining.records import Schema
    from retraining.settings import Settings

pytestmark = pytest.mark.mongodb
Readings = Collection[dict[str, Any]]
HOUR = 3600


def export(settings: Settings, schema: Schema | None = SCHEMA) -> Fetched:
    return fetch(settings, schema, clock=now)


def insert(readings: Readings, serials: range, *, age: float = 0) -> None:
    """Documents that were made `age` seconds ago, one microsecond after the other."""
    born = time.time() - age
    readings.insert_many(
        [{"_id": object_id(born, serial), **document(serial)} for serial in serials]
    )


def once(*ranges: range) -> dict[int, int]:
    return {serial: 1 for serials in ranges for serial in serials}


def ledger_of(readings: Readings) -> Collection[dict[str, Any]]:
    return readings.database["readings_retraining"]


def test_every_document_is_in_a_file_of_the_wanted_size(
    project: Settings, readings: Readings
) -> None:
    insert(readings, range(25))
    fetched = export(project)
    assert (fetched.rows, fetched.refused, len(fetched.files)) == (25, 0, 3)
    assert sorted(path.name for path in project.new_data_dir.iterdir()) == sorted(fetched.files)
    assert [
        len(path.read_text().splitlines()) - 1 for path in sorted(project.new_data_dir.iterdir())
    ] == [10, 10, 5]
    assert rows_in(project)[3] == {
        "serial": "3",
        "speed": repr(3 / 7),
        "road": "Rural",
        "position.lat": "52.5",
        "braked": "1",
    }


def test_what_was_delivered_is_never_delivered_again(project: Settings, readings: Readings) -> None:
    insert(readings, range(25))
    export(project)
    assert export(project) == Fetched()
    insert(readings, range(25, 30))
    assert export(project).rows == 5
    assert serials_in(project) == once(range(30))


def test_watermark_stands_the_settling_time_before_the_last_export(
    project: Settings, readings: Readings
) -> None:
    insert(readings, range(5), age=HOUR)
    insert(readings, range(5, 8))
    export(project)
    watermark = ledger_of(readings).find_one({"_id": "classifier:watermark"}) or {}
    assert watermark["below"] == 5
    assert time.time() - watermark["cut"].generation_time.timestamp() == pytest.approx(
        project.mongo_settle_seconds, abs=60
    )


def test_files_are_old_enough_for_the_cycle_that_fetched_them(
    project: Settings, readings: Readings
) -> None:
    insert(readings, range(5))
    export(project)
    ages = [time.time() - path.stat().st_mtime for path in project.new_data_dir.iterdir()]
    assert all(age >= project.min_file_age_seconds for age in ages)


def test_late_insert_within_the_settling_time_is_delivered(
    project: Settings, readings: Readings
) -> None:
    insert(readings, range(20))
    export(project)
    insert(readings, range(20, 23), age=300)
    assert export(project).rows == 3
    assert serials_in(project) == once(range(23))


def test_insert_later_than_the_settling_time_is_delivered_too(
    project: Settings, readings: Readings
) -> None:
    insert(readings, range(20), age=HOUR)
    export(project)
    insert(readings, range(20, 23), age=30 * HOUR)
    assert export(project).rows == 3
    assert export(project) == Fetched()
    assert serials_in(project) == once(range(23))


def test_collection_too_large_to_count_has_every_id_compared(
    project: Settings, readings: Readings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_slow(*_: Any, **__: Any) -> int:
        raise ExecutionTimeout("operation exceeded time limit", code=50)

    monkeypatch.setattr(Collection, "count_documents", too_slow)
    insert(readings, range(20), age=HOUR)
    export(project)
    insert(readings, range(20, 23), age=30 * HOUR)
    assert export(project).rows == 3
    assert serials_in(project) == once(range(23))


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, Any]]:
    """Query and fields of every read of the documents."""
    found: list[tuple[Any, Any]] = []
    find = Collection.find

    def recorded(collection: Readings, query: Any = None, fields: Any = None, **more: Any) -> Any:
        if collection.name == "readings":
            found.append((query, fields))
        return find(collection, query, fields, **more)

    monkeypatch.setattr(Collection, "find", recorded)
    return found


def test_a_usual_export_asks_for_nothing_older_than_the_watermark(
    project: Settings, readings: Readings, reads: list[tuple[Any, Any]]
) -> None:
    insert(readings, range(30), age=HOUR)
    export(project)
    cut = (ledger_of(readings).find_one({"_id": "classifier:watermark"}) or {})["cut"]
    insert(readings, range(30, 32))
    reads.clear()
    assert export(project).rows == 2
    whole = [query for query, fields in reads if fields is None]
    assert whole == [{"_id": {"$gte": cut}}]


def test_of_documents_delivered_long_ago_only_the_ids_are_read_again(
    project: Settings, readings: Readings, reads: list[tuple[Any, Any]]
) -> None:
    insert(readings, range(30), age=40 * HOUR)
    export(project)
    readings.delete_one({"serial": 3})
    insert(readings, range(30, 32), age=30 * HOUR)
    insert(readings, range(32, 35))
    reads.clear()
    assert export(project).rows == 5
    whole = [query for query, fields in reads if fields is None]
    [first_late] = readings.find({"serial": 30})
    assert whole == [{"_id": {"$gte": first_late["_id"]}}]
    assert serials_in(project) == once(range(35))
    reads.clear()
    assert export(project) == Fetched()
    assert sum("$lt" in query.get("_id", {}) for query, _ in reads) == 0


def test_an_export_that_looked_at_everything_counts_what_it_saw(
    project: Settings, readings: Readings
) -> None:
    """The next one may then begin at the watermark, though documents came late or were deleted
    before.
    """
    insert(readings, range(30), age=HOUR)
    export(project)
    readings.delete_many({"serial": {"$lt": 5}})
    insert(readings, range(30, 32), age=30 * HOUR)
    insert(readings, range(32, 35))
    readings.insert_one({"_id": "no ObjectId", **document(35)})
    export(project)
    watermark = ledger_of(readings).find_one({"_id": "classifier:watermark"}) or {}
    assert watermark["below"] == readings.count_documents({"_id": {"$lt": watermark["cut"]}}) == 27


def test_deleted_documents_hide_no_late_one_and_bring_nothing_back(
    project: Settings, readings: Readings
) -> None:
    insert(readings, range(20), age=HOUR)
    export(project)
    readings.delete_many({"serial": {"$lt": 5}})
    insert(readings, range(20, 22), age=30 * HOUR)
    assert export(project).rows == 2
    assert serials_in(project) == once(range(22))


def test_ids_of_any_type_are_delivered_once_and_read_once(
    project: Settings, readings: Readings, reads: list[tuple[Any, Any]]
) -> None:
    ids = [7, 7.5, "seven", {"vehicle": 1, "trip": 2}, now(), True, Binary(b"seven")]
    readings.insert_many([{"_id": _id, **document(n)} for n, _id in enumerate(ids)])
    assert export(project).rows == len(ids)
    later = [
        8,
        8.5,
        "eight",
        {"vehicle": 1, "trip": 3},
        datetime(2001, 1, 1, tzinfo=UTC),
        False,
        Binary(b"eight"),
        ObjectId(),
    ]
    readings.insert_many([{"_id": _id, **document(n)} for n, _id in enumerate(later, start=100)])
    reads.clear()
    assert export(project).rows == len(later)
    [chosen] = [query["_id"]["$in"] for query, _ in reads if "$in" in query.get("_id", {})]
    assert len(chosen) == len(later) - 1
    assert export(project) == Fetched()
    assert serials_in(project) == once(range(len(ids)), range(100, 100 + len(later)))


def test_second_machine_delivers_only_what_the_first_did_not_and_says_so(
    project: Settings, readings: Readings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    insert(readings, range(25))
    export(project)
    export(project)
    assert caplog.messages == []
    second = project_at(tmp_path / "second", str(project.mongo_uri), str(project.database_name))
    assert export(second) == Fetched()
    [message] = caplog.messages
    assert f"{project.project} exports for the model 'classifier' too" in message
    insert(readings, range(25, 40))
    assert export(second).rows == 15
    assert serials_in(project) + serials_in(second) == once(range(40))


def test_another_model_gets_every_document_too(
    project: Settings, readings: Readings, tmp_path: Path
) -> None:
    insert(readings, range(5))
    export(project)
    other = project_at(
        tmp_path / "other", str(project.mongo_uri), str(project.database_name), MODEL_NAME="other"
    )
    assert export(other).rows == 5


def test_restored_disk_and_deleted_state_lead_to_no_second_delivery(
    project: Settings, readings: Readings
) -> None:
    insert(readings, range(25))
    export(project)
    shutil.rmtree(project.project / ".retraining", ignore_errors=True)
    for path in project.new_data_dir.iterdir():
        path.unlink()
    assert export(project) == Fetched()


def test_what_does_not_fit_goes_to_quarantine_and_the_rest_goes_on(
    project: Settings, readings: Readings
) -> None:
    insert(readings, range(12))
    bad = readings.insert_one(document(12, speed="fast")).inserted_id
    assert export(project) == Fetched(
        tuple(sorted(p.name for p in project.new_data_dir.iterdir())), 12, 1
    )
    [line] = refused_in(project)
    assert (line["_id"], line["document"]["speed"]) == ({"$oid": str(bad)}, "fast")
    assert line["reason"] == "field 'speed': 'fast' is not a number"
    [reason] = project.quarantine_dir.glob("*.reason.json")
    assert json.loads(reason.read_text())["file"] == reason.name.removesuffix(".reason.json")
    assert export(project) == Fetched()
    assert len(refused_in(project)) == 1


def test_equal_values_of_other_documents_are_no_copy_of_a_file(
    project: Settings, readings: Readings
) -> None:
    for _ in range(3):
        readings.insert_one(document(1))
        export(project)
    contents = {path.read_bytes() for path in project.new_data_dir.iterdir()}
    assert len(contents) == 3
    assert serials_in(project) == {1: 3}


def test_without_a_schema_the_scalar_fields_are_the_columns(
    project: Settings, readings: Readings
) -> None:
    readings.insert_many([document(n, tags=["a"], extra=n > 3) for n in range(12)])
    assert export(project, None).rows == 12
    readings.insert_one(document(12, later="field"))
    assert export(project, None).rows == 1
    assert {tuple(row) for row in rows_in(project)} == {
        ("serial", "speed", "road", "position.lat", "extra", "braked")
    }
    assert serials_in(project) == once(range(13))


def test_wrong_name_is_told_and_makes_nothing(
    mongodb: str,
    database: str,
    readings: Readings,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    insert(readings, range(3))
    wrong = project_at(tmp_path / "project", mongodb, database, COLLECTION_NAME="reading")
    assert export(wrong) == Fetched()
    assert f"no document in {database}.reading" in caplog.text
    assert readings.database.list_collection_names() == ["readings"]


def test_collection_that_became_empty_is_nothing_to_tell(
    project: Settings, readings: Readings, caplog: pytest.LogCaptureFixture
) -> None:
    insert(readings, range(3), age=HOUR)
    export(project)
    readings.delete_many({})
    assert export(project) == Fetched()
    assert "WARNING" not in {record.levelname for record in caplog.records}


def test_without_schema_and_target_nothing_is_exported_yet(
    project: Settings, readings: Readings
) -> None:
    readings.insert_one({"speed": 1})
    assert export(project, None) == Fetched()
    assert export(project).rows == 1


def test_ignored_columns_are_carried_along(
    mongodb: str, database: str, readings: Readings, tmp_path: Path
) -> None:
    settings = project_at(tmp_path / "project", mongodb, database, IGNORE_COLUMNS="_id,record,lost")
    _id = readings.insert_one(document(1, record="r-1", lost={"no": "scalar"})).inserted_id
    export(settings)
    [row] = rows_in(settings)
    assert (row["_id"], row["record"], row["lost"]) == (str(_id), "r-1", "")


def test_bytes_lost_before_their_delivery_are_exported_again(
    project: Settings, readings: Readings
) -> None:
    insert(readings, range(15), age=HOUR)
    export(project)
    lost = sorted(project.new_data_dir.iterdir())[0]
    lost.unlink()
    ledger_of(readings).update_one({"file": lost.name}, {"$set": {"state": "prepared"}})
    assert export(project).rows == 10
    assert serials_in(project) == once(range(15))
    assert export(project) == Fetched()


def test_what_another_machine_claimed_is_left_to_it(
    project: Settings, readings: Readings, tmp_path: Path
) -> None:
    insert(readings, range(15))
    export(project)
    names = sorted(path.name for path in project.new_data_dir.iterdir())
    ledger_of(readings).update_one({"file": names[0]}, {"$set": {"state": "prepared"}})
    second = project_at(tmp_path / "second", str(project.mongo_uri), str(project.database_name))
    assert export(second) == Fetched()
    export(project)
    assert ledger_of(readings).count_documents({"state": "prepared"}) == 0
    assert serials_in(project) + serials_in(second) == once(range(15))


def test_file_that_was_archived_before_the_mark_is_not_written_again(
    project: Settings, readings: Readings
) -> None:
    insert(readings, range(5))
    [name] = export(project).files
    (project.new_data_dir / name).rename(project.used_data_dir / "under-another-name.csv")
    ledger_of(readings).update_one({"file": name}, {"$set": {"state": "prepared"}})
    assert export(project) == Fetched()
    assert serials_in(project) == once(range(5))


def test_claim_lost_to_another_exporter_is_neither_lost_nor_doubled(
    project: Settings, readings: Readings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second exporter runs to its end between the first one's file being set aside and its
    claim.
    """
    from retraining.sources.mongodb import export as module

    insert(readings, range(25))
    readings.insert_one({"_id": 0, **document(100, speed="fast")})  # gathered first, delivered last
    second = project_at(
        tmp_path / "second",
        str(project.mongo_uri),
        str(project.database_name),
        MONGO_ROWS_PER_FILE=4,
    )
    calls = []

    def meddle(place: str) -> None:
        if place == "mongodb_after_aside" and not calls:
            calls.append(place)
            readings.insert_one(document(25))
            export(second)

    monkeypatch.setattr(module, "kill_point", meddle)
    export(project)
    assert serials_in(second) == once(range(26))
    assert serials_in(project) == {}
    assert (len(refused_in(second)), len(refused_in(project))) == (1, 0)
    assert leftovers_in(project) == []


def test_watermark_stays_where_a_delivery_was_released_meanwhile(
    project: Settings, readings: Readings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other exporter took the released documents for delivered, so it must not call everything
    below its watermark done.
    """
    insert(readings, range(15), age=HOUR)
    export(project)
    other = project_at(tmp_path / "other", str(project.mongo_uri), str(project.database_name))
    monkeypatch.setattr(
        "retraining.sources.mongodb.fetching.kill_point",
        lambda place: "before" in place and release(readings, {"number": 1}),
    )
    assert export(other) == Fetched()
    monkeypatch.undo()
    assert export(other).rows == 10


def release(readings: Readings, which: dict[str, Any]) -> None:
    """What docs/mongodb.md tells a person to do."""
    number = (ledger_of(readings).find_one(which) or {})["number"]
    change = {"$push": {"released": number}, "$set": {"cut": None}, "$inc": {"revision": 1}}
    ledger_of(readings).update_one({"_id": "classifier:watermark"}, change)


def test_documents_released_by_a_person_are_exported_again(
    project: Settings, readings: Readings
) -> None:
    _id = readings.insert_one(document(1, speed="fast")).inserted_id
    export(project)
    readings.update_one({"_id": _id}, {"$set": {"speed": 3}})
    release(readings, {"refused": True})
    assert export(project).rows == 1
    assert serials_in(project) == once(range(1, 2))
