"""The units of a soak: each kind of kill, fault, overlap, delivery and long row of cycles, as work
for one forking process.
"""

from __future__ import annotations

import random
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from bench.soak_figures import (
    CALLS,
    CLEAN,
    CYCLES,
    DATABASE,
    DATABASE_BELOW_SERVER,
    IN_COMMITS,
    INPUTS,
    NIGHTS,
    ON_POSTGRES,
    ON_POSTGRES_SERVER,
    ON_SERVER,
    ON_SQLITE,
    OVERLAPS,
    PEOPLE,
    RANDOM,
    RANDOM_ON_POSTGRES,
    RANDOM_ON_POSTGRES_SERVER,
    SERVER,
    TROUBLES,
    Figures,
)
from tests import postgres
from tests.crash.databases import EVENTS
from tests.crash.deliveries import groups, judged_as_they_should, registered_for
from tests.crash.faults import CALLS as KINDS_OF_CALLS
from tests.crash.faults import ERRNOS
from tests.crash.forked import ForkedProject, Zygote
from tests.crash.nights import hundreds_of_cycles, thirty_nights
from tests.crash.scenarios import SCENARIOS
from tests.crash.trials import (
    Stage,
    answering,
    damaged,
    disk_with,
    locked_for,
    moved_away,
    on_server,
    overlapping,
    projects_on,
    small_disk,
)
from tests.model_registry.misbehaving import in_front_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.crash.trials import StoreName

STORES: dict[str, StoreName] = {  # by the kind of kill that is counted
    ON_SQLITE: "sqlite",
    ON_SERVER: "server",
    ON_POSTGRES: "postgresql",
    ON_POSTGRES_SERVER: "server on postgresql",
    RANDOM: "sqlite",
    RANDOM_ON_POSTGRES: "postgresql",
    RANDOM_ON_POSTGRES_SERVER: "server on postgresql",
    DATABASE: "postgresql",
    DATABASE_BELOW_SERVER: "server on postgresql",
}
RANDOM_KILLS = {
    "promote": 160,
    "reject": 80,
    "leave to a person": 80,
    "finish what a person approved": 80,
    "roll back": 100,
}
RANDOM_KILLS_ON_POSTGRES = {name: count // 4 for name, count in RANDOM_KILLS.items()}
EVENTS_FALL_ON = "promote"  # the scenario in whose places something happens to PostgreSQL
RANDOM_EVENTS = 20  # of each kind
AFTER_EVENTS = {0, 1, 69}  # 1: a server in between was cut off while it answered
# that outgrow a cache of one page, in one start
COMMITS = {"promote": 24, "keep": 14, "roll back": 13, "first model": 13}
TIMES_AT_ONCE, IN_CHAINS, CHAINS = 50, 500, 10
PRIVATE_COPIES = 28  # openings of them in one start, and one more
BEFORE_VERSION_2 = ("after_recovery", "after_claim", "after_scoring", "mid_training")
AFTER_VERSION_2 = (
    *(
        "after_version_creation",
        "after_comparison",
        "before_winning_tag",
        "before_commit",
        "after_commit",
        "between_archived_files",
    ),
    *("after_last_file", "after_approved", "before_run_ends", "after_run_ends", "before_unlock"),
)
# after: it did what it was asked to
MISBEHAVIOUR = ("hang", "503", "500", "after-503", "after-500", "after-drop")
SERVER_FAULTS = 6  # of each kind
CALLS_AT_MOST = 120  # of one kind, spread evenly over a start; the seed says where it begins

Work = tuple[str, "Callable[[Path, Zygote], None]"]


@contextmanager
def stages_of(kind: str, folder: Path, zygote: Zygote) -> Iterator[Callable[[str], Stage]]:
    """A maker of the eve of a scenario by its name, on the store of this kind of trial."""
    store = STORES[kind]
    with ExitStack() as scope:
        server = scope.enter_context(postgres.running()) if "postgres" in store else None
        project = scope.enter_context(projects_on(store, folder, zygote, server))
        yield lambda name: Stage.set_for(SCENARIOS[name], project())


def named_kills(figures: Figures, kind: str, *names: str) -> Work:
    """Every named place of some scenarios, on one kind of store."""

    def work(folder: Path, zygote: Zygote) -> None:
        units = {
            name: {f"{name} at {place}": place for place in SCENARIOS[name].places}
            for name in names
        }
        wanted = {name: places for name, places in units.items() if figures.wants(kind, [*places])}
        if not wanted:
            return
        with stages_of(kind, folder, zygote) as stage_of:
            for name, places in wanted.items():
                stage = stage_of(name)
                for unit, place in places.items():
                    figures.unit(kind, unit, partial(stage.killed_at, place))

    return f"{kind}: {', '.join(names)}", work


def random_kills(figures: Figures, kind: str, name: str, part: range, seed: int) -> Work:
    """Kills by the clock."""

    def work(folder: Path, zygote: Zygote) -> None:
        names = [f"{name}, number {number}" for number in part]
        if not figures.wants(kind, names):
            return
        with stages_of(kind, folder, zygote) as stage_of:
            stage = stage_of(name)
            whole = stage.scenario.start(stage.project).seconds
            for unit in names:
                moment = random.Random(f"{seed} {unit}").uniform(0, 1.05 * whole)
                figures.unit(kind, unit, partial(stage.killed_after, moment))

    return f"{kind}: {name} {part}", work


def database_events(figures: Figures, kind: str) -> Work:
    """PostgreSQL stops, starts anew or lets go of its clients, wherever a start is."""

    def work(folder: Path, zygote: Zygote) -> None:
        places = SCENARIOS[EVENTS_FALL_ON].places
        units = {f"{event} at {place}": (place, event) for place in places for event in EVENTS}
        if not figures.wants(kind, [*units]):
            return
        with stages_of(kind, folder, zygote) as stage_of:
            stage = stage_of(EVENTS_FALL_ON)
            for unit, (place, event) in units.items():
                figures.unit(kind, unit, partial(stage.database_at, place, event, AFTER_EVENTS))

    return f"{kind}: named places", work


def random_events(figures: Figures, kind: str, seed: int) -> Work:
    """The same by the clock, also in the middle of what the database does."""

    def work(folder: Path, zygote: Zygote) -> None:
        units = {
            f"{event} by the clock, number {number}": event
            for number in range(RANDOM_EVENTS)
            for event in EVENTS
        }
        if not figures.wants(kind, [*units]):
            return
        with stages_of(kind, folder, zygote) as stage_of:
            stage = stage_of(EVENTS_FALL_ON)
            whole = stage.scenario.start(stage.project).seconds
            for unit, event in units.items():
                moment = random.Random(f"{seed} {unit}").uniform(0, whole)
                trial = partial(stage.database_after, moment, event, AFTER_EVENTS)
                figures.unit(kind, unit, trial)

    return f"{kind}: by the clock", work


def kills_in_commits(figures: Figures, name: str) -> Work:
    """Every commit, while the database is half changed."""

    def work(folder: Path, zygote: Zygote) -> None:
        stage = Stage.set_for(SCENARIOS[name], ForkedProject.at(folder / "project", zygote))
        for number in range(1, COMMITS[name] + 1):
            figures.unit(
                IN_COMMITS, f"{name}, commit {number}", partial(stage.killed_in_commit, number)
            )

    return f"kills in commits: {name}", work


def failing_calls(figures: Figures, call: str, seed: int) -> Work:
    """The Nth call of one kind fails, for every N or as many as there is time for, until one passes
    cleanly.
    """

    def work(folder: Path, zygote: Zygote) -> None:
        if not figures.wants(CLEAN, [call]):
            return
        stage = Stage.set_for(SCENARIOS["promote"], ForkedProject.at(folder / "project", zygote))
        count = stage.calls_of(call)
        step = max(1, -(-count // CALLS_AT_MOST))
        for nth in range(1 + seed % step, count + 1, step):
            error = ERRNOS[(nth + seed) % len(ERRNOS)]
            figures.unit(
                CALLS, f"{call} number {nth}: {error}", partial(stage.failed_call, call, error, nth)
            )
        figures.unit(CLEAN, call, lambda: stage.failed_call(call, "EIO", count + 99))

    return f"failing calls: {call}", work


def failing_copies(figures: Figures) -> Work:
    """Every opening of a private copy of an artifact."""

    def work(folder: Path, zygote: Zygote) -> None:
        stage = Stage.set_for(SCENARIOS["keep"], ForkedProject.at(folder / "project", zygote))
        for nth in range(1, PRIVATE_COPIES + 1):
            figures.unit(
                CALLS, f"open of a private copy, number {nth}", partial(stage.failed_copy, nth)
            )

    return "failing copies", work


def troubles(figures: Figures) -> Work:
    """A locked database, damaged models, folders that are not there, full disks, a clock that went
    back.
    """

    def work(folder: Path, zygote: Zygote) -> None:
        stage = Stage.set_for(SCENARIOS["promote"], ForkedProject.at(folder / "project", zygote))
        figures.unit(
            TROUBLES, "database locked for 30 s", lambda: stage.meanwhile(locked_for(30), {0})
        )
        for how in ("truncated", "flipped", "swapped", "missing"):
            figures.unit(TROUBLES, f"model {how}", partial(stage.meanwhile, damaged(how), {3}))
        for name in ("new_data", "used_data"):
            figures.unit(
                TROUBLES, f"{name} unmounted", partial(stage.meanwhile, moved_away(name), {3})
            )
        figures.unit(TROUBLES, "clock back an hour", lambda: _an_hour_back(stage))
        with small_disk(folder / "disk", 64) as is_ours:
            if is_ours:
                full = Stage.set_for(
                    SCENARIOS["promote"], ForkedProject.at(folder / "disk" / "project", zygote)
                )
                for kilobytes in (0, 4, 16, 40, 80, 120, 160, 240, 400):
                    said = f"{kilobytes} KB left on the disk"
                    figures.unit(
                        TROUBLES, said, partial(full.meanwhile, disk_with(kilobytes), {0, 1, 3, 69})
                    )

    return "troubles", work


def failing_server(figures: Figures, seed: int) -> Work:
    """A server that is down, hangs, breaks down, or breaks down after it did what it was asked to,
    from or at some request.
    """

    def work(folder: Path, zygote: Zygote) -> None:
        if figures.done[SERVER] >= SERVER_FAULTS * len(MISBEHAVIOUR):
            return
        quick = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "8", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
        with on_server(folder / "project", zygote, **quick) as new:
            project = new.restore()
            with in_front_of(project.store) as front:
                project.configure(MLFLOW_TRACKING_URI=front.url)
                stage = Stage.set_for(SCENARIOS["promote"], project)
                before = len(front.seen)
                stage.scenario.start(project).expect(0)
                requests = len(front.seen) - before
                dice = random.Random(seed)
                for what in MISBEHAVIOUR:
                    for number in range(SERVER_FAULTS):
                        once, place = number % 2 == 0, dice.randrange(requests)
                        said = f"{what} {'at' if once else 'from'} request {place} of {requests}"
                        trouble = answering(front, what, place, once=once)
                        figures.unit(SERVER, said, partial(stage.meanwhile, trouble, {0, 1, 69}))

    return "failing server", work


def _an_hour_back(stage: Stage) -> list[str]:
    stage.eve.restore()
    stage.scenario.start(stage.project, clock=-3600).expect(0)
    return stage.scenario.broken(stage.project, stage.delivered)


def overlaps(figures: Figures) -> Work:
    """Eight real processes at once, again and again."""

    def work(folder: Path, zygote: Zygote) -> None:
        stage = Stage.set_for(SCENARIOS["keep"], ForkedProject.at(folder / "project", zygote))
        for number in range(TIMES_AT_ONCE):
            figures.unit(
                OVERLAPS, f"number {number}", partial(_overlap, stage, thoroughly=number % 10 == 0)
            )

    return "overlaps", work


def _overlap(stage: Stage, *, thoroughly: bool) -> list[str]:
    stage.eve.restore()
    wrong = overlapping(stage.project)
    return [*wrong, *stage.scenario.broken(stage.project, stage.delivered)] if thoroughly else wrong


def nights(figures: Figures) -> Work:
    """Thirty nights of an unchanged inbox."""

    def work(folder: Path, zygote: Zygote) -> None:
        project = ForkedProject.at(folder / "project", zygote)
        figures.unit(NIGHTS, "unchanged inbox", lambda: thirty_nights(project), times=30)

    return "nights", work


def deliveries(figures: Figures) -> Work:
    """The reading corpus through whole cycles, the huge files too."""

    def work(folder: Path, zygote: Zygote) -> None:
        for place, (schema, settings, cases) in enumerate(groups(huge=True)):
            if figures.wants(INPUTS, [f"group {place}"]):
                project = registered_for(
                    ForkedProject.at(folder / f"project-{place}", zygote), schema
                )
                trial = partial(judged_as_they_should, project, settings, cases)
                figures.unit(INPUTS, f"group {place}", trial, times=len(cases))

    return "deliveries", work


def chain(figures: Figures, number: int, seed: int) -> Work:
    """Cycles with arrivals, a fifth of them killed."""

    def work(folder: Path, zygote: Zygote) -> None:
        cycles = IN_CHAINS // CHAINS
        project = ForkedProject.at(folder / "project", zygote)
        figures.unit(
            CYCLES,
            f"chain {number}",
            lambda: hundreds_of_cycles(project, cycles, seed=100 * seed + number),
            times=cycles,
        )

    return f"chain {number}", work


def deletions(figures: Figures) -> Work:
    """A person deletes an alias or a version in the middle of a start."""

    def work(folder: Path, zygote: Zygote) -> None:
        stage = Stage.set_for(SCENARIOS["promote"], ForkedProject.at(folder / "project", zygote))
        for place in (*BEFORE_VERSION_2, *AFTER_VERSION_2):
            for what in (
                ("delete_registered_model_alias", "production"),
                ("delete_model_version", "1"),
            ):
                figures.unit(
                    PEOPLE,
                    f"{' '.join(what)} at {place}",
                    partial(stage.deleted_under_it, place, *what),
                )
        for place in AFTER_VERSION_2:
            trial = partial(stage.deleted_under_it, place, "delete_model_version", "2")
            figures.unit(PEOPLE, f"delete_model_version 2 at {place}", trial)

    return "deletions", work


def all_work(figures: Figures, seed: int) -> Iterator[Work]:
    """The long ones first."""
    yield named_kills(figures, ON_SERVER, *SCENARIOS)
    yield failing_server(figures, seed)
    yield overlaps(figures)
    yield troubles(figures)
    yield deletions(figures)
    yield deliveries(figures)
    yield failing_copies(figures)
    yield nights(figures)
    yield from (named_kills(figures, ON_SQLITE, name) for name in SCENARIOS)
    yield from (kills_in_commits(figures, name) for name in COMMITS)
    yield from (chain(figures, number, seed) for number in range(CHAINS))
    for name, count in RANDOM_KILLS.items():
        yield from (
            random_kills(figures, RANDOM, name, range(start, min(count, start + 40)), seed)
            for start in range(0, count, 40)
        )
    yield from (failing_calls(figures, call, seed) for call in KINDS_OF_CALLS)
    if postgres.programs_installed():
        yield from work_on_postgres(figures, seed)


def work_on_postgres(figures: Figures, seed: int) -> Iterator[Work]:
    """What is done where PostgreSQL is installed."""
    yield named_kills(figures, ON_POSTGRES_SERVER, *SCENARIOS)
    yield named_kills(figures, ON_POSTGRES, *SCENARIOS)
    for kind in (DATABASE, DATABASE_BELOW_SERVER):
        yield database_events(figures, kind)
        yield random_events(figures, kind, seed)
    for kind in (RANDOM_ON_POSTGRES, RANDOM_ON_POSTGRES_SERVER):
        for name, count in RANDOM_KILLS_ON_POSTGRES.items():
            yield random_kills(figures, kind, name, range(count), seed)


def goals() -> dict[str, int]:
    """What a whole soak does of each kind."""
    places = sum(len(scenario.places) for scenario in SCENARIOS.values())
    people = 2 * len(BEFORE_VERSION_2) + 3 * len(AFTER_VERSION_2)
    inputs = sum(len(cases) for _, _, cases in groups(huge=True))
    faults = {
        CLEAN: len(KINDS_OF_CALLS),
        SERVER: SERVER_FAULTS * len(MISBEHAVIOUR),
        TROUBLES: 8,
        PEOPLE: people,
    }
    kills = {
        ON_SQLITE: places,
        ON_SERVER: places,
        IN_COMMITS: sum(COMMITS.values()),
        RANDOM: sum(RANDOM_KILLS.values()),
    }
    if postgres.programs_installed():
        events = (len(SCENARIOS[EVENTS_FALL_ON].places) + RANDOM_EVENTS) * len(EVENTS)
        kills |= {ON_POSTGRES: places, ON_POSTGRES_SERVER: places}
        for kind in (RANDOM_ON_POSTGRES, RANDOM_ON_POSTGRES_SERVER):
            kills[kind] = sum(RANDOM_KILLS_ON_POSTGRES.values())
        faults |= {DATABASE: events, DATABASE_BELOW_SERVER: events}
    return {
        **kills,
        CALLS: 1,
        **faults,
        INPUTS: inputs,
        OVERLAPS: TIMES_AT_ONCE,
        NIGHTS: 30,
        CYCLES: IN_CHAINS,
    }
