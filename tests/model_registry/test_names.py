"""What the tags of MLflow say, read and written."""

from __future__ import annotations

from dataclasses import fields

from retraining.model_registry.names import (
    HOLD,
    LEFT,
    NUMBERS,
    VERSION_TAGS,
    facts_from,
    tags_of,
    text_of,
    version_from,
)
from retraining.records import Left, Marks, Version


def test_every_field_of_a_version_has_its_tag() -> None:
    of_mlflow = {"number", "run_id", "source"}
    assert {field.name for field in fields(Version)} - of_mlflow == VERSION_TAGS.keys()
    assert {field.name for field in fields(Marks)} <= VERSION_TAGS.keys()
    assert len(set(VERSION_TAGS.values())) == len(VERSION_TAGS)


def test_the_state_is_written_after_what_explains_it_and_before_the_probation() -> None:
    marks = Marks(status="rolled_back", probation="failed", reason="it lost", rolled_back_to=3)
    assert list(tags_of(marks)) == [
        "retraining.rolled_back_to",
        "retraining.reason",
        "validation_status",
        "retraining.probation",
    ]


def test_marks_that_are_not_given_write_nothing() -> None:
    assert tags_of(Marks()) == {}


def test_a_version_is_read_back_from_the_tags_that_its_marks_made() -> None:
    marks = Marks(previous=12, rolled_back_to=11, reason="r", status="superseded")
    version = version_from(13, "run", "source", {**tags_of(marks), "team": "ours"})
    assert (version.previous, version.rolled_back_to) == (12, 11)
    assert (version.reason, version.status, version.is_ours) == ("r", "superseded", False)


def test_a_number_that_a_person_garbled_counts_as_absent() -> None:
    tags = {VERSION_TAGS[name]: "two" for name in NUMBERS}
    version = version_from(1, "", "", tags)
    assert (version.previous, version.rolled_back_to) == (None, None)


def test_what_was_left_is_nothing_where_its_tag_is_garbled_or_not_there() -> None:
    assert facts_from({}, {LEFT: text_of(Left(4, "run", 2))}).left == Left(4, "run", 2)
    for text in ("{", "[1]", '"x"', '{"stranger": 1}', ""):
        assert facts_from({}, {LEFT: text}).left is None
    assert facts_from({}, {HOLD: "by Ada"}).left is None
