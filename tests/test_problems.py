"""What `check` finds never advises to run `check`."""

from __future__ import annotations

import pytest

from retraining.commands.problems import as_problem
from retraining.errors import StoreError

RUN_IT = "`python pipeline_orchestrator.py check`"


@pytest.mark.parametrize(
    ("remedy", "advice"),
    [
        (f"Mend the recipe; {RUN_IT} tries it.", "Mend the recipe."),
        (f"Run {RUN_IT}.", "The log in .retraining/logs/ says more."),
        ("Free space, then run again.", "Free space, then run again."),
    ],
)
def test_advice_to_run_check_is_left_out(remedy: str, advice: str) -> None:
    assert as_problem(StoreError("it failed", remedy=remedy), "here").remedy == advice
