"""Codes in another spelling: a warning, and no promotion over it that nobody asked for."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import numpy as np
import pytest
from mlflow import MlflowClient

from retraining.cycle.never_seen import NeverSeen, share_of_new_values
from retraining.datasets import UnseenValues
from tests.projects import Project

if TYPE_CHECKING:
    from pathlib import Path

DAYS = [f"2026-03-{day:02d}" for day in range(1, 29)]


def coded_table(seed: int, *, written: str = "{}", day: str = "2026-01-01") -> str:
    """60 rows whose label follows a code of 1 to 8.

    Two codes are words, so that the column is one of texts.
    """
    rng = random.Random(seed)
    lines = ["code,day,load,target"]
    for _ in range(60):
        code = rng.randint(1, 8)
        label = (code in (2, 3, 5, 8)) != (rng.random() < 0.05)
        text = {1: "one", 2: "two"}.get(code, written.format(code))
        lines.append(f"{text},{day},{rng.gauss(0, 1):.4f},{int(label)}")
    return "\n".join(lines) + "\n"


@pytest.fixture
def coded(tmp_path: Path, empty_store: Path) -> Project:
    """Production knows the codes as `3`; each file has a date of its own."""
    project = Project.made(tmp_path / "project", RETRAIN_WHEN="always", MIN_IMPROVEMENT="-1")
    known = [coded_table(seed, day=day) for seed, day in enumerate(DAYS[:12])]
    project.deliver(*known, to="used_data", age=7200)
    project.take_store(empty_store)
    project.register()
    return project


def deliver(project: Project, seed: int, *, written: str = "{}") -> None:
    """Four files, dates that were never seen among them."""
    tables = [
        coded_table(seed + number, written=written, day=DAYS[12 + seed % 10 + number])
        for number in range(4)
    ]
    project.deliver(*tables)


def test_a_challenger_that_learned_another_spelling_waits_for_a_person(coded: Project) -> None:
    deliver(coded, 100, written="{}.0")
    done = coded.start("run", "--json").expect(0)
    assert done.json["ending"] == "awaiting_approval"
    first = min(coded.names("new_data"))
    told = "values of 'code' were never seen by production (first '"
    assert told in done.json["reason"]
    assert f", in {first}, row " in done.json["reason"]
    assert "did the sender begin to write them in another way?" in done.err
    assert "'day'" not in done.json["reason"]


def test_dates_and_the_codes_that_are_known_stop_no_promotion(coded: Project) -> None:
    known = coded.names("used_data")
    deliver(coded, 100)
    done = coded.start("run", "--json").expect(0)
    assert done.json["ending"] == "promoted"
    assert "never seen by production" not in done.err
    first = f"first '{DAYS[12]}' in {min(coded.names('used_data') - known)}, row 1"
    assert f"240 rows have a value of 'day' that was never seen before, {first}" in done.err


def test_what_a_person_approved_is_known_from_then_on(coded: Project) -> None:
    deliver(coded, 100, written="{}.0")
    assert coded.cycle()["ending"] == "awaiting_approval"
    store = f"sqlite:///{coded.folder}/mlflow_server/backend_db/mlflow.db"
    MlflowClient(store, store).set_registered_model_alias("classifier", "production", "2")
    deliver(coded, 200, written="{}.0")
    done = coded.start("run", "--json").expect(0)
    assert (done.json["ending"], done.json["previous_version"]) == ("promoted", 2)


def test_the_share_of_new_values_is_that_of_categories_in_one_block_only() -> None:
    one_a_block = np.array([[10, 0, 0, 0], [0, 10, 0, 0]])
    shared = np.array([[10, 5, 0, 0], [9, 0, 0, 3]])
    assert share_of_new_values(one_a_block) == 1.0
    assert share_of_new_values(shared) == pytest.approx(5 / 24)
    assert share_of_new_values(np.array([[0, 0, 4, 0]])) == 1.0


def test_a_value_of_any_length_is_told_in_a_short_line() -> None:
    first = UnseenValues(3, 4, 0, 0, first_row=1, text="x" * 300_000, known_as="X" * 300_000)
    said = NeverSeen("city", 3, 4, "long.csv", first).in_words()
    assert "... (300,000 characters), in long.csv, row 1" in said
    assert len(said) < 300
