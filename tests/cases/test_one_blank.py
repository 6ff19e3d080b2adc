"""One blank among a thousand cells makes a number column words: it is said where, and what mending
it is worth.
"""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING

import pytest

from tests.projects import REGISTER, Project

if TYPE_CHECKING:
    from pathlib import Path


def bills(cell: str) -> list[str]:
    """Ten files of 100 rows; in the seventh, row 42 has `cell` for its amount.

    One label in ten is turned round.
    """
    rng = random.Random(1)
    texts = []
    for number in range(10):
        lines = ["months,amount,target"]
        for row in range(100):
            months, amount = rng.randint(1, 60), round(rng.uniform(10, 4000), 2)
            written = cell if (number, row) == (6, 41) else amount
            label = int(amount > 2000) ^ (rng.random() < 0.1)
            lines.append(f"{months},{written},{label}")
        texts.append("\n".join(lines) + "\n")
    return texts


@pytest.mark.parametrize(
    ("cell", "kind", "accuracy"),
    [(" ", "1 string (amount)", 0.52), ("", "(months, amount)", 0.895)],
)
def test_the_cell_is_named_and_the_score_is_right_once_it_is_empty(
    cell: str, kind: str, accuracy: float, tmp_path: Path, empty_store: Path
) -> None:
    project = Project.made(tmp_path / "project", HOLDOUT_FRACTION="0.2")
    for number, text in enumerate(bills(cell)):
        project.put(f"u{number}.csv", text, to="used_data", age=7200 - number)
    project.take_store(empty_store)
    said = project.start("--train-from", "used_data", "--set-alias", script=REGISTER).expect(0).out
    remark = (
        "- column 'amount' is a number in 999 of 1,000 rows; the others hold ' ' "
        "(first in u6.csv, row 42): taken as string\n"
    )
    assert (remark in said) == (cell == " ")
    assert kind in said
    scored = re.search(r"accuracy ([0-9.]+) on 200 rows", said)
    assert scored is not None
    assert float(scored[1]) == pytest.approx(accuracy, abs=0.01)
