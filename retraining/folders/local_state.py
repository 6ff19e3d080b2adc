"""`.retraining/`: what this machine remembers so that it need not ask or compute again.

Standard library only.

Everything here is a copy: it may be deleted between cycles, and the next cycle makes it again from
the registry and the folders.
"""

from __future__ import annotations

import json
import os
import zlib
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retraining.folders.disks import may_write_in, place_of, write_whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    Stamp = tuple[int, int, int]  # size, modification time in ns, inode

CHUNK = 1 << 20


def stamp_of(stat: os.stat_result) -> Stamp:
    """What changes when a file's bytes change, short of reading them."""
    return stat.st_size, stat.st_mtime_ns, stat.st_ino


def sha256_of(path: Path) -> str:
    """The digest of a file's bytes, read in chunks."""
    import hashlib  # loads OpenSSL, which a closed gate that knows its files does not need

    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _stamps(folder: Path, names: Iterable[str]) -> dict[str, Stamp]:
    """Name -> stamp of the named files, without those that vanished."""
    stamps = {}
    start = f"{folder}{os.sep}"  # a `Path` for each name costs more than the look at its file
    for name in names:
        with suppress(FileNotFoundError, PermissionError):
            stamps[name] = stamp_of(os.stat(start + name))  # noqa: PTH116
    return stamps


def writable_or_own(folder: Path) -> Path:
    """The folder, or, for a reader who may not make files there, one of their own that is gone when
    the process ends.
    """
    if may_write_in(place_of(folder)):
        return folder
    import atexit
    import shutil
    import tempfile

    own = tempfile.mkdtemp(prefix="retraining-")
    atexit.register(shutil.rmtree, own, ignore_errors=True)
    return Path(own)


class LocalState:
    """Files in `.retraining/`.

    Each is written aside and renamed, and one that cannot be read counts as absent.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._warned = False

    # --- the marker: the last cycle that passed the gate ended well, and nothing waits for a person
    @property
    def is_clean(self) -> bool:
        """Whether the gate may answer from this machine's files alone."""
        return (self.folder / "clean").exists()

    def mark_clean(self) -> None:
        """Say that the next start may be answered from here."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "clean").touch()

    def mark_dirty(self) -> None:
        """Say that the next start must recover first, unless this one ends well."""
        with suppress(FileNotFoundError):
            (self.folder / "clean").unlink()

    # --- digests of files by their stamp, one table a folder --------------------------------------
    def digests(self, folder: Path, names: Iterable[str]) -> dict[str, str]:
        """Name -> SHA-256 of the named files, without those that vanished.

        Only what is new or changed since the last look is read.
        """
        return self.digests_by_stamp(folder, _stamps(folder, names))

    def digests_by_stamp(self, folder: Path, stamps: Mapping[str, Stamp]) -> dict[str, str]:
        """The same for whoever has just looked at the files: name -> stamp."""
        table = f"digests-{zlib.crc32(os.fsencode(folder)):08x}"
        known: dict[str, Any] = self.read(table) or {}
        fresh: dict[str, Any] = {}
        for name, stamp in stamps.items():
            entry = known.get(name)
            if not entry or tuple(entry[0]) != stamp:
                try:
                    entry = [stamp, sha256_of(folder / name)]
                except (FileNotFoundError, PermissionError):
                    continue
            fresh[name] = entry
        if fresh != known:
            with self.if_possible():
                self._write_table(table, fresh)
        return {name: sha for name, (_, sha) in fresh.items()}

    def forget_digests(self) -> None:
        """Drop all digests, so that every file is read again."""
        for path in self.folder.glob("digests-*.json"):
            path.unlink(missing_ok=True)

    # --- named JSON tables ------------------------------------------------------------------------
    def read(self, name: str) -> Any:
        """The content of a table, or None where it is absent or damaged."""
        try:
            return json.loads((self.folder / f"{name}.json").read_bytes())
        except (OSError, ValueError):
            return None

    def write(self, name: str, content: Mapping[str, Any] | list[Any]) -> None:
        """Write a table aside, then rename it into place."""
        self._write_table(name, content)

    def _write_table(self, name: str, content: Mapping[str, Any] | list[Any]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(content, separators=(",", ":"))
        # a reading command, which holds no lock, may write the same table at the same moment
        with suppress(FileNotFoundError):
            write_whole(self.folder / f"{name}.json", text)

    @contextmanager
    def if_possible(self) -> Iterator[None]:
        """Write what only saves work: on a full disk, or in a folder that this user may not write,
        it is left out with a warning.
        """
        try:
            yield
        except OSError as error:
            if not self._warned:
                from retraining.logs import log

                log.warning(
                    "%s cannot be written (%s): the next start works it out again",
                    self.folder,
                    error.strerror,
                )
            self._warned = True

    def drop(self, name: str) -> None:
        """Remove a table."""
        (self.folder / f"{name}.json").unlink(missing_ok=True)

    def sweep(self) -> None:
        """Remove what dead processes left half-written."""
        for path in self.folder.rglob(".*.tmp"):
            path.unlink(missing_ok=True)

    def append(self, name: str, line: Mapping[str, Any]) -> None:
        """Add one line to a table of lines."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / f"{name}.jsonl").open("a") as stream:
            stream.write(json.dumps(line, separators=(",", ":")) + "\n")

    def lines(self, name: str) -> list[Any] | None:
        """All lines of a table of lines, or None where it is absent or damaged."""
        try:
            with (self.folder / f"{name}.jsonl").open() as stream:
                return [json.loads(line) for line in stream]
        except (OSError, ValueError):
            return None

    def replace_lines(self, name: str, content: Iterable[Mapping[str, Any]]) -> None:
        """Write a table of lines afresh."""
        self.folder.mkdir(parents=True, exist_ok=True)
        lines = [json.dumps(line, separators=(",", ":")) + "\n" for line in content]
        write_whole(self.folder / f"{name}.jsonl", "".join(lines))


class ReadOnlyState(LocalState):
    """The same notes for whoever changes nothing: what is written goes nowhere.

    Digests are kept all the same: they only save work.
    """

    def mark_clean(self) -> None:
        """Nothing."""

    def mark_dirty(self) -> None:
        """Nothing."""

    def write(self, name: str, content: Mapping[str, Any] | list[Any]) -> None:
        """Nothing."""

    def drop(self, name: str) -> None:
        """Nothing."""

    def sweep(self) -> None:
        """Nothing."""

    def append(self, name: str, line: Mapping[str, Any]) -> None:
        """Nothing."""

    def replace_lines(self, name: str, content: Iterable[Mapping[str, Any]]) -> None:
        """Nothing."""
