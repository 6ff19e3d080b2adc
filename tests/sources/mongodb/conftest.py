"""A real server that speaks MongoDB's protocol, for the tests marked `mongodb`."""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pymongo import MongoClient

from tests.ports import free_port
from tests.sources.mongodb.material import project_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pymongo.collection import Collection

    from retraining.settings import Settings

CACHE = Path(__file__).resolve().parents[3] / ".cache"
MISSING = (
    "no server: set TEST_MONGO_URI, put mongod or ferretdb on PATH, or run tools/build_ferretdb.sh"
)


@dataclass
class Server:
    """A server that a test may kill."""

    uri: str
    process: subprocess.Popen[bytes] | None = None

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


def program() -> str | None:
    """The server's program: `mongod` or `ferretdb`."""
    path = os.pathsep.join([os.environ.get("PATH", ""), str(CACHE)])
    return shutil.which("mongod", path=path) or shutil.which("ferretdb", path=path)


def start(folder: Path, *, password: str | None = None) -> Server:
    """A server of our own, on a free port, with its data in `folder`.

    With a password only FerretDB is meant.
    """
    found = program()
    if found is None:
        pytest.skip(MISSING)
    port, data = free_port(), folder / "data"
    data.mkdir(exist_ok=True)
    if "mongod" in Path(found).name:
        if password:
            pytest.skip(
                "a user is set up with FerretDB only: run tools/build_ferretdb.sh and take mongod"
                " off PATH"
            )
        command = [found, "--dbpath", str(data), "--port", str(port), "--bind_ip", "127.0.0.1"]
    else:
        command = [
            found,
            "--handler=sqlite",
            f"--sqlite-url=file:{data}/",
            f"--state-dir={data}",
            f"--listen-addr=127.0.0.1:{port}",
        ]
        command += ["--debug-addr=-", "--telemetry=disable"]
        if password:
            command += [
                "--test-enable-new-auth",
                "--setup-username=ann",
                f"--setup-password={password}",
                "--setup-database=admin",
            ]
    with (folder / "server.log").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    server = Server(f"mongodb://127.0.0.1:{port}/", process)
    with MongoClient[dict[str, Any]](server.uri, serverSelectionTimeoutMS=20_000) as client:
        client.admin.command("ping")
    return server


@pytest.fixture(scope="session")
def mongodb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that all tests share."""
    if given := os.environ.get("TEST_MONGO_URI"):
        yield given
        return
    server = start(tmp_path_factory.mktemp("mongodb"))
    yield server.uri
    server.stop()


@pytest.fixture
def database(mongodb: str) -> Iterator[str]:
    """The name of a database of the test's own."""
    name = f"retraining_test_{uuid.uuid4().hex[:12]}"
    yield name
    with MongoClient[dict[str, Any]](mongodb) as client:
        client.drop_database(name)


@pytest.fixture
def project(mongodb: str, database: str, tmp_path: Path) -> Settings:
    """A project fed by the collection `readings` of that database, ten rows a file."""
    return project_at(tmp_path / "project", mongodb, database)


@pytest.fixture
def readings(mongodb: str, database: str) -> Iterator[Collection[dict[str, Any]]]:
    """The collection that feeds the project."""
    with MongoClient[dict[str, Any]](mongodb) as client:
        yield client[database]["readings"]
