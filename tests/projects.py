"""Projects for tests: folders with data of a known concept, and our scripts started on them, in
this process or in one of their own.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import logging
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import pipeline_orchestrator
import register_first_model
from retraining import cli

CLONE = Path(__file__).resolve().parents[1]
ORCHESTRATOR, REGISTER = "pipeline_orchestrator.py", "register_first_model.py"
QUICK = {
    "MIN_NEW_FILES": "3",
    "MIN_FILE_AGE_SECONDS": "0",
    "RETRAIN_THRESHOLD": "0.7",
    "HOLDOUT_FRACTION": "0.4",
    "RETRAIN_WHEN": "threshold",
}
NAMES = itertools.count()
ADDRESSES = (  # columns of MLflow's tables that hold addresses of artifacts
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
MEASURED_BY = ("COVERAGE_PROCESS_CONFIG",)  # set by `make coverage` alone


@dataclass(frozen=True)
class Finished:
    """What a start left: exit code and both streams."""

    code: int
    out: str
    err: str

    def expect(self, code: int) -> Finished:
        assert self.code == code, f"exit code {code} was expected\n{self}"
        return self

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> list[str]:
        """The last three lines of stderr: what failed and where, what was left unchanged, what to
        try.
        """
        assert "Traceback" not in self.err, self
        lines = self.err.splitlines()
        assert len(lines) >= 3, f"three lines were expected on stderr\n{self}"
        return lines[-3:]

    def __str__(self) -> str:
        return f"exit {self.code}\n--- stdout\n{self.out[-2000:]}\n--- stderr\n{self.err[-3000:]}"


@dataclass(frozen=True)
class Project:
    """A project in a folder of its own, with its settings in `.env`."""

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)

    @classmethod
    def made(cls, folder: Path, **settings: str) -> Project:
        """Folders, settings that make cycles quick, and an empty inbox and archive."""
        made = cls(folder, {**QUICK, **settings})
        for name in ("new_data", "used_data"):
            (folder / name).mkdir(parents=True)
        made.configure()
        return made

    @classmethod
    def with_first_model(cls, folder: Path, empty_store: Path) -> Project:
        """Twelve files in the archive, version 1 of them in production, and an empty inbox."""
        made = cls.made(folder)
        made.deliver(*tables(12, seed=1), to="used_data", age=7200)
        made.take_store(empty_store)
        made.register()
        return made

    def copied(self, folder: Path) -> Project:
        """The same project once more in another folder, with its own copy of the store."""
        shutil.copytree(self.folder, folder)
        store = folder / "mlflow_server" / "backend_db" / "mlflow.db"
        with contextlib.closing(sqlite3.connect(store)) as database, database:
            for table, column in ADDRESSES:
                query = f"UPDATE {table} SET {column} = replace({column}, ?, ?)"
                database.execute(query, (self.folder.as_uri(), folder.as_uri()))
        return Project(folder, dict(self.settings))

    def configure(self, **settings: str) -> None:
        """Change settings in `.env`."""
        self.settings.update(settings)
        (self.folder / ".env").write_text(
            "".join(f"{name}={value}\n" for name, value in self.settings.items())
        )

    def take_store(self, store: Path) -> None:
        """Start from a copy of an empty store.

        Making one takes longer than all else in a small test.
        """
        target = self.folder / "mlflow_server" / "backend_db" / "mlflow.db"
        target.parent.mkdir(parents=True)
        shutil.copyfile(store, target)

    # --- files ------------------------------------------------------------------------------------
    def deliver(self, *tables: str, to: str = "new_data", age: float = 60) -> list[Path]:
        """Put CSV texts into a folder, each an hour's fraction younger than the one before."""
        return [
            self.put(f"batch-{next(NAMES):04d}.csv", text, to=to, age=age - place * 1e-3)
            for place, text in enumerate(tables)
        ]

    def put(
        self, name: str, content: str | bytes, *, to: str = "new_data", age: float = 60
    ) -> Path:
        path = self.folder / to / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        os.utime(path, (time.time() - age,) * 2)
        return path

    def names(self, folder: str) -> set[str]:
        """Names of the data files in a folder."""
        return {
            path.name
            for path in (self.folder / folder).glob("[!.]*")
            if not path.name.endswith(".reason.json")
        }

    # --- starts -----------------------------------------------------------------------------------
    def start(self, *words: str, script: str = ORCHESTRATOR, **extra: str) -> Finished:
        """Start a script in this process: the same code, without the seconds that a process needs
        for its imports.
        """
        arguments = [*words, "--project", str(self.folder)]
        out, err = io.StringIO(), io.StringIO()
        environment = {**environment_of_cron(self.folder), **extra}
        with contextlib.ExitStack() as scope:
            scope.enter_context(mock.patch.dict(os.environ, environment, clear=True))
            scope.enter_context(contextlib.redirect_stdout(out))
            scope.enter_context(contextlib.redirect_stderr(err))
            scope.enter_context(_logging_put_back())
            try:
                code = _main(script, arguments)
            except SystemExit as ended:
                code = int(ended.code or 0)
        return Finished(code, out.getvalue(), err.getvalue())

    def start_process(
        self, *words: str, script: str = ORCHESTRATOR, cwd: str = "/", **extra: str
    ) -> Finished:
        """Start a script as cron does: a process of its own, hardly any environment, another
        working directory.
        """
        done = subprocess.run(
            [sys.executable, str(CLONE / script), *words, "--project", str(self.folder)],
            cwd=cwd,
            env={**environment_of_cron(self.folder), **extra},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        return Finished(done.returncode, done.stdout, done.stderr)

    def cycle(self, *flags: str, **extra: str) -> Any:
        """One cycle in this process that must not fail; its JSON."""
        return self.start("run", "--json", *flags, **extra).expect(0).json

    def register(self, *words: str) -> Finished:
        """Register version 1 from the archive and give it the alias, unless other words are
        named.
        """
        return self.start(
            *(words or ("--train-from", "used_data", "--set-alias")), script=REGISTER
        ).expect(0)


def _main(script: str, arguments: list[str]) -> int:
    if script == REGISTER:
        return cli.obey(arguments, register_first_model.parse, register_first_model.register)
    return cli.main(arguments, pipeline_orchestrator.run_cycle)


@contextlib.contextmanager
def _logging_put_back() -> Any:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        yield
    finally:
        logging.captureWarnings(capture=False)
        root.handlers[:] = handlers
        root.setLevel(level)


def environment_of_cron(home: Path) -> dict[str, str]:
    """What cron gives a job, and one thread: OpenMP crawls on small tables when the cores are
    shared.
    """
    given = {"PATH": "/usr/bin:/bin", "HOME": str(home), "LANG": "C", "OMP_NUM_THREADS": "1"}
    return given | {name: os.environ[name] for name in MEASURED_BY if name in os.environ}


# --- data -----------------------------------------------------------------------------------------


def table(rows: int = 40, *, seed: int = 0, turned: bool = False) -> str:
    """A CSV of two classes: the label follows `speed`, or `load` where the concept has turned.

    One row in twenty has the other label.
    """
    rng = random.Random(seed)
    lines = ["speed,load,city,target"]
    for _ in range(rows):
        speed, load = rng.gauss(0, 1), rng.gauss(0, 1)
        label = ((load if turned else speed) > 0) != (rng.random() < 0.05)
        lines.append(f"{speed:.4f},{load:.4f},{rng.choice(['north', 'south'])},{int(label)}")
    return "\n".join(lines) + "\n"


def tables(count: int, *, seed: int, rows: int = 40, turned: bool = False) -> list[str]:
    """Several CSVs of the same kind, no two alike."""
    return [table(rows, seed=1000 * seed + place, turned=turned) for place in range(count)]
