"""What the outbox makes of files that a dead export left."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from retraining.errors import FolderGoneError
from retraining.settings import load
from retraining.sources.outbox import Outbox
from tests.sources.postbox import Envelope, Postbox

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 26, 2, 17, tzinfo=UTC)
ROWS = b"a,target\r\n1,0\r\n"


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    for name in ("new_data", "used_data"):
        (tmp_path / name).mkdir()
    settings = load(tmp_path, {})
    return Outbox.of(Postbox(settings), settings)


def claimed(outbox: Outbox, *, refused: bool = False) -> Envelope:
    """Rows that were set aside, and noted by their source."""
    sha256 = outbox.set_aside(ROWS, refused=refused, now=NOW)
    reason = "no target" if refused else ""
    return Envelope("postbox-1.csv", sha256, len(ROWS), NOW, refused, reason)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_claimed_file_that_is_aside_gets_its_name(outbox: Outbox) -> None:
    assert outbox.finish(claimed(outbox))
    assert names(outbox.inbox) == ["postbox-1.csv"]
    assert (outbox.inbox / "postbox-1.csv").read_bytes() == ROWS


@pytest.mark.parametrize("folder", ["inbox", "archive", "quarantine"])
def test_a_claimed_file_that_stands_anywhere_under_any_name_was_delivered(
    folder: str, outbox: Outbox
) -> None:
    envelope = claimed(outbox)
    outbox.publish(envelope)
    where = getattr(outbox, folder)
    where.mkdir(exist_ok=True)
    (outbox.inbox / envelope.file).rename(where / "renamed.csv")
    assert outbox.finish(envelope)
    assert names(where) == ["renamed.csv"]


@pytest.mark.parametrize("content", [None, ROWS[:-1], ROWS.replace(b"0", b"1")])
def test_a_claimed_file_whose_bytes_are_nowhere_was_not_delivered(
    content: bytes | None, outbox: Outbox
) -> None:
    envelope = claimed(outbox)
    outbox.discard(envelope.sha256, refused=False)
    if content is not None:
        (outbox.inbox / envelope.file).write_bytes(content)
    assert not outbox.finish(envelope)


def test_what_was_set_aside_and_never_claimed_goes_and_that_of_another_source_stays(
    outbox: Outbox,
) -> None:
    claimed(outbox)
    claimed(outbox, refused=True)
    (outbox.inbox / ".other-source.tmp").touch()
    outbox.discard_all_aside()
    assert names(outbox.inbox) == [".other-source.tmp"]
    assert names(outbox.quarantine) == []


def test_refused_rows_stand_in_quarantine_with_their_reason(outbox: Outbox) -> None:
    outbox.publish(claimed(outbox, refused=True))
    assert names(outbox.quarantine) == ["postbox-1.csv", "postbox-1.csv.reason.json"]
    note = json.loads((outbox.quarantine / "postbox-1.csv.reason.json").read_text())
    assert (note["reason"], note["from"], note["refused"]) == (
        "no target",
        "postbox",
        "2026-11-26T02:17:00Z",
    )


@pytest.mark.parametrize("gone", ["new_data", "used_data"])
def test_without_inbox_or_archive_nobody_could_tell_what_was_delivered(
    gone: str, outbox: Outbox, tmp_path: Path
) -> None:
    (tmp_path / gone).rmdir()
    settings = load(tmp_path, {})
    with pytest.raises(FolderGoneError, match="nothing was exported from the postbox"):
        Outbox.of(Postbox(settings), settings)
    assert outbox.key == "postbox"
