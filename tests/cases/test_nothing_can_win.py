"""Cycles that train night after night and can promote nothing, and deliveries that a changed
setting makes unreadable: what is wrong is said, not only what was refused.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.projects import tables

if TYPE_CHECKING:
    from tests.projects import Project


def test_too_few_test_rows_for_any_challenger_is_an_alert_and_a_warning(
    registered: Project,
) -> None:
    registered.configure(MIN_TEST_ROWS="100000", RETRAIN_THRESHOLD="0.99")
    registered.deliver(*tables(3, seed=2))
    assert registered.cycle()["ending"] == "rejected"
    lines = (registered.folder / ".retraining" / "alerts.jsonl").read_text().splitlines()
    alert = {one["kind"]: one for one in map(json.loads, lines)}["nothing_comparable"]
    assert "fewer than MIN_TEST_ROWS=100000" in alert["what"]
    (problem,) = registered.start("check", "--json").expect(0).json["problems"]
    assert problem["what"].startswith("The last challenger, v2, could not win:")
    assert problem["try"] == alert["try"]
    registered.configure(MIN_TEST_ROWS="50")
    assert registered.start("check", "--json").expect(0).json["problems"] == []


def test_files_that_a_changed_setting_makes_unreadable_are_not_blamed_on_their_sender(
    registered: Project,
) -> None:
    registered.configure(CSV_SEPARATOR=";")
    registered.deliver(*tables(3, seed=2))
    what, _, remedy = registered.start("run").expect(3).error
    assert "separated by commas, not by semicolons" in what
    assert "if they are written as ever, CSV_SEPARATOR in .env is wrong" in remedy
