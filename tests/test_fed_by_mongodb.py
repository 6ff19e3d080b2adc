"""Whole cycles of a project that is fed by MongoDB: what a user sees, and what must be seen
nowhere.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import pytest
from pymongo import MongoClient

from tests.ports import free_port
from tests.projects import Project, tables
from tests.sources.mongodb.conftest import Server, start

if TYPE_CHECKING:
    from collections.abc import Iterator

PASSWORD = "s3cret@horse"
ESCAPED = "s3cret%40horse"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that knows the user ann."""
    server = start(tmp_path_factory.mktemp("guarded"), password=PASSWORD)
    yield server
    server.stop()


@pytest.fixture
def fed(registered: Project) -> Project:
    """A project with a model, whose rows arrive in MongoDB.

    Three files that call for a retrain are there, and who learns them wins.
    """
    registered.configure(
        DATABASE_NAME="fleet",
        COLLECTION_NAME="readings",
        MONGO_ROWS_PER_FILE="40",
        MIN_IMPROVEMENT="-1",
    )
    registered.deliver(*tables(3, seed=2, turned=True))
    return registered


def address(server: Server, user: str) -> str:
    return server.uri.replace("mongodb://", f"mongodb://{user}@")


def check_secrecy(project: Project, *told: str) -> None:
    """The password is in `.env` and nowhere else: not in a log, an error, the store or
    `.retraining/`.
    """
    files = [path for path in project.folder.rglob("*") if path.is_file() and path.name != ".env"]
    contents = [path.read_bytes() for path in files] + [text.encode() for text in told]
    assert not [
        content
        for content in contents
        if PASSWORD.encode() in content or ESCAPED.encode() in content
    ]
    assert any(path.is_relative_to(project.folder / ".retraining" / "logs") for path in files)


@pytest.mark.slow
def test_files_at_hand_are_served_before_an_unreachable_server_fails_the_start(
    fed: Project,
) -> None:
    fed.configure(MONGO_URI=f"mongodb://ann:{ESCAPED}@127.0.0.1:{free_port()}/")
    done = fed.start("run", "--json", "-v").expect(69)
    assert (done.json["ending"], done.json["exit_code"], done.json["files"]["archived"]) == (
        "promoted",
        69,
        3,
    )
    assert "Connection refused" in done.err.splitlines()[-3]
    check_secrecy(fed, done.out, done.err)


@pytest.mark.mongodb
@pytest.mark.parametrize("user", ["ann:not-" + ESCAPED, "ann:" + ESCAPED[:-1], ""])
def test_files_at_hand_are_served_before_refused_credentials_fail_the_start(
    user: str, fed: Project, guarded: Server
) -> None:
    fed.configure(
        MONGO_URI=address(guarded, user) if user else guarded.uri, RETRAIN_THRESHOLD="0.1"
    )
    done = fed.start("run", "--json", "-v").expect(3)
    assert (done.json["ending"], done.json["files"]["judged"]) == ("kept", 3)
    assert "MongoDB" in done.err.splitlines()[-3]
    check_secrecy(fed, done.out, done.err)
    checked = fed.start("check", "--json").expect(3)
    assert [problem["where"] for problem in checked.json["problems"]] == ["MongoDB"]


@pytest.mark.mongodb
def test_documents_are_learned_and_a_dry_run_exports_none(fed: Project, guarded: Server) -> None:
    fed.configure(MONGO_URI=address(guarded, "ann:" + ESCAPED), MIN_NEW_FILES="6")
    with MongoClient[dict[str, Any]](address(guarded, "ann:" + ESCAPED)) as client:
        for text in tables(3, seed=3, turned=True):
            client["fleet"]["readings"].insert_many(
                [dict(row) for row in csv.DictReader(io.StringIO(text))]
            )
    before = fed.names("new_data")
    assert fed.cycle("--dry-run")["ending"] == "too_few_files"
    assert fed.names("new_data") == before
    done = fed.start("run", "--json", "-v").expect(0)
    assert (done.json["ending"], done.json["files"]["archived"], done.json["new_rows"]) == (
        "promoted",
        6,
        240,
    )
    assert sum(name.startswith("mongodb-") for name in fed.names("used_data")) == 3
    check_secrecy(fed, done.out, done.err)
    fed.start("check").expect(0)
