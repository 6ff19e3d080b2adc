"""What stands in the inbox and is not read: told by a closed gate, by `status`, and by an alert
after a day.

Standard library only, and imported only where there is something to tell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from retraining.inbox.listing import A_DAY, TOO_YOUNG

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from retraining.inbox.inbox import Waiting

COPY = "the same bytes are archived, withdrawn, or waiting: refused once the gate opens"
SHA256_OF_NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
EMPTY = "empty (zero bytes): refused once the gate opens"
LINK = "a symbolic link: refused once the gate opens"


def passed_over(waiting: Waiting) -> dict[str, str]:
    """Name -> why, of each entry of the inbox that neither waits nor was judged."""
    copies = {
        name: EMPTY if sha256 == SHA256_OF_NOTHING else COPY
        for name, sha256 in waiting.copies.items()
    }
    links = dict.fromkeys(waiting.listing.links, LINK)
    return {**waiting.listing.skipped, **copies, **links}


def in_words(entries: Mapping[str, str]) -> str:
    """How many there are, and where they are listed; empty where there is none."""
    return f"{counted_by_reason(entries)}; `status` lists them" if entries else ""


def counted_by_reason(entries: Mapping[str, str]) -> str:
    """How many there are, and for each reason the first name; empty where there is none."""
    if not entries:
        return ""
    by_reason: dict[str, list[str]] = {}
    for name, why in sorted(entries.items()):
        by_reason.setdefault(why, []).append(name)
    groups = [f"{_first_of(names)} ({why})" for why, names in by_reason.items()]
    counted = "1 entry is" if len(entries) == 1 else f"{len(entries)} entries are"
    return f"{counted} not read: {', '.join(groups)}"


def _first_of(names: Sequence[str]) -> str:
    first, more = repr(names[0]), len(names) - 1
    return f"{first} and {more} more" if more else first


def older_than_a_day(entries: Mapping[str, str], folder: Path, now: float) -> tuple[str, ...]:
    """The names that have lain in the folder, unchanged, for over a day; `now` is in seconds."""
    return tuple(
        name
        for name, why in sorted(entries.items())
        if why != TOO_YOUNG and _is_old(folder / name, now)
    )


def _is_old(path: Path, now: float) -> bool:
    try:
        return now - path.lstat().st_mtime > A_DAY
    except FileNotFoundError:
        return False
