"""Many cycles in a row on one project: nights on which nothing comes, and nights on which files
come and starts die.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING

from tests.crash.forked import KILLED, LOSING_RECIPE, RECIPE, digest
from tests.crash.invariants import broken
from tests.crash.scenarios import SCENARIOS
from tests.projects import table

if TYPE_CHECKING:
    from tests.crash.forked import ForkedProject

KILLED_SHARE = 0.2
BAD_FILES = (
    "",
    "speed,load,city,target\n",
    "speed,load,city,target\n1,2\n",
    "<html>",
    'speed,load,city,target\n"1,2,north,1\n',
)


def thirty_nights(project: ForkedProject, nights: int = 30) -> list[str]:
    """An inbox that does not change costs one training."""
    delivered = SCENARIOS["reject"].made(project)
    endings = [project.cycle()["ending"] for _ in range(nights)]
    trained = len(project.registry()["versions"]) - 1
    wrong = [f"{trained} trainings"] if trained != 1 else []
    wrong += (
        [f"endings {Counter(endings)}"]
        if endings != ["rejected"] + ["unchanged"] * (nights - 1)
        else []
    )
    return [*wrong, *broken(project, delivered.all, delivered.first)]


def hundreds_of_cycles(
    project: ForkedProject, cycles: int, *, seed: int, look_every: int = 10
) -> list[str]:
    """Files come, good, bad and twice.

    The concept turns, recipes change, and a fifth of the starts is killed by the clock.
    """
    dice = random.Random(seed)
    delivered = SCENARIOS["keep"].made(project)
    left_at_first, wrong = temporary_files(project), []
    for cycle in range(cycles):
        for place in range(dice.choice((0, 2, 3, 4, 6))):
            delivered.all[
                _deliver(project, dice, f"{seed}-{cycle}-{place}", turned=cycle // 5 % 2 == 1)
            ] += 1
        if dice.random() < 0.1:
            project.recipe(dice.choice((RECIPE, LOSING_RECIPE)))
        dies = dice.random() < KILLED_SHARE
        ended = project.start("run", "--json", kill_after=dice.uniform(0.01, 2.0) if dies else None)
        if ended.code not in ((0, KILLED) if dies else (0, 3)):
            wrong.append(f"cycle {cycle}: {ended}")
        if cycle % look_every == look_every - 1:
            wrong += _settled(project, delivered.all, delivered.first, cycle)
    left = temporary_files(project)
    return (
        wrong
        if left <= left_at_first
        else [*wrong, f"temporary files: {left_at_first} at first, {left} at the end"]
    )


def _settled(
    project: ForkedProject, delivered: Counter[str], first: set[str], cycle: int
) -> list[str]:
    """One more run, which copies need to be put away.

    A start of which every file was refused ends 3 and did so.
    """
    project.start("run", "--force")
    return [f"after cycle {cycle}: {one}" for one in broken(project, delivered, first)]


def _deliver(project: ForkedProject, dice: random.Random, name: str, *, turned: bool) -> str:
    kind = dice.random()
    known: list[str] = sorted(project.names("used_data"))
    if kind < 0.1:
        content = dice.choice(BAD_FILES) + "\n" * dice.randint(0, 10**6 if kind < 0.001 else 40)
    elif kind < 0.2 and known:
        content = (project.folder / "used_data" / dice.choice(known)).read_text()
    else:
        content = table(30, seed=dice.randrange(10**9), turned=turned)
    return digest(project.put(f"night-{name}.csv", content))


def temporary_files(project: ForkedProject) -> int:
    """Files in `.retraining/` beside logs and columnar copies, whose numbers are bounded by
    others.
    """
    paths = (
        path.relative_to(project.folder / ".retraining")
        for path in (project.folder / ".retraining").rglob("*")
        if path.is_file()
    )
    return sum(1 for path in paths if path.parts[0] not in ("logs", "tables"))


def descriptors(project: ForkedProject, cycles: int = 20) -> list[int]:
    """Open descriptors of one process after each of many whole cycles in it."""
    SCENARIOS["keep"].made(project)
    ended = project.start("run", "--force", "-q", repeat=cycles).expect(0)
    return [int(line) for line in ended.out.splitlines() if line.isdecimal()]
