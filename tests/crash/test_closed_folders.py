"""A folder that this user may not write to is said before anything is learned, and what waits for
it is not taken for lost.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import pytest

from tests.crash.invariants import broken
from tests.projects import Finished, Project

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.crash.trials import Stage

NOBODY = 65534


@contextlib.contextmanager
def an_ordinary_user(folder: Path) -> Iterator[None]:
    """Root may write anywhere: be somebody who owns the folder and nothing else."""
    if os.getuid():
        yield
        return
    for way in (folder.parent, folder.parent.parent):
        way.chmod(0o755)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    os.setresuid(NOBODY, NOBODY, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


@contextlib.contextmanager
def closed(folder: Path) -> Iterator[None]:
    folder.chmod(0o555)
    try:
        yield
    finally:
        folder.chmod(0o755)


def problems_of(checked: Finished) -> list[str]:
    """What `check` found, less what it says of files that the scenario delivers damaged."""
    found = [problem["what"] for problem in checked.json["problems"]]
    return [what for what in found if "would be refused" not in what]


@pytest.mark.slow
def test_a_closed_folder_is_named_by_check_and_by_a_start_before_anything_is_learned(
    stages: Callable[[str], Stage],
) -> None:
    forked = stages("promote").project
    assert problems_of(Project.start(forked, "check", "--json").expect(0)) == []
    with an_ordinary_user(forked.folder):
        for name in ("new_data", "used_data"):
            with closed(forked.folder / name):
                ended, checked = (
                    Project.start(forked, "run"),
                    Project.start(forked, "check", "--json"),
                )
                assert (
                    name == "used_data"
                    or Project.start(forked, "run", "--dry-run", "--json").expect(0).json["ending"]
                    == "promoted"
                )
            what, unchanged, remedy = ended.expect(3).error
            assert f"{forked.folder / name} ({name.upper()}_DIR): the user" in what
            assert unchanged.startswith("Nothing was changed")
            assert f"the right to write in {forked.folder / name}" in remedy
            assert problems_of(checked.expect(3)) == [what]
        with closed(forked.folder):
            assert "(QUARANTINE_DIR)" in Project.start(forked, "run").expect(3).error[0]
        forked.put("secret.csv", "").chmod(0)
        (what,) = problems_of(Project.start(forked, "check", "--json").expect(0))
        assert "'secret.csv' (no permission to read it)" in what
        assert Project.start(forked, "run", "--json").expect(0).json["ending"] == "promoted"


def test_what_a_promotion_could_not_archive_is_not_lost_and_the_next_start_archives_it(
    stages: Callable[[str], Stage],
) -> None:
    stage = stages("promote")
    forked = stage.project
    what, unchanged, _ = (
        forked.start("run", fault=("unlink", "EACCES", 2), below="new_data").expect(1).error
    )
    assert what.startswith(
        "v2 is in production, but not all of its files could be archived: Permission denied: '"
    )
    assert unchanged.startswith("The alias 'production' stays on v2")
    problems = [
        problem["what"] for problem in forked.start("check", "--json").expect(0).json["problems"]
    ]
    assert problems[0] == "v2 is in production, but 2 of its files are not archived yet."
    assert not [what for what in problems if "missing" in what]
    with an_ordinary_user(forked.folder), closed(forked.folder / "new_data"):
        _, unchanged, _ = Project.start(forked, "run").expect(3).error
        assert unchanged == "The alias 'production' stays on v2, whose files wait to be archived."
    forked.start("run").expect(0)
    assert broken(forked, stage.delivered.all, stage.delivered.first) == []


def test_a_file_that_only_waits_to_be_archived_can_be_forgotten(
    stages: Callable[[str], Stage],
) -> None:
    forked = stages("promote").project
    forked.start("run", kill_at="between_archived_files")
    said = [
        problem["what"] for problem in forked.start("check", "--json").expect(0).json["problems"]
    ]
    assert {"temporary", "RUNNING", "archived"} <= {
        word.strip(".") for what in said for word in what.split()
    }
    newest = max(forked.names("new_data"))
    others, refused = forked.names("new_data") - {newest}, forked.names("quarantine")
    assert forked.start("forget", newest, "--why", "a sensor lied", "--json").expect(0).json[
        "learned_by"
    ] == [2]
    assert others <= forked.names("used_data")
    assert forked.names("quarantine") == {newest} | refused
    assert forked.names("new_data") == set()
