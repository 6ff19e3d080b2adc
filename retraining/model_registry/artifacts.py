"""Artifacts of runs and models: saved whole, read by name, and digested so that a changed file is
noticed before it is used.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.utils.file_utils import local_file_uri_to_path

from retraining.kill_points import kill_point
from retraining.model_registry.failures import translated

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mlflow import MlflowClient
    from mlflow.store.artifact.artifact_repo import ArtifactRepository

    from retraining.model_registry.connection import Connection

_NOT_OURS = {"registered_model_meta", "__pycache__"}  # written beside a model by whoever loads it
# work, not waiting: a healthy transfer never uses up the budget
_SECONDS_A_FILE, _SECONDS_A_BYTE = 0.05, 1e-6


def folder_digest(folder: Path) -> str:
    """SHA-256 over the sorted relative names and the digests of a folder's files.

    What loading leaves there is not counted.
    """
    whole = hashlib.sha256()
    for path in _own_files(folder):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        whole.update(f"{path.relative_to(folder).as_posix()}\0{digest}\n".encode())
    return whole.hexdigest()


def _own_files(folder: Path) -> list[Path]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in files if _NOT_OURS.isdisjoint(path.relative_to(folder).parts))


class Artifacts:
    """Reads and writes artifact folders by their URI.

    Args:
        connection: the line to the server, for folders that it serves.
        scratch: a folder for copies that live as long as one call; `sweep` empties it.
    """

    def __init__(self, connection: Connection, scratch: Path) -> None:
        self._connection = connection
        self._scratch = scratch
        self._repositories: dict[str, ArtifactRepository] = {}

    def save_texts(self, location: str, texts: Mapping[str, str]) -> None:
        """Save small files (name -> content) in an artifact folder."""
        with self.folder() as folder:
            for name, text in texts.items():
                path = folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(text.encode("utf-8", "replace"))
            self.upload(location, folder)

    def upload(self, location: str, folder: Path) -> None:
        """Copy a folder's files into an artifact folder, one by one, each on the disk before the
        next.
        """
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            inside = path.parent.relative_to(folder).as_posix()
            allowance = _SECONDS_A_FILE + path.stat().st_size * _SECONDS_A_BYTE
            self._connection.ask(
                partial(self._upload_one, location, path, inside), allowance=allowance
            )
            kill_point("mid_artifact_upload")

    def _upload_one(self, location: str, path: Path, inside: str, _: MlflowClient) -> None:
        self._repository(location).log_artifact(str(path), None if inside == "." else inside)
        local = local_folder(location)
        if local is not None:
            with (local / inside / path.name).open("rb") as written:
                os.fsync(written.fileno())

    def _repository(self, location: str) -> ArtifactRepository:
        """Kept, since a new one asks the server again what it can do."""
        if location not in self._repositories:
            self._repositories[location] = get_artifact_repository(
                location, tracking_uri=self._connection.uri
            )
        return self._repositories[location]

    def read(self, location: str, name: str) -> bytes | None:
        """The content of one artifact, or None where there is none of that name."""
        local = local_folder(location)
        if local is not None:
            return self._connection.ask(
                lambda _: _read_local(local / name), allowance=_SECONDS_A_FILE
            )
        with self.folder() as folder:
            return self._connection.ask(
                lambda _: self._read_remote(location, name, folder), allowance=_SECONDS_A_FILE
            )

    def _read_remote(self, location: str, name: str, folder: Path) -> bytes | None:
        repository = self._repository(location)
        if name not in {entry.path for entry in repository.list_artifacts()}:
            return None
        return Path(repository.download_artifacts(name, dst_path=str(folder))).read_bytes()

    def copy(self, location: str, into: Path) -> None:
        """Copy an artifact folder into a private one, without what loading leaves there.

        An empty copy where it is gone.
        """
        local = local_folder(location)
        if local is None:
            self._connection.ask(lambda _: self._copy_remote(location, into), allowance=60)
        elif local.is_dir():
            self._connection.ask(
                lambda _: shutil.copytree(
                    local, into, ignore=shutil.ignore_patterns(*_NOT_OURS), dirs_exist_ok=True
                ),
                allowance=60,
            )

    def _copy_remote(self, location: str, into: Path) -> None:
        repository = self._repository(location)
        if repository.list_artifacts():
            repository.download_artifacts("", dst_path=str(into))

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """A private folder that is removed afterwards.

        What the disk refuses meanwhile is an error of the store.
        """
        try:
            folder = self.lasting_folder()
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)
                # refused for a moment; what is refused twice goes with the next cycle's sweep
                if folder.exists():
                    shutil.rmtree(folder, ignore_errors=True)
        except OSError as error:
            raise translated(error, self._connection.uri) from error

    def lasting_folder(self) -> Path:
        """A private folder that stays until `sweep`."""
        self._scratch.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(dir=self._scratch))

    def sweep(self) -> None:
        """Remove what dead processes left in the scratch folder."""
        shutil.rmtree(self._scratch, ignore_errors=True)


def local_folder(location: str) -> Path | None:
    """The folder behind a `file:` URI or a plain path.

    None for what a server or an object store keeps.
    """
    if urlsplit(location).scheme not in ("", "file"):
        return None
    return Path(local_file_uri_to_path(location))


def _read_local(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
