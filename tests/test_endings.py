"""The table of endings beside the names that a type lists, and what the contract says of each."""

from __future__ import annotations

from typing import get_args

from retraining.endings import CYCLE_ENDINGS, DECISIONS, ENDINGS, JUDGED, JUDGED_AND_KEPT
from retraining.outcomes import EndingName


def test_every_ending_stands_in_the_table() -> None:
    assert ENDINGS.keys() == set(get_args(EndingName))
    assert set(CYCLE_ENDINGS) == set(get_args(EndingName)) - {"registered"}


def test_what_an_ending_means_for_the_files_is_what_the_contract_says() -> None:
    assert set(JUDGED_AND_KEPT) == {"kept", "rejected", "awaiting_approval", "rolled_back"}
    assert set(JUDGED) == {*JUDGED_AND_KEPT, "promoted"}
    assert "superseded" in DECISIONS
