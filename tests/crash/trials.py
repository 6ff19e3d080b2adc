"""One trial each: bring a project to the eve of something, let one thing go wrong, start once more,
and say what does not hold.
"""

from __future__ import annotations

import itertools
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from tests.crash.databases import PostgresDatabase
from tests.crash.forked import KILLED, ForkedProject, Snapshot, digest
from tests.crash.invariants import broken
from tests.crash.scenarios import Delivered
from tests.mlflow_servers import mlflow_server
from tests.projects import CLONE, ORCHESTRATOR, REGISTER, environment_of_cron, tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.crash.databases import Database, Event
    from tests.crash.forked import Ended, Zygote
    from tests.crash.scenarios import Scenario
    from tests.model_registry.misbehaving import Front
    from tests.postgres import Postgres

# what a start may end with when a disk or a server fails under it; 2: its settings cannot be read
ALLOWED_CODES = {0, 1, 2, 3, 69}
READING = (("status",), ("history",), ("check",), ("run", "--dry-run"))
StoreName = Literal["sqlite", "server", "postgresql", "server on postgresql"]
LONGEST = 120  # seconds until an error must be told


@dataclass(frozen=True)
class Stage:
    """A project on the eve of a start, that can be put back there."""

    scenario: Scenario
    project: ForkedProject
    delivered: Delivered
    eve: Snapshot

    @classmethod
    def set_for(cls, scenario: Scenario, project: ForkedProject) -> Stage:
        delivered = scenario.made(project)
        return cls(scenario, project, delivered, project.save(f"eve of {scenario.name}"))

    def put_back(self) -> Stage:
        """The same eve, whatever was done to the project since.

        What a test adds to `delivered` is its own.
        """
        self.eve.restore()
        return replace(
            self, delivered=Delivered(Counter(self.delivered.all), set(self.delivered.first))
        )

    def killed_at(self, place: str) -> list[str]:
        """Kill at a named place, then start once more."""
        self.eve.restore()
        ended = self.scenario.start(self.project, kill_at=place)
        if ended.code != KILLED:
            return [f"{place} was never reached: {ended}"]
        return self.scenario.broken(self.project, self.delivered)

    def killed_after(self, seconds: float) -> list[str]:
        """Kill by the clock; a start that was quicker ended well."""
        self.eve.restore()
        ended = self.scenario.start(self.project, kill_after=seconds)
        if ended.code not in (0, KILLED):
            return [f"neither killed nor well: {ended}"]
        return self.scenario.broken(self.project, self.delivered)

    def killed_in_commit(self, number: int) -> list[str]:
        """Kill while the database is half changed: every command that reads can read it as it is
        then, and one more start loses nothing.
        """
        self.eve.restore()
        ended = self.scenario.start(self.project, kill_in_commit=number)
        if ended.code != KILLED:
            return [f"there is no commit number {number}: {ended}"]
        store = self.project.folder / "mlflow_server" / "backend_db"
        half_changed = {path: path.read_bytes() for path in store.iterdir()}
        wrong = []
        for words in READING:
            look = self.project.start(*words)
            wrong += [] if look.code in (0, 3) else [f"{words}: {look}"]
            for path, content in half_changed.items():
                path.write_bytes(content)
        return [*wrong, *self.scenario.broken(self.project, self.delivered)]

    def calls_of(self, call: str) -> int:
        """How many calls of a kind an undisturbed start makes below the project."""
        self.eve.restore()
        return int(self.scenario.start(self.project, fault=(call, "EIO", 0)).fault["seen"])

    def failed_call(self, call: str, error: str, nth: int, *, lasting: bool = False) -> list[str]:
        """Let the nth call of a kind fail, or all from there on."""
        self.eve.restore()
        ended = self.scenario.start(self.project, fault=(call, error, nth, lasting))
        wrong = self.scenario.broken(self.project, self.delivered)
        if wrong:  # a copy that could not be read for a moment goes when the gate opens next
            delivered = Counter(self.delivered.all)
            delivered.update(digest(path) for path in self.project.deliver(*tables(3, seed=91)))
            self.project.start("run")
            wrong = broken(self.project, delivered, self.delivered.first)
        return [*told_badly(ended), *wrong]

    def failed_copy(self, nth: int) -> list[str]:
        """Let the nth opening of a private copy fail once: no model is damaged for that, and no
        copy stays.
        """
        self.eve.restore()
        ended = self.scenario.start(
            self.project, fault=("open", "EACCES", nth), below=".retraining/tmp"
        )
        left = [path.name for path in (self.project.folder / ".retraining" / "tmp").glob("*")]
        wrong = [f"private copies are left: {left}"] if left else []
        return [
            *wrong,
            *told_badly(ended),
            *([f"exit code {ended.code}"] if ended.code not in (0, 1) else []),
        ]

    def deleted_under_it(self, place: str, *what: str) -> list[str]:
        """A person deletes something when the start comes to `place`, sees to the alias afterwards,
        and the job starts once more.
        """
        self.eve.restore()
        wrong = told_badly(self.scenario.start(self.project, person=(place, *what)))
        consumed = self.project.digests("used_data") - self.delivered.first
        see_to_the_alias(self.project)
        # what it consumed is recorded nowhere any more
        if what == ("delete_model_version", "2") and consumed:
            healed = self.scenario.heal(self.project)
            wrong += [f"the next start did not heal: {healed}"] if healed.code else []
            return wrong + [
                f"{sha[:8]} is lost"
                for sha in self.delivered.all
                if sha not in self.project.whereabouts()
            ]
        return [*wrong, *self.scenario.broken(self.project, self.delivered)]

    def meanwhile(
        self, trouble: Callable[[ForkedProject], Iterator[None]], codes: set[int]
    ) -> list[str]:
        """Start while something is wrong, mend it, and start once more."""
        self.eve.restore()
        with contextmanager(trouble)(self.project):
            ended = self.scenario.start(self.project)
        wrong = (
            [f"one of the exit codes {sorted(codes)} was expected: {ended}"]
            if ended.code not in codes
            else []
        )
        return [*wrong, *told_badly(ended), *self.scenario.broken(self.project, self.delivered)]

    def database_at(self, place: str, event: Event, codes: set[int]) -> list[str]:
        """Something happens to the PostgreSQL below the store when the start comes to `place`.

        It is there again when the job starts once more.
        """
        self.eve.restore()
        ended = self.scenario.start(self.project, database=(place, event))
        return self._after_event(ended, codes)

    def database_after(self, seconds: float, event: Event, codes: set[int]) -> list[str]:
        """The same by the clock, in the middle of a statement as well as between two."""
        self.eve.restore()
        happening = threading.Timer(seconds, on_postgres(self.project).have, [event])
        happening.start()
        ended = self.scenario.start(self.project)
        happening.join()
        return self._after_event(ended, codes)

    def _after_event(self, ended: Ended, codes: set[int]) -> list[str]:
        on_postgres(self.project).server.start_if_stopped()
        wrong = [] if ended.code in codes else [f"not one of the codes {sorted(codes)}: {ended}"]
        return [*wrong, *told_badly(ended), *self.scenario.broken(self.project, self.delivered)]


def on_postgres(project: ForkedProject) -> PostgresDatabase:
    """The database of a project whose registry is on PostgreSQL."""
    assert isinstance(project.database, PostgresDatabase)
    return project.database


def see_to_the_alias(project: ForkedProject) -> None:
    """What the error asks a person to do: give the alias to a version that is there, or register a
    first model again.

    A closed gate does not look at the alias, so the marker that closes it goes.
    """
    (project.folder / ".retraining" / "clean").unlink(missing_ok=True)
    registry = project.registry()
    if not registry["versions"]:
        project.start("--train-from", "used_data", "--set-alias", script=REGISTER).expect(0)
    elif "production" not in registry["aliases"]:
        project.move_alias(min(registry["versions"]))


def told_badly(ended: Ended) -> list[str]:
    """What an error must be: one of our exit codes, three lines, no traceback, within two
    minutes.
    """
    wrong = []
    if ended.code not in ALLOWED_CODES:
        wrong.append(f"exit code {ended.code}: {ended}")
    if ended.code and ("Traceback" in ended.err or len(ended.err.splitlines()) < 3):
        wrong.append(f"not three lines: {ended}")
    if ended.seconds > LONGEST:
        wrong.append(f"told after {ended.seconds:.0f} s")
    return wrong


# --- stores ---------------------------------------------------------------------------------------


@contextmanager
def projects_on(
    store: StoreName, folder: Path, zygote: Zygote, server: Postgres | None = None
) -> Iterator[Callable[[], ForkedProject]]:
    """A maker of new projects whose registry lies in that kind of store.

    Those of one MLflow server are one project, made new each time.
    """
    folder.mkdir(parents=True, exist_ok=True)
    numbers = itertools.count()

    def database() -> Database | None:
        return zygote.new_database(server) if server is not None else None

    if store.startswith("server"):
        with on_server(folder / "project", zygote, database()) as new:
            yield new.restore
    else:
        yield lambda: ForkedProject.at(folder / f"project-{next(numbers)}", zygote, database())


@contextmanager
def on_server(
    folder: Path, zygote: Zygote, database: Database | None = None, /, **settings: str
) -> Iterator[Snapshot]:
    """A new project on a real server, whose database and artifacts stand where a bare store's
    would.

    The artifacts go through the server, as by default.
    """
    project = ForkedProject.at(folder, zygote, database, **settings)
    artifacts = folder / "mlflow_server" / "artifacts"
    with mlflow_server(folder.parent, project.database.uri, artifacts) as url:
        project.configure(MLFLOW_TRACKING_URI=url)
        yield project.save("new")


# --- troubles -------------------------------------------------------------------------------------


def locked_for(seconds: float) -> Callable[[ForkedProject], Iterator[None]]:
    """Another process holds the database, from the first moment on."""

    def trouble(project: ForkedProject) -> Iterator[None]:
        holder = sqlite3.connect(
            project.folder / "mlflow_server/backend_db/mlflow.db", check_same_thread=False
        )
        holder.execute("BEGIN EXCLUSIVE")
        letting_go = threading.Timer(seconds, holder.close)
        letting_go.start()
        yield
        letting_go.cancel()
        holder.close()

    return trouble


def model_files(project: ForkedProject) -> list[Path]:
    """The pickled models in the artifacts, the oldest first."""
    return sorted(
        project.folder.glob("mlflow_server/artifacts/**/model.pkl"),
        key=lambda path: path.stat().st_mtime,
    )


def damaged(how: str) -> Callable[[ForkedProject], Iterator[None]]:
    """The production model's file is not what was registered."""

    def trouble(project: ForkedProject) -> Iterator[None]:
        (path,) = model_files(project)[:1]
        whole = path.read_bytes()
        if how == "missing":
            path.unlink()
        else:
            middle = len(whole) // 2
            flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
            path.write_bytes(
                {
                    "truncated": whole[:middle],
                    "flipped": flipped,
                    "swapped": b"cos\nsystem\n(S'touch /tmp/owned'\ntR.",
                }[how]
            )
        yield
        path.write_bytes(whole)

    return trouble


def answering(
    front: Front, what: str, after: int, *, once: bool
) -> Callable[[ForkedProject], Iterator[None]]:
    """The server misbehaves from some request on, or at that one alone.

    `what` is one of `misbehaving`'s words.
    """

    def trouble(project: ForkedProject) -> Iterator[None]:
        seen = itertools.count()

        def rule(_method: str, _path: str) -> str:
            place = next(seen)
            return what if place == after or (place > after and not once) else "pass"

        front.rule = rule
        yield
        front.rule = lambda _method, _path: "pass"
        front.released.set()
        front.released.clear()

    return trouble


def moved_away(name: str) -> Callable[[ForkedProject], Iterator[None]]:
    """A folder of the project is not there, as after an unmount."""

    def trouble(project: ForkedProject) -> Iterator[None]:
        aside = project.folder.with_name("unmounted")
        (project.folder / name).rename(aside)
        yield
        shutil.rmtree(project.folder / name, ignore_errors=True)
        aside.rename(project.folder / name)

    return trouble


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[bool]:
    """A disk of its own at `folder`; False where this machine does not let us make one."""
    folder.mkdir(parents=True, exist_ok=True)
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", folder],
        check=False,
        capture_output=True,
    )
    try:
        yield made.returncode == 0
    finally:
        if made.returncode == 0:
            subprocess.run(["umount", "--lazy", folder], check=False)


def disk_with(kilobytes: int) -> Callable[[ForkedProject], Iterator[None]]:
    """The project's disk has so much room left."""

    def trouble(project: ForkedProject) -> Iterator[None]:
        ballast = project.folder.with_name("ballast")
        ballast.write_bytes(
            bytes(max(0, shutil.disk_usage(project.folder).free - kilobytes * 1024))
        )
        yield
        ballast.unlink()

    return trouble


# --- starts that overlap --------------------------------------------------------------------------


def overlapping(project: ForkedProject, count: int = 8) -> list[str]:
    """Real processes, started at once: one works, the others end 75 after less than a second of
    work.

    Work is time on a core, not on a clock: a machine that does other things too makes eight
    processes wait for each other.
    """
    command = [
        sys.executable,
        str(CLONE / ORCHESTRATOR),
        "run",
        "--json",
        "--project",
        str(project.folder),
    ]
    nowhere: dict[str, Any] = {
        "stdin": subprocess.DEVNULL,
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
    }
    environment = environment_of_cron(project.folder)
    processes = [
        subprocess.Popen(command, cwd="/", env=environment, **nowhere) for _ in range(count)
    ]
    ended: list[tuple[int, float]] = []
    for process in processes:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        ended.append((process.returncode, used.ru_utime + used.ru_stime))
    codes = sorted(code for code, _ in ended)
    slowest = max((seconds for code, seconds in ended if code == 75), default=0.0)
    wrong = [] if codes == [0] + [75] * (count - 1) else [f"exit codes {codes}"]
    return (
        wrong
        if slowest < 1
        else [*wrong, f"the slowest worked {slowest:.2f} s before it was turned away"]
    )
