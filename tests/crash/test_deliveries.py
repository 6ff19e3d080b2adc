"""What is delivered is judged, refused, left or waited for, each file exactly as it should be, by a
whole cycle.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.crash.deliveries import groups, judged_as_they_should, registered_for
from tests.crash.scenarios import SCENARIOS
from tests.projects import CLONE, ORCHESTRATOR, table

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.crash.forked import ForkedProject
    from tests.crash.trials import Stage

NOBODY = 65534


@pytest.mark.parametrize("of_schema", sorted({group[0].label_kind for group in groups(huge=False)}))
def test_every_file_of_the_corpus_ends_where_it_should(
    forked: ForkedProject, of_schema: str
) -> None:
    chosen = [group for group in groups(huge=False) if group[0].label_kind == of_schema]
    registered_for(forked, chosen[0][0])
    wrong = [
        one
        for _, settings, cases in chosen
        for one in judged_as_they_should(forked, settings, cases)
    ]
    assert wrong == [], "\n".join(wrong)


def test_a_file_that_production_cannot_predict_stops_the_others_for_one_start_only(
    stages: Callable[[str], Stage],
) -> None:
    """1e300 is a number, and more than a tree of 32-bit floats takes."""
    forked = stages("keep").project
    forked.put("far.csv", "speed,load,city,target\n1e300,1,north,1\n")
    assert "'far.csv'" in forked.start("run").expect(1).error[0]
    assert forked.cycle()["files"] == {"waiting": 0, "judged": 4, "archived": 0, "quarantined": 0}
    assert "float32" in (forked.folder / "quarantine" / "far.csv.reason.json").read_text()


def test_what_is_no_file_to_read_is_left_and_said_by_a_start_that_has_nothing_of_a_login(
    forked: ForkedProject,
) -> None:
    """As cron may start it: an empty environment, the root folder, and a user who owns the project
    and nothing else.
    """
    SCENARIOS["keep"].made(forked)
    inbox = forked.folder / "new_data"
    os.mkfifo(inbox / "pipe.csv")
    socket.socket(socket.AF_UNIX).bind(str(inbox / "socket.csv"))
    (inbox / "folder.csv").mkdir()
    (inbox / "link.csv").symlink_to("/etc/passwd")
    forked.put("secret.csv", table(seed=9)).chmod(0)
    for name in ("half.csv.part", "half.csv.tmp", ".half.csv", "notes.txt"):
        forked.put(name, table(seed=8))
    somebody = somebody_who_owns(forked.folder)
    command = [
        "env",
        "-i",
        *somebody,
        sys.executable,
        str(CLONE / ORCHESTRATOR),
        "run",
        "--json",
        "--project",
        str(forked.folder),
    ]
    done = subprocess.run(
        command,
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done
    told = json.loads(done.stdout)
    assert (told["ending"], told["files"]["quarantined"]) == ("kept", 1)
    assert forked.names("quarantine") == {"link.csv"}
    assert {
        "pipe.csv",
        "socket.csv",
        "folder.csv",
        "secret.csv",
        "half.csv.part",
        "half.csv.tmp",
        "notes.txt",
    } <= forked.names("new_data")
    said = [
        "pipe.csv",
        "socket.csv",
        "folder.csv",
        "notes.txt",
        *(["secret.csv"] if somebody or os.getuid() else []),
    ]
    assert [name for name in said if f"left {name!r} where it is" not in done.stderr] == []


def somebody_who_owns(folder: Path) -> list[str]:
    """Words that start a command as an ordinary user, to whom the folder is given.

    None where we are one, or they could not reach it.
    """
    needed = (folder, CLONE, Path(sys.executable), Path(sys.executable).resolve())
    ways = {parent for path in needed for parent in path.parents}
    folder.parent.parent.chmod(0o755)
    folder.parent.chmod(0o755)
    if (
        os.getuid()
        or not shutil.which("setpriv")
        or not all(way.stat().st_mode & stat.S_IXOTH for way in ways)
    ):
        return []
    for path in (folder, *folder.rglob("*")):
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    return [
        str(shutil.which("setpriv")),
        f"--reuid={NOBODY}",
        f"--regid={NOBODY}",
        "--clear-groups",
    ]
