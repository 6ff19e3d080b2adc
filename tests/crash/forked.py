"""Projects whose starts are forked workers that can be killed, failed and overlapped.

Snapshots of them at the same path.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tests.crash.databases import FILE, PostgresDatabase, SqliteFile
from tests.projects import CLONE, ORCHESTRATOR, Finished, Project, environment_of_cron

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.crash.databases import Database, Event
    from tests.postgres import Postgres

KILLED = -9
FOLDERS = ("new_data", "used_data", "quarantine")
RECIPE = """
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

def train_model(X_train, y_train):
    numbers = make_column_transformer(("passthrough", make_column_selector(dtype_include="number")))
    tree = DecisionTreeClassifier(max_depth=2, random_state=0)
    return make_pipeline(numbers, tree).fit(X_train, y_train)
"""
LOSING_RECIPE = """
from sklearn.dummy import DummyClassifier

def train_model(X_train, y_train):
    return DummyClassifier(strategy="constant", constant=y_train.iloc[0]).fit(X_train, y_train)
"""


class Zygote:
    """The process that forks; made once a session."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._empty: dict[int, PostgresDatabase] = {}
        scratch.mkdir(parents=True, exist_ok=True)
        with (scratch / "zygote.log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.crash.zygote"],
                cwd=CLONE,
                env={**environment_of_cron(scratch), "MLFLOW_DISABLE_TELEMETRY": "true"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._answer() == "ready\n", (scratch / "zygote.log").read_text()

    def fork(self, *starts: dict[str, Any]) -> list[Ended]:
        """Start all at once; how each ended."""
        nothing: dict[str, Any] = {
            "kill_at": None,
            "kill_after": None,
            "kill_in_commit": None,
            "fault": None,
            "registry_side": None,
            "person": None,
            "database": None,
            "clock": 0,
            "repeat": 1,
            "words": [],
            "script": ORCHESTRATOR,
        }
        asked = [
            {**nothing, **start, "scratch": str(self._scratch / f"{place}")}
            for place, start in enumerate(starts)
        ]
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        answer = self._answer()
        assert answer, (self._scratch / "zygote.log").read_text()
        return [self._ended(place, told) for place, told in enumerate(json.loads(answer))]

    @cached_property
    def empty_store(self) -> Path:
        """A database with MLflow's tables and nothing in them: making one takes longer than most
        starts.
        """
        store = self._scratch / "empty.db"
        self._make_store(f"sqlite:///{store}")
        return store

    def new_database(self, server: Postgres) -> PostgresDatabase:
        """The same in a PostgreSQL server, for one project: a copy of one that is made once."""
        if server.port not in self._empty:
            empty = PostgresDatabase(server, server.new_database())
            self._make_store(empty.uri)
            self._empty[server.port] = empty
        return PostgresDatabase(server, server.new_database(self._empty[server.port].name))

    def _make_store(self, uri: str) -> None:
        made = {
            "registry_side": ["make_store", uri, "", ""],
            "environment": environment_of_cron(self._scratch),
        }
        self.fork(made)[0].expect(0)

    def _ended(self, place: int, told: dict[str, Any]) -> Ended:
        out, err, fault = (
            (self._scratch / f"{place}.{name}").read_text(errors="replace")
            for name in ("out", "err", "fault")
        )
        return Ended(
            told["code"], out, err, seconds=told["seconds"], fault=json.loads(fault or "{}")
        )

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def close(self) -> None:
        self._process.communicate()


@dataclass(frozen=True)
class Ended(Finished):
    """How a worker ended: a negative code is the signal that killed it.

    `fault` tells how many calls were seen, and whether one failed.
    """

    seconds: float = 0.0
    fault: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ForkedProject(Project):
    """A project whose starts are forked workers."""

    zygote: Zygote = field(kw_only=True)
    database: Database = field(kw_only=True)

    @classmethod
    def at(
        cls, folder: Path, zygote: Zygote, database: Database | None = None, **settings: str
    ) -> ForkedProject:
        """Folders, quick settings and a recipe that fits in a millisecond.

        The store is the project's own sqlite file, where no other database is named.
        """
        own = SqliteFile(folder)
        quick = {**Project.made(folder).settings, "MIN_TEST_ROWS": "20"}
        if database is not None:
            quick["MLFLOW_TRACKING_URI"] = database.uri
        made = cls(folder, {**quick, **settings}, zygote=zygote, database=database or own)
        made.configure()
        made.recipe(RECIPE)
        if database is None:
            made.take_store(zygote.empty_store)
        return made

    def recipe(self, text: str) -> None:
        (self.folder / "train_classification_model.py").write_text(text)

    # --- starts -----------------------------------------------------------------------------------
    def start(self, *words: str, script: str = ORCHESTRATOR, **how: Any) -> Ended:
        """One start, killed, failed or disturbed as `how` says.

        `kill_at`, `kill_after`, `kill_in_commit`, `fault` with the folder `below` which it strikes,
        `person`: a place, and what is asked there, and `database`: a place, and what happens to
        PostgreSQL there.
        """
        return self.zygote.fork(self._request(*words, script=script, **how))[0]

    def start_together(self, count: int, *words: str) -> list[Ended]:
        """Several starts at the same moment."""
        return self.zygote.fork(*(self._request(*words) for _ in range(count)))

    def _request(
        self,
        *words: str,
        script: str = ORCHESTRATOR,
        fault: tuple[str, str, int] | tuple[str, str, int, bool] | None = None,
        below: str = "",
        person: tuple[str, ...] = (),
        database: tuple[str, Event] | None = None,
        **how: Any,
    ) -> dict[str, Any]:
        failing = (
            dict(zip(("call", "error", "nth", "lasting"), fault, strict=False))
            | {"root": str(self.folder / below)}
            if fault
            else None
        )
        acting = {"at": person[0], "asks": self._asked(*person[1:])} if person else None
        happening = self._happening(*database) if database else None
        words = (*words, "--project", str(self.folder))
        start = {"words": words, "script": script, "environment": environment_of_cron(self.folder)}
        return {**start, "fault": failing, "person": acting, "database": happening, **how}

    def _happening(self, place: str, event: Event) -> dict[str, Any]:
        assert isinstance(self.database, PostgresDatabase)
        server = self.database.server
        return {
            "at": place,
            "event": event,
            "uri": self.database.uri,
            "server": [str(server.folder), str(server.programs), server.port],
        }

    # --- the registry, as a person sees it --------------------------------------------------------
    @property
    def store(self) -> str:
        return self.settings.get("MLFLOW_TRACKING_URI", self.database.uri)

    def ask(self, question: str, *arguments: Any) -> Any:
        """Ask MLflow's client, in a worker without our code."""
        asked = {
            "registry_side": self._asked(question, *arguments),
            "environment": environment_of_cron(self.folder),
        }
        return self.zygote.fork(asked)[0].expect(0).json

    def _asked(self, question: str, *arguments: Any) -> list[Any]:
        names = (
            self.settings.get("MODEL_NAME", "classifier"),
            self.settings.get("MLFLOW_EXPERIMENT_NAME", "retraining"),
        )
        return [question, self.store, *names, *arguments]

    def registry(self) -> dict[str, Any]:
        """Aliases, tags, versions with manifests, runs."""
        found: dict[str, Any] = self.ask("whole")
        found["versions"] = {int(number): version for number, version in found["versions"].items()}
        return found

    def stored(self) -> str:
        """A digest of every row of the store's database, wherever its server is."""
        return self.database.digest()

    def move_alias(self, version: int, alias: str = "production") -> None:
        """What a person does in the UI."""
        self.ask("set_registered_model_alias", alias, str(version))

    # --- files ------------------------------------------------------------------------------------
    def whereabouts(self) -> dict[str, list[str]]:
        """SHA-256 -> folders that hold it, one entry for each file."""
        found: dict[str, list[str]] = {}
        for folder in FOLDERS:
            for path in data_files(self.folder / folder):
                found.setdefault(digest(path), []).append(folder)
        return found

    def digests(self, folder: str) -> set[str]:
        """Digests of a folder's data files."""
        return {digest(path) for path in data_files(self.folder / folder)}

    def everything(self) -> dict[str, str]:
        """A digest of every file but the store's and `.retraining/`'s."""
        skipped = (self.folder / ".retraining", self.folder / "mlflow_server" / "backend_db")
        paths = (p for p in self.folder.rglob("*") if p.is_file() and not p.is_symlink())
        return {
            str(p.relative_to(self.folder)): digest(p)
            for p in paths
            if not any(s in p.parents for s in skipped) and "__pycache__" not in p.parts
        }

    # --- snapshots: the same path again, since a store holds absolute paths -----------------------
    def save(self, name: str = "saved") -> Snapshot:
        """The folder and the settings as they are."""
        kept = self.folder.with_name(f"{self.folder.name}.{name}")
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(self.folder, kept, symlinks=True)
        self.database.save(kept)
        return Snapshot(self, kept, dict(self.settings))


@dataclass(frozen=True)
class Snapshot:
    """A project as it was."""

    project: ForkedProject
    kept: Path
    settings: dict[str, str]

    def restore(self) -> ForkedProject:
        """Put it back, though a server has the database open."""
        folder = self.project.folder
        for path in folder.iterdir():
            if path.name != "mlflow_server":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.rmtree(folder / "mlflow_server" / "artifacts", ignore_errors=True)
        shutil.copytree(
            self.kept,
            folder,
            symlinks=True,
            dirs_exist_ok=True,
            ignore=shutil.ignore_patterns(f"{FILE.name}*"),
        )
        self.project.database.restore(self.kept)
        self.project.settings.clear()
        self.project.configure(**self.settings)
        return self.project


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def data_files(folder: Path) -> Iterator[Path]:
    """Visible regular files, without the reasons beside refused ones."""
    paths: Sequence[Path] = sorted(folder.glob("*")) if folder.is_dir() else []
    return (
        p
        for p in paths
        if p.is_file()
        and not p.is_symlink()
        and not p.name.startswith(".")
        and not p.name.endswith(".reason.json")
    )
