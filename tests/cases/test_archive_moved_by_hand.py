"""Learned files that a person moved back into the inbox, to have them learned again: the error says
where they lie, and that this is not needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.projects import tables

if TYPE_CHECKING:
    from tests.projects import Project


@pytest.mark.parametrize("count", [3, 12])
def test_the_error_says_where_they_lie_and_moving_them_back_is_enough(
    count: int, registered: Project
) -> None:
    archive, inbox = registered.folder / "used_data", registered.folder / "new_data"
    moved = {path.name for path in sorted(archive.glob("*.csv"))[:count]}
    for path in [archive / name for name in moved]:
        path.rename(inbox / path.name)
    registered.deliver(*tables(3, seed=2))
    _, _, remedy = registered.start("run").expect(3).error
    assert remedy.startswith(f"Files with the names of {count} of them lie in {inbox}, such as")
    assert f"move them back to {archive}" in remedy
    for path in inbox.glob("*.csv"):
        if path.name in moved:
            path.rename(archive / path.name)
    assert registered.cycle()["files"]["judged"] == 3
