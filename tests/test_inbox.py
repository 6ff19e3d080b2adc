"""The data folders: a file is known by its bytes, copied before it is read, never overwritten, and
never lost.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from retraining.errors import FolderGoneError, StoreError
from retraining.folders.file_moves import with_digest
from retraining.folders.local_state import LocalState
from retraining.inbox import Inbox, claiming
from retraining.inbox.listing import NO_PERMISSION, TOO_YOUNG
from retraining.inbox.passed_over import in_words, older_than_a_day, passed_over
from retraining.inbox.read_only import ReadOnlyInbox
from retraining.records import DataFile
from retraining.settings import load

if TYPE_CHECKING:
    from collections.abc import Callable

    from retraining.settings import Settings

AGED = 60_000  # seconds; what is younger than 1000 stays young however slow the machine


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    for name in ("new_data", "used_data"):
        (tmp_path / name).mkdir()
    settings = load(tmp_path, {"MIN_FILE_AGE_SECONDS": "1000"})
    return Inbox(settings, LocalState(settings.state_dir))


def put(folder: Path, name: str, content: bytes = b"a,target\n1,0\n", age: float = AGED) -> str:
    """A file of that age; its SHA-256."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(content)
    os.utime(folder / name, (time.time() - age,) * 2)
    return hashlib.sha256(content).hexdigest()


def new(inbox: Inbox) -> Path:
    return inbox.settings.new_data_dir


def used(inbox: Inbox) -> Path:
    return inbox.settings.used_data_dir


def in_quarantine(settings: Settings) -> dict[str, str]:
    """Name -> reason."""
    notes = {
        path: json.loads(path.read_text()) for path in settings.quarantine_dir.glob("*.reason.json")
    }
    return {path.name.removesuffix(".reason.json"): note["reason"] for path, note in notes.items()}


# --- listing --------------------------------------------------------------------------------------


def test_ready_files_are_listed_by_arrival(inbox: Inbox) -> None:
    for name, age in (
        ("late.csv", 10_000),
        ("early.PARQUET", 30_000),
        ("ümläut and space.csv", 20_000),
    ):
        put(new(inbox), name, age=age)
    assert inbox.listing().ready == ("early.PARQUET", "ümläut and space.csv", "late.csv")


@pytest.mark.parametrize("name", [".hidden.csv", "a.csv.tmp", "a.csv.part", ".gitkeep"])
def test_unfinished_and_hidden_files_are_waited_for_without_a_word(inbox: Inbox, name: str) -> None:
    put(new(inbox), name)
    listing = inbox.listing()
    assert (listing.ready, dict(listing.skipped)) == ((), {})


def test_what_is_not_read_is_skipped_and_said(inbox: Inbox) -> None:
    put(new(inbox), "young.csv", age=0)
    put(new(inbox), "notes.txt")
    os.mkfifo(new(inbox) / "pipe.csv")
    (new(inbox) / "folder.csv").mkdir()
    assert dict(inbox.listing().skipped) == {
        "young.csv": "younger than MIN_FILE_AGE_SECONDS",
        "notes.txt": "neither .csv, .csv.gz nor .parquet",
        "pipe.csv": "not a regular file",
        "folder.csv": "a folder: files in it are not read",
    }


def test_a_file_that_this_user_may_not_read_is_said_and_one_that_all_may_is_not_asked_about(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, mode in (("own.csv", 0o600), ("all.csv", 0o644)):
        put(new(inbox), name)
        (new(inbox) / name).chmod(mode)
    monkeypatch.setattr(os, "access", lambda *_: False)
    listing = inbox.listing()
    assert (listing.ready, listing.skipped) == (("all.csv",), {"own.csv": NO_PERMISSION})


def test_packed_csv_is_ready_like_any_other(inbox: Inbox) -> None:
    put(new(inbox), "day.CSV.gz", age=10_000)
    assert inbox.listing().ready == ("day.CSV.gz",)
    (claimed,) = inbox.claim(["day.CSV.gz"])
    assert claimed.path.name == f"{claimed.sha256}.csv.gz"


def test_a_marker_of_spark_goes_without_saying_and_a_table_with_such_a_name_does_not(
    inbox: Inbox,
) -> None:
    put(new(inbox), "_SUCCESS", age=200_000)
    put(new(inbox), "_night.csv", age=10_000)
    listing = inbox.listing()
    assert (listing.ready, dict(listing.skipped)) == (("_night.csv",), {})


def test_what_its_producer_never_finished_is_said_after_a_day(inbox: Inbox) -> None:
    put(new(inbox), "today.csv.part", age=80_000)
    put(new(inbox), "given-up.csv.part", age=90_000)
    put(new(inbox), ".swap.tmp", age=90_000)
    assert dict(inbox.listing().skipped) == {
        "given-up.csv.part": "unfinished by its name (.tmp, .part) for over a day"
    }


def test_what_is_passed_over_is_counted_with_a_first_name_for_each_reason(inbox: Inbox) -> None:
    for name in ("b.json", "a.json"):
        put(new(inbox), name, age=100_000)
    (new(inbox) / "dt=2026-01-01").mkdir()
    (new(inbox) / "link.csv").symlink_to("b.json")
    put(new(inbox), "one.csv", b"x\n1\n", age=20_000)
    put(new(inbox), "two.csv", b"x\n1\n", age=10_000)
    entries = passed_over(inbox.waiting((), ()))
    assert (
        in_words(entries)
        == "5 entries are not read: 'a.json' and 1 more (neither .csv, .csv.gz nor .parquet),"
        " 'dt=2026-01-01' (a folder: files in it are not read), 'link.csv' (a symbolic link:"
        " refused once the gate opens), 'two.csv' (the same bytes are archived, withdrawn, or"
        " waiting: refused once the gate opens); `status` lists them"
    )
    assert in_words({}) == ""
    assert older_than_a_day(entries, new(inbox), time.time()) == ("a.json", "b.json")


@pytest.mark.parametrize(
    ("name", "apart"),
    [("day.csv.gz", "day-0123456789ab.csv.gz"), ("day.csv", "day-0123456789ab.csv")],
)
def test_a_name_that_is_told_apart_keeps_the_ending_it_is_read_by(name: str, apart: str) -> None:
    assert with_digest(name, "0123456789abcdef") == apart


def test_links_are_told_apart_and_never_followed(inbox: Inbox, tmp_path: Path) -> None:
    put(tmp_path, "outside.csv")
    (new(inbox) / "link.csv").symlink_to(tmp_path / "outside.csv")
    assert inbox.listing().links == ("link.csv",)
    assert inbox.claim(["link.csv"]) == ()


def test_a_time_in_the_future_is_old_enough_once_the_file_is_stable(inbox: Inbox) -> None:
    put(new(inbox), "ahead.csv", age=-90_000)
    assert inbox.listing().ready == ("ahead.csv",)


def test_a_time_a_little_ahead_is_a_clock_that_differs_and_the_file_is_young(inbox: Inbox) -> None:
    put(new(inbox), "ahead.csv", age=-500)
    assert inbox.listing().ready == ()
    assert inbox.listing().skipped == {"ahead.csv": TOO_YOUNG}


def test_a_missing_inbox_is_a_persons_business(inbox: Inbox) -> None:
    new(inbox).rmdir()
    with pytest.raises(FolderGoneError, match="NEW_DATA_DIR"):
        inbox.listing()


def test_waiting_files_are_sorted_by_what_is_known_of_their_bytes(inbox: Inbox) -> None:
    judged, known = (
        put(new(inbox), "judged.csv", b"judged", 50_000),
        put(new(inbox), "known.csv", b"known", 40_000),
    )
    fresh = put(new(inbox), "fresh.csv", b"fresh", 30_000)
    put(new(inbox), "again.csv", b"fresh", 20_000)
    waiting = inbox.waiting({judged}, {known})
    assert waiting.fresh == {"fresh.csv": fresh}
    assert waiting.judged == {"judged.csv": judged}
    assert waiting.copies == {"known.csv": known, "again.csv": fresh}


def test_a_judged_file_that_was_written_over_is_fresh(inbox: Inbox) -> None:
    judged = put(new(inbox), "day.csv", b"judged", 50_000)
    assert inbox.waiting({judged}, ()).judged == {"day.csv": judged}
    for content, age in ((b"longer than that", 50_000), (b"jadged", 40_000)):
        other = put(new(inbox), "day.csv", content, age)
        assert inbox.waiting({judged}, ()).fresh == {"day.csv": other}


def test_what_waits_is_asked_for_its_stamp_once(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(new(inbox), "day.csv")
    monkeypatch.setattr(LocalState, "digests", lambda *_: pytest.fail("asked once more"))
    assert list(inbox.waiting((), ()).fresh) == ["day.csv"]


# --- claiming -------------------------------------------------------------------------------------


def test_a_claimed_copy_keeps_its_bytes_though_the_producer_overwrites_the_file(
    inbox: Inbox,
) -> None:
    sha = put(new(inbox), "a.csv", b"first")
    (claimed,) = inbox.claim(["a.csv"])
    put(new(inbox), "a.csv", b"second")
    assert (claimed.name, claimed.sha256, claimed.path.read_bytes()) == ("a.csv", sha, b"first")


def test_a_file_that_changes_while_it_is_copied_is_left_for_the_next_cycle(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(new(inbox), "a.csv", b"first")
    monkeypatch.setattr(
        claiming, "kill_point", lambda _name: put(new(inbox), "a.csv", b"grown by more")
    )
    assert inbox.claim(["a.csv"]) == ()
    assert not list(inbox.claims.iterdir())


def test_vanished_files_are_not_claimed_and_equal_ones_once(inbox: Inbox) -> None:
    put(new(inbox), "a.csv")
    put(new(inbox), "b.csv")
    assert [file.name for file in inbox.claim(["gone.csv", "a.csv", "b.csv"])] == ["a.csv"]
    inbox.release()
    assert not inbox.claims.exists()


# --- refusing -------------------------------------------------------------------------------------


def test_a_refused_file_is_moved_with_its_reason_beside_it(inbox: Inbox) -> None:
    sha = put(new(inbox), "a.csv", b"bad")
    assert inbox.refuse("a.csv", "no header", sha)
    assert not (new(inbox) / "a.csv").exists()
    assert in_quarantine(inbox.settings) == {"a.csv": "no header"}
    assert [path.name for path in inbox.quarantined()] == ["a.csv"]


def test_files_of_one_name_stand_side_by_side_in_quarantine(inbox: Inbox) -> None:
    contents = [b"one", b"two", b"two"]
    for content in contents:
        sha = put(new(inbox), "a.csv", content)
        inbox.refuse("a.csv", "bad", sha)
    assert sorted(path.read_bytes() for path in inbox.quarantined()) == sorted(contents)
    assert len(in_quarantine(inbox.settings)) == 3


def test_other_bytes_under_the_name_by_now_are_a_new_delivery_and_stay(inbox: Inbox) -> None:
    sha = put(new(inbox), "a.csv", b"bad")
    put(new(inbox), "a.csv", b"mended")
    assert not inbox.refuse("a.csv", "bad", sha)
    assert (new(inbox) / "a.csv").read_bytes() == b"mended"


def test_a_refused_link_goes_itself_and_what_it_points_to_stays(
    inbox: Inbox, tmp_path: Path
) -> None:
    put(tmp_path, "outside.csv", b"private")
    (new(inbox) / "link.csv").symlink_to(tmp_path / "outside.csv")
    assert inbox.refuse("link.csv", "a symbolic link")
    (moved,) = inbox.quarantined()
    assert moved.is_symlink()
    assert (tmp_path / "outside.csv").read_bytes() == b"private"


# --- archiving ------------------------------------------------------------------------------------


def test_archiving_may_be_repeated_and_keeps_the_time_of_arrival(inbox: Inbox) -> None:
    sha = put(new(inbox), "a.csv", age=1000)
    arrival = (new(inbox) / "a.csv").stat().st_mtime_ns
    (claimed,) = inbox.claim(["a.csv"])
    assert inbox.archive(claimed, "a.csv")
    assert not inbox.archive(claimed, "a.csv")
    inbox.release()
    assert inbox.archived() == {sha: ["a.csv"]}
    assert (used(inbox) / "a.csv").stat().st_mtime_ns == arrival
    assert not list(new(inbox).iterdir())


def test_another_files_name_is_never_taken(inbox: Inbox) -> None:
    old = put(used(inbox), "a.csv", b"old")
    sha = put(new(inbox), "a.csv", b"new")
    (claimed,) = inbox.claim(["a.csv"])
    (named,) = inbox.with_archive_names([claimed])
    assert named.name == f"a-{sha[:12]}.csv"
    assert inbox.archive(named, "a.csv")
    inbox.release()
    assert inbox.archived() == {old: ["a.csv"], sha: [named.name]}


def test_a_name_taken_since_it_was_chosen_is_left_alone(inbox: Inbox) -> None:
    sha = put(new(inbox), "a.csv", b"new")
    named = inbox.with_archive_names(inbox.claim(["a.csv"]))
    other = put(used(inbox), "a.csv", b"put there by somebody")
    assert inbox.archive(named[0], "a.csv")
    inbox.release()
    assert inbox.archived() == {other: ["a.csv"], sha: [f"a-{sha[:12]}.csv"]}


def test_an_original_overwritten_since_the_claim_stays_in_the_inbox(inbox: Inbox) -> None:
    put(new(inbox), "a.csv", b"first")
    (claimed,) = inbox.claim(["a.csv"])
    put(new(inbox), "a.csv", b"second")
    assert inbox.archive(claimed, "a.csv"), (
        "what was learned counts as archived, whatever stands in its place"
    )
    assert (used(inbox) / "a.csv").read_bytes() == b"first"
    assert (new(inbox) / "a.csv").read_bytes() == b"second"


def without_links(source: Path, target: Path, **_: object) -> None:
    raise OSError(errno.EPERM, "no links here", str(source), None, str(target))


def across_disks(_self: Path, _target: Path) -> Path:
    raise OSError(errno.EXDEV, "another disk")


def test_a_file_system_without_links_gets_a_copy(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", without_links)
    sha = put(new(inbox), "a.csv")
    (claimed,) = inbox.claim(["a.csv"])
    assert inbox.archive(claimed, "a.csv")
    inbox.release()
    assert inbox.archived() == {sha: ["a.csv"]}


def test_quarantine_may_lie_on_another_disk(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    sha = put(new(inbox), "a.csv", b"bad")
    true_rename: Callable[[Path, Path], Path] = Path.rename
    other_disk = [across_disks]

    def rename(path: Path, target: Path) -> Path:
        return (other_disk.pop() if other_disk else true_rename)(path, target)

    monkeypatch.setattr(Path, "rename", rename)
    assert inbox.refuse("a.csv", "bad", sha)
    assert [path.read_bytes() for path in inbox.quarantined()] == [b"bad"]
    assert not list(new(inbox).iterdir())


def test_a_full_disk_is_noticed_before_anything_is_started(inbox: Inbox) -> None:
    put(new(inbox), "a.csv", b"small")
    inbox.check_space_for(["a.csv", "vanished.csv"])
    with (inbox.settings.new_data_dir / "sparse.csv").open("wb") as sparse:
        sparse.truncate(1 << 43)  # eight terabytes that take no room
    with pytest.raises(StoreError, match="bytes free"):
        inbox.check_space_for(["sparse.csv"])


# --- a dry run ------------------------------------------------------------------------------------


def test_a_dry_run_moves_nothing(inbox: Inbox, tmp_path: Path) -> None:
    dry = ReadOnlyInbox(inbox.settings, inbox.state)
    sha = put(new(inbox), "a.csv")
    before = sorted(tmp_path.rglob("*.csv"))
    (claimed,) = dry.claim(["a.csv"])
    assert dry.refuse("a.csv", "bad", sha)
    assert dry.archive(claimed, "a.csv")
    assert not dry.remove_archived("a.csv", sha)
    dry.release()
    assert sorted(tmp_path.rglob("*.csv")) == before
    assert not inbox.settings.quarantine_dir.exists()


# --- back from quarantine -------------------------------------------------------------------------


def test_a_requeued_file_waits_again_and_its_reason_is_gone(inbox: Inbox) -> None:
    sha = put(new(inbox), "a.csv", b"bad")
    inbox.refuse("a.csv", "bad", sha)
    (refused,) = inbox.quarantined()
    refused.write_bytes(b"mended")
    assert inbox.requeue(refused) == new(inbox) / "a.csv"
    assert (new(inbox) / "a.csv").read_bytes() == b"mended"
    assert not list(inbox.settings.quarantine_dir.iterdir())


def test_a_claimed_file_is_known_by_its_bytes_alone(inbox: Inbox) -> None:
    sha = put(new(inbox), "a.csv")
    assert inbox.claim(["a.csv"]) == (DataFile("a.csv", sha, inbox.claims / f"{sha}.csv"),)
