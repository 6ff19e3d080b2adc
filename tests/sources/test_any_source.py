"""What a cycle and the commands do with any source: shown by one that they have never heard of."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from retraining import sources
from retraining.errors import UnreachableError
from retraining.settings import load
from retraining.sources import sources_of
from tests.projects import table
from tests.sources.postbox import Postbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.projects import Project

HEADER, *ROWS = table(9, seed=77).splitlines()


class KilledError(Exception):
    """Stands for kill -9: nothing that the export meant to do next is done."""


@pytest.fixture(autouse=True)
def _postbox_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line in the table is all that makes it a source."""
    monkeypatch.setitem(sources.SOURCES, "tests.sources.postbox", ("target_column",))


def postbox_of(folder: Path) -> Postbox:
    [found] = [source for source in sources_of(load(folder, {})) if isinstance(source, Postbox)]
    return found


def rows_in_files(folder: Path) -> list[str]:
    paths = [path for name in ("new_data", "used_data") for path in (folder / name).iterdir()]
    exported = sorted(path for path in paths if path.name.startswith("postbox-"))
    return [line for path in exported for line in path.read_text().splitlines()[1:]]


def leftovers(folder: Path) -> list[Path]:
    return list((folder / "new_data").glob(".*"))


def now() -> datetime:
    return datetime.now(UTC)


def fetch_and_die(
    postbox: Postbox, at: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An export that `at`, asked at each of its steps, ends like a kill."""
    with monkeypatch.context() as patched:
        patched.setattr("tests.sources.postbox.kill_point", at)
        with pytest.raises(KilledError):
            postbox.fetch(None, now)


def test_rows_of_a_source_are_scored_by_the_cycle_that_exported_them(registered: Project) -> None:
    postbox_of(registered.folder).post(HEADER, ROWS)
    told = registered.cycle("--force")
    assert (told["new_rows"], told["files"]["judged"] + told["files"]["archived"]) == (9, 3)
    assert "export from the postbox" in told["seconds"]
    assert registered.cycle()["ending"] == "unchanged"
    assert sorted(rows_in_files(registered.folder)) == sorted(ROWS)


def test_a_source_that_fails_at_a_closed_gate_is_alerted_of_as_stderr_tells_it(
    registered: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise UnreachableError(
            "The postbox is shut.", remedy="`python pipeline_orchestrator.py check` says more."
        )

    monkeypatch.setattr(Postbox, "has_news", lambda *_: True)
    monkeypatch.setattr(Postbox, "fetch", refuse)
    what, _, remedy = registered.start("run").expect(69).error
    assert what == "The postbox is shut."
    (line,) = (registered.folder / ".retraining" / "alerts.jsonl").read_text().splitlines()
    told = json.loads(line)
    assert (told["kind"], told["what"], told["try"]) == ("failure", what, remedy)


def test_a_dry_run_exports_nothing(registered: Project) -> None:
    postbox_of(registered.folder).post(HEADER, ROWS)
    done = registered.start("run", "--dry-run").expect(0)
    assert rows_in_files(registered.folder) == []
    assert "which a cycle exports first" in done.err


def test_a_source_without_news_is_not_opened(registered: Project) -> None:
    assert registered.cycle()["seconds"] == {}
    assert not postbox_of(registered.folder).path.exists()


def test_files_at_hand_are_served_before_a_source_that_fails_fails_the_start(
    registered: Project,
) -> None:
    postbox_of(registered.folder).path.mkdir()
    registered.deliver(table(seed=5), table(seed=6), table(seed=7))
    done = registered.start("run", "--json").expect(69)
    assert (done.json["ending"], done.json["files"]["judged"]) == ("kept", 3)
    assert done.error[0].endswith("The postbox is no file.")


def test_check_tells_what_a_source_finds_and_what_it_raises(registered: Project) -> None:
    def found() -> Iterator[tuple[str, str]]:
        for problem in registered.start("check", "--json").json["problems"]:
            if problem["where"] == "the postbox":
                yield problem["what"], problem["try"]

    assert list(found()) == [("The postbox is empty.", "Post something.")]
    postbox_of(registered.folder).path.unlink()
    postbox_of(registered.folder).path.mkdir()
    assert list(found()) == [("The postbox is no file.", "Make it one.")]


@pytest.mark.parametrize("place", ["postbox_aside", "postbox_claimed", "postbox_named"])
@pytest.mark.parametrize("after", [0, 1])
def test_an_export_that_died_anywhere_is_finished_by_the_next_each_row_once(
    place: str, after: int, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    postbox = postbox_of(project.folder)
    postbox.post(HEADER, ROWS)
    passed = []

    def kill(name: str) -> None:
        if name == place:
            passed.append(name)
            if len(passed) > after:
                raise KilledError

    fetch_and_die(postbox, kill, monkeypatch)
    postbox.fetch(None, now)
    assert sorted(rows_in_files(project.folder)) == sorted(ROWS)
    assert leftovers(project.folder) == []


def test_rows_whose_file_was_lost_before_it_had_its_name_are_exported_again(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    postbox = postbox_of(project.folder)
    postbox.post(HEADER, ROWS)

    def lose(name: str) -> None:
        if name == "postbox_claimed":
            for path in leftovers(project.folder):
                path.unlink()
            raise KilledError

    fetch_and_die(postbox, lose, monkeypatch)
    postbox.fetch(None, now)
    assert sorted(rows_in_files(project.folder)) == sorted(ROWS)


def test_the_settings_say_which_sources_there_are(project: Project) -> None:
    assert [source.key for source in sources_of(load(project.folder, {}))] == ["postbox"]
    project.configure(MONGO_URI="mongodb://db/", DATABASE_NAME="fleet", COLLECTION_NAME="readings")
    keys = [source.key for source in sources_of(load(project.folder, {}))]
    assert keys == ["mongodb", "postbox"]
