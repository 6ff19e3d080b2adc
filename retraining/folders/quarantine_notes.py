"""The note beside a refused file, `name.csv.reason.json`: its name, why it was refused, whence and
when. Standard library only.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, NamedTuple

from retraining.folders.disks import write_whole

if TYPE_CHECKING:
    from pathlib import Path

REASON_SUFFIX = ".reason.json"
# bytes that a note's name, while it is written, is longer than its file's
ROOM = len(f".{REASON_SUFFIX}.tmp")


class Note(NamedTuple):
    """Why a file was refused.

    Attributes:
        file: its name where it came from.
        sha256: of its bytes; None if they could not be read.
        reason: for the person who mends it.
        origin: the folder that it came from, or the key of the source.
        when: seconds since 1970.
    """

    file: str
    sha256: str | None
    reason: str
    origin: str
    when: float


def path_of_note(file: Path) -> Path:
    """Where the note of a file in quarantine stands."""
    return file.with_name(file.name + REASON_SUFFIX)


def write_note(file: Path, note: Note, *, durable: bool) -> None:
    """Write the note of a file that is, or will be, in quarantine.

    Raises:
        OSError: it cannot be written; nothing is left of it.
    """
    fields = {
        "file": note.file,
        "sha256": note.sha256,
        "reason": note.reason,
        "from": note.origin,
        "refused": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(note.when)),
    }
    text = json.dumps(fields, indent=1, ensure_ascii=False) + "\n"
    content = text.encode("utf-8", "backslashreplace")  # a name need not be UTF-8
    write_whole(path_of_note(file), content, durable=durable)
