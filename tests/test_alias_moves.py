"""What people do with the alias is told: at once by `status` and `history`, though a closed gate
does not look, and for good by `history`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
import pytest

from retraining.commands.alias_moves import moves_after_each
from retraining.records import AliasMove
from tests.projects import tables

if TYPE_CHECKING:
    from tests.projects import Project

MODEL, ALIAS = "classifier", "production"


def in_the_ui(project: Project) -> mlflow.MlflowClient:
    """What the MLflow UI does, it does by this client."""
    store = project.folder / "mlflow_server" / "backend_db" / "mlflow.db"
    return mlflow.MlflowClient(f"sqlite:///{store}")


def said(project: Project, *words: str) -> str:
    """What a command says, without its line ends."""
    return " ".join(project.start(*words).expect(0).out.split())


def told(project: Project, *words: str) -> Any:
    return project.start(*words, "--json").expect(0).json


def test_a_move_is_told_once_though_the_clock_went_back_between_two_cycles() -> None:
    last, three_days_ahead, first = (datetime(2026, 11, day, 2, tzinfo=UTC) for day in (27, 30, 26))
    days = (25, 26, 28, 30)
    moves = [AliasMove(datetime(2026, 11, day, 5, tzinfo=UTC), 2, 1, "x") for day in days]
    after_each, before = moves_after_each([last, three_days_ahead, first], moves)
    assert (after_each, before) == ([moves[2:], [], moves[1:2]], moves[:1])


def test_a_move_back_in_the_ui_is_told_at_once_with_the_start_that_acts_on_it(
    promoted: Project,
) -> None:
    in_the_ui(promoted).set_registered_model_alias(MODEL, ALIAS, "1")
    assert promoted.cycle()["ending"] == "unchanged", "a closed gate does not look at the alias"
    for command in ("status", "history"):
        text = said(promoted, command)
        assert "moved back by a person from v2 to v1" in text, command
        assert "The next start that finds 3 new files notes it and holds promotions" in text
    promoted.deliver(*tables(3, seed=9))
    promoted.cycle()
    status = told(promoted, "status")
    assert status["unseen_move"] is None
    assert "moved back from v2 to v1" in status["hold"]
    assert "moved by a person v1 v1 in place of v2: a person moved the alias" in said(
        promoted, "history"
    )


def test_an_alias_that_was_taken_away_is_told_and_rollback_gives_it_back_by_number(
    promoted: Project,
) -> None:
    in_the_ui(promoted).delete_registered_model_alias(MODEL, ALIAS)
    assert "v2 held it when the last cycle ended" in said(promoted, "status")
    what, _, remedy = promoted.start("rollback").expect(3).error
    assert what == "No version holds the alias 'production'; v2 held it when the last cycle ended."
    assert "rollback --to 2`" in remedy
    given = told(promoted, "rollback", "--to", "2")
    assert given == {"production_version": 2, "previous_version": None, "hold": None}
    assert told(promoted, "status")["unseen_move"] is None
    assert promoted.cycle()["ending"] == "unchanged"


def test_another_version_than_the_last_holder_gets_the_alias_under_a_hold(
    promoted: Project,
) -> None:
    in_the_ui(promoted).delete_registered_model_alias(MODEL, ALIAS)
    assert told(promoted, "rollback", "--to", "1", "--why", "v2 is slow")["hold"]
    assert told(promoted, "status")["production_version"] == 1
    assert "v1 in place of v2: `rollback` by" in said(promoted, "history")
    promoted.deliver(*tables(3, seed=9))
    assert promoted.cycle()["production_version"] == 1


def test_a_roll_back_by_a_person_stands_in_history_with_its_reason(promoted: Project) -> None:
    told(promoted, "rollback", "--why", "complaints")
    told(promoted, "rollback", "--resume")
    lines = promoted.start("history").expect(0).out.splitlines()
    assert lines[1].split()[2:] == ["moved", "by", "a", "person", "v1"]
    assert lines[2].strip().startswith("v1 in place of v2: `rollback` by ")
    assert lines[2].endswith(": complaints")
    assert "promoted" in lines[3], "newest first"
    (cycle,) = told(promoted, "history")
    (move,) = cycle["moves"]
    assert (move["before"], move["to"]) == (2, 1)


@pytest.mark.parametrize("number", [[], ["--to", "1"], ["--to", "9"]])
def test_a_roll_back_to_a_version_that_is_not_there_names_none_that_cannot_be_loaded(
    promoted: Project, number: list[str]
) -> None:
    in_the_ui(promoted).delete_model_version(MODEL, "1")
    ended = promoted.start("rollback", *number)
    assert ended.code == (2 if number else 3)
    what, unchanged, remedy = ended.error
    assert ("was deleted" if not number else "There is no version") in what
    assert unchanged.startswith("Nothing was changed")
    assert "--to" not in remedy
    assert "previous v1, which was deleted" in said(promoted, "status")


def test_a_roll_back_to_a_damaged_version_names_one_that_can_be_loaded(promoted: Project) -> None:
    promoted.configure(PROMOTE_WHEN="unless_worse", MIN_IMPROVEMENT="-1", PROBATION_BATCHES="0")
    promoted.deliver(*tables(6, seed=4, rows=120))
    assert promoted.cycle("--force")["ending"] == "promoted"
    source = in_the_ui(promoted).get_model_version(MODEL, "2").source
    Path(str(source).removeprefix("file://"), "model.pkl").write_bytes(b"damaged")
    _, _, remedy = promoted.start("rollback").expect(3).error
    assert "rollback --to 1` goes to v1, which can be loaded" in remedy


def test_an_approved_version_is_told_as_one_before_and_after_the_next_start(
    registered: Project,
) -> None:
    registered.configure(PROMOTE_WHEN="manual")
    registered.deliver(*tables(6, seed=2, rows=120, turned=True))
    assert registered.cycle()["ending"] == "awaiting_approval"
    told(registered, "approve")
    text = said(registered, "status")
    assert "production v2: approved by a person;" in text
    assert "v2 was approved by a person, in place of v1. The next start archives" in text
    assert "awaiting_approval v2; since then a person approved it" in text
    assert "waits:" not in text
    assert told(registered, "status")["awaiting_approval"] is None
    registered.cycle()
    text = said(registered, "status")
    assert "production v2: approved by a person;" in text
    assert "ALIAS" not in text
    assert said(registered, "history").count("moved by a person") == 1, "noted once"
    told(registered, "rollback")
    told(registered, "rollback", "--resume")
    in_the_ui(registered).set_registered_model_alias(MODEL, "production", "2")
    text = " ".join(said(registered, "status").split())
    assert "ALIAS moved by a person from v1 to v2. The next start" in text
    assert "archives the files" not in text, "they are archived already"


def test_no_version_that_learned_a_withdrawn_file_is_advised_to_go_back_to(
    promoted: Project,
) -> None:
    learned_by_both = min(promoted.names("used_data"))
    forgotten = said(promoted, "forget", learned_by_both, "--why", "sensor upside down")
    for text in (forgotten, said(promoted, "check"), said(promoted, "status")):
        assert "rollback" not in text
        assert "roll back" not in text
        assert "run --force" in text


def test_a_version_without_the_withdrawn_file_is_advised_to_go_back_to(promoted: Project) -> None:
    learned_by_the_second = max(promoted.names("used_data"))
    forgotten = said(promoted, "forget", learned_by_the_second, "--why", "sensor upside down")
    for text in (forgotten, said(promoted, "check"), said(promoted, "status")):
        assert "rollback --to 1`" in text
