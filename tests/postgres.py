"""Debian's own PostgreSQL, started in a folder of its own.

Every test gets a database of its own.
"""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

USER, PASSWORD = "ada", "geheim"
SECONDS_TO_START = 120
_NAMES = itertools.count()
_RUNNING: list[Postgres] = []


@dataclass(frozen=True)
class Postgres:
    """A server that listens on this machine only, and asks for a password there."""

    folder: Path
    programs: Path
    port: int

    def new_database(self, template: str = "template1") -> str:
        """A database that is empty, or a copy of another one that nobody uses; its address."""
        name = f"test_{next(_NAMES)}"
        self.do(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.address(name)

    def do(self, *statements: str) -> list[tuple[Any, ...]]:
        """Obey statements one by one, each a transaction; the rows of the last, where it has any.

        They are asked in the database `postgres`, where none of the tests' rows are.
        """
        import psycopg  # not at the top: the oldest versions are tried without it

        address = self.address("postgres").replace("+psycopg", "")
        with psycopg.connect(address, autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def address(self, name: str, *, password: str = PASSWORD) -> str:
        return f"postgresql+psycopg://{USER}:{password}@127.0.0.1:{self.port}/{name}"

    def start(self) -> None:
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        self._control("start", "-o", options, "-l", str(self.folder / "log"), "-w")

    def stop(self) -> None:
        """End it at once: its clients see the connection closed."""
        self._control("stop", "-m", "immediate", "-w")

    def start_if_stopped(self) -> None:
        """What a person does who finds it down."""
        if not (self.folder / "data" / "postmaster.pid").exists():
            self.start()

    def _control(self, *words: str) -> None:
        self._as_owner("pg_ctl", "-D", str(self.folder / "data"), *words)

    def _as_owner(self, program: str, *words: str) -> None:
        """PostgreSQL refuses to be started by root, so its own user does it."""
        owner = "postgres" if os.geteuid() == 0 else None
        command = [str(self.programs / program), *words]
        environment = {"PATH": os.defpath, "LANG": "C", "PGUSER": USER}
        subprocess.run(
            command, user=owner, cwd=self.folder, env=environment, check=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=SECONDS_TO_START,
        )  # fmt: skip

    def make(self) -> None:
        """Lay the files out.

        The user may do everything, by password where it comes over the net.
        """
        secret = self.folder / "password"
        secret.write_text(PASSWORD + "\n")
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            for path in (self.folder, secret):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        self._as_owner(
            "initdb", "-D", str(self.folder / "data"), "-U", USER, "--pwfile", str(secret),
            "--auth-local=trust", "--auth-host=scram-sha-256", "-E", "UTF8", "--no-sync",
        )  # fmt: skip


def programs_installed() -> Path | None:
    """The folder of the newest PostgreSQL of this machine."""
    return max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)


@contextmanager
def running() -> Iterator[Postgres]:
    """A server for as long as the block runs; skips where PostgreSQL is not installed."""
    programs = programs_installed()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    # not under pytest's folder, which PostgreSQL's user may not enter; short, for the socket's name
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    server = Postgres(folder, programs, free_port())
    try:
        server.make()
        server.start()
        _RUNNING.append(server)
        try:
            yield server
        finally:
            _RUNNING.remove(server)
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def end_all() -> None:
    """For a process that ends in the middle of such blocks: servers do not end with it."""
    for server in _RUNNING:
        server.stop()
        shutil.rmtree(server.folder, ignore_errors=True)
