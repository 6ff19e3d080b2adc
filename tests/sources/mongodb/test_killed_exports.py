"""Exporters that are killed, or run beside each other: every document still ends in exactly one
file.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bson
import pytest
from pymongo import MongoClient

from retraining.sources.mongodb.fetching import Fetched, Patience, fetch
from tests.sources.mongodb.material import (
    SCHEMA,
    document,
    leftovers_in,
    now,
    object_id,
    project_at,
    refused_in,
    serials_in,
)

if TYPE_CHECKING:
    from pymongo.collection import Collection

    from retraining.settings import Settings

pytestmark = pytest.mark.mongodb
CLONE = Path(__file__).resolve().parents[3]
KILLED = -9
# FerretDB sorts a whole collection before its first answer, on a machine that may be busy
PATIENT = Patience(hear_an_answer=600_000)
PLACES = (
    "mongodb_after_aside",
    "mongodb_after_claim",
    "mongodb_after_rename",
    "mongodb_after_delivered",
    "mongodb_before_watermark",
    "mongodb_after_watermark",
)


@dataclass
class Weather:
    """How far a storm has come."""

    killed: int = 0
    over: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True)
class Storm:
    """Writers at work while exporters are killed."""

    seed: int
    documents: int
    kills: int
    longest_life: float  # seconds until an exporter is killed, at most
    writers: int = 4

    @property
    def serials(self) -> list[range]:
        share = self.documents // self.writers
        return [range(n * share, (n + 1) * share) for n in range(self.writers)]


def exporter(settings: Settings, *, kill_at: str | None = None) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(CLONE)} | (
        {"RETRAINING_KILL_AT": kill_at} if kill_at else {}
    )
    command = [sys.executable, "-m", "tests.sources.mongodb.export_program", str(settings.project)]
    return subprocess.Popen(
        command, cwd=CLONE, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def export(settings: Settings) -> Fetched:
    return fetch(settings, SCHEMA, clock=now, patience=PATIENT)


def finish(process: subprocess.Popen[bytes]) -> int:
    _, errors = process.communicate()
    assert process.returncode in {0, KILLED}, errors.decode()
    return process.returncode


def write(uri: str, database: str, serials: range, storm: Storm, weather: Weather) -> None:
    """Insert in small groups, as many in the time between two kills as in any other.

    Some documents commit late.
    """
    dice = random.Random(storm.seed + serials.start)
    late: list[dict[str, Any]] = []
    with MongoClient[dict[str, Any]](uri) as client:
        readings = client[database]["readings"]
        for start in range(serials.start, serials.stop, 50):
            group = [
                reading(serial, dice) for serial in range(start, min(start + 50, serials.stop))
            ]
            dice.shuffle(group)
            readings.insert_many(group[5:])
            late += group[:5]
            if dice.random() < 0.2:
                readings.insert_many(late)
                late = []
            share = (start - serials.start) / len(serials)
            while weather.killed < share * storm.kills and not weather.over.wait(
                dice.uniform(0, 0.2)
            ):
                pass
        if late:
            readings.insert_many(late)


def reading(serial: int, dice: random.Random) -> dict[str, Any]:
    """A document made now or, one in ten, five hours ago; every 97th does not fit the schema."""
    born = time.time() - (5 * 3600 if dice.random() < 0.1 else 0)
    misfit = {"speed": []} if serial % 97 == 0 else {}
    return {"_id": object_id(born, serial), **document(serial, **misfit)}


def check_after(
    settings: Settings, readings: Collection[dict[str, Any]], *others: Settings
) -> None:
    """The invariants of exactly-once delivery, over the projects that share a collection."""
    projects = (settings, *others)
    seen = sum((serials_in(project) for project in projects), Counter[int]())
    refused = (
        line["document"]["serial"]["$numberInt"]
        for project in projects
        for line in refused_in(project)
    )
    seen.update(map(int, refused))
    there = Counter(found["serial"] for found in readings.find({}, {"serial": 1}))
    assert seen == there
    assert [leftovers_in(project) for project in projects] == [[]] * len(projects)
    records = list(readings.database["readings_retraining"].find({"model": "classifier"}))
    assert {record["state"] for record in records} == {"delivered"}
    ids = Counter(bson.encode({"": _id}) for record in records for _id in record["ids"])
    assert set(ids.values()) == {1}


@pytest.mark.parametrize("place", PLACES)
def test_export_killed_at_any_step_is_finished_by_the_next(
    place: str, project: Settings, readings: Collection[dict[str, Any]]
) -> None:
    readings.insert_many([document(n) for n in range(25)] + [document(25, speed="fast")])
    assert finish(exporter(project, kill_at=place)) == KILLED
    export(project)
    check_after(project, readings)


@pytest.mark.parametrize("place", ["mongodb_after_claim", "mongodb_after_rename"])
def test_refused_documents_survive_a_kill_too(
    place: str, project: Settings, readings: Collection[dict[str, Any]]
) -> None:
    readings.insert_many([document(n, speed="fast") for n in range(3)])
    assert finish(exporter(project, kill_at=place)) == KILLED
    export(project)
    check_after(project, readings)
    [reason] = project.quarantine_dir.glob("*.reason.json")
    assert (project.quarantine_dir / reason.name.removesuffix(".reason.json")).is_file()


def test_exporters_beside_each_other_share_the_documents(
    project: Settings, readings: Collection[dict[str, Any]], tmp_path: Path
) -> None:
    readings.insert_many([document(n, **({} if n % 9 else {"speed": "fast"})) for n in range(400)])
    others = [
        project_at(tmp_path / f"machine-{n}", str(project.mongo_uri), str(project.database_name))
        for n in range(2)
    ]
    running = [exporter(settings) for settings in (project, *others)]
    assert [finish(process) for process in running] == [0, 0, 0]
    check_after(project, readings, *others)


def wait_for_a_seeded_moment(
    process: subprocess.Popen[bytes], settings: Settings, dice: random.Random, longest_life: float
) -> None:
    """One in three at any moment of an exporter's life, two in three while it delivers: a scan
    takes most of that life.
    """
    if dice.random() < 1 / 3:
        time.sleep(dice.uniform(0.2, longest_life))
        return
    before = set(settings.new_data_dir.iterdir())
    while process.poll() is None and set(settings.new_data_dir.iterdir()) <= before:
        time.sleep(0.02)
    time.sleep(dice.uniform(0, longest_life / 3))


def ride_out(storm: Storm, settings: Settings, readings: Collection[dict[str, Any]]) -> None:
    """Kill exporters at seeded moments while writers write and a cycle archives.

    Then let two run to their end.
    """
    weather, dice = Weather(), random.Random(storm.seed)
    address = (str(settings.mongo_uri), str(settings.database_name))
    writers = [
        threading.Thread(target=write, args=(*address, serials, storm, weather))
        for serials in storm.serials
    ]
    for writer in writers:
        writer.start()
    while weather.killed < storm.kills:
        process = exporter(settings)
        wait_for_a_seeded_moment(process, settings, dice, storm.longest_life)
        process.kill()
        weather.killed += finish(process) == KILLED
        for path in sorted(settings.new_data_dir.glob("*.csv")):
            if dice.random() < 0.3:
                path.rename(settings.used_data_dir / path.name)
    weather.over.set()
    for writer in writers:
        writer.join()
    export(settings)
    assert export(settings) == Fetched()
    check_after(settings, readings)


def test_kills_at_random_moments_lose_and_double_nothing(
    mongodb: str, database: str, readings: Collection[dict[str, Any]], tmp_path: Path
) -> None:
    settings = project_at(
        tmp_path / "project", mongodb, database, MONGO_ROWS_PER_FILE=20, MONGO_SETTLE_SECONDS=1
    )
    ride_out(Storm(seed=7, documents=1_000, kills=5, longest_life=0.9), settings, readings)
    assert readings.count_documents({}) == 1_000


@pytest.mark.soak
# 43 minutes at a load of 8 to 15: FerretDB reads everything for each query
@pytest.mark.timeout(7200)
def test_hundred_thousand_documents_survive_fifty_kills(
    mongodb: str, database: str, readings: Collection[dict[str, Any]], tmp_path: Path
) -> None:
    settings = project_at(
        tmp_path / "project", mongodb, database, MONGO_ROWS_PER_FILE=500, MONGO_SETTLE_SECONDS=5
    )
    ride_out(Storm(seed=11, documents=100_000, kills=50, longest_life=6), settings, readings)
    assert readings.count_documents({}) == 100_000
