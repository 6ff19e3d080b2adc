"""`requeue`: mended files go from quarantine back to the inbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from retraining.commands import Answer
from retraining.cycle.gate import notes_of_files
from retraining.errors import RetrainingError, UnreadableFileError, UsageError
from retraining.folders.local_state import sha256_of
from retraining.folders.lock import one_cycle_at_a_time
from retraining.folders.quarantine_notes import REASON_SUFFIX
from retraining.logs import log
from retraining.model_registry.production import load_model
from retraining.phrases import first_few
from retraining.project import Project
from retraining.records import DataFile

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from retraining.records import Schema
    from retraining.settings import Settings

WITHDRAWN = "withdrawn with `forget`: the same bytes are refused for good"
ARCHIVED = "the same bytes are in the archive already"
A_LINK = "a symbolic link, which is never followed"
NO_FILE = "no file"
AGAIN = "it would be refused again"
SHOWN = 5


def add_flags(command: argparse.ArgumentParser) -> None:
    """Which files."""
    which = command.add_mutually_exclusive_group(required=True)
    which.add_argument(
        "files",
        nargs="*",
        default=[],
        metavar="FILE",
        help="names in quarantine, or paths relative to the project",
    )
    which.add_argument(
        "--all",
        action="store_true",
        help="every file in quarantine that a cycle would accept now",
    )


def answer(args: argparse.Namespace, settings: Settings) -> Answer:
    """Move the named files, or all that may go; all are looked up before any is moved."""
    with one_cycle_at_a_time(settings.state_dir):
        project = Project.open(settings)
        left: dict[str, str] = {}
        if args.all:
            paths, left = _all_that_may_go(project)
            again = _refused_again(project, paths)
            left |= again
            paths = [path for path in paths if path.name not in again]
        else:
            paths = [_find(settings, name) for name in args.files]
            _must_not_be_withdrawn(project, paths)
        project.inbox.check_rights()
        moved = [project.inbox.requeue(path).name for path in paths]
    result: dict[str, Any] = {"requeued": moved}
    if args.all:
        result["left"] = left
    return Answer(result, _in_words(moved, left, settings))


def _all_that_may_go(project: Project) -> tuple[list[Path], dict[str, str]]:
    """The files that may go back, and name -> why for those that stay."""
    known = _noted_digests(project)
    paths: list[Path] = []
    left: dict[str, str] = {}
    for path in project.inbox.quarantined():
        why = _why_it_stays(path, known)
        if why is None:
            paths.append(path)
        else:
            left[path.name] = why
    return paths, left


def _refused_again(project: Project, paths: list[Path]) -> dict[str, str]:
    """Name -> why, of the files that production still cannot read: they were not mended.

    If it is not known how production reads files, none is kept back.
    """
    try:
        schema = _schema_of_production(project)
    except RetrainingError as error:
        log.warning("the files were not read before they were sent back: %s", error.what)
        return {}
    if schema is None:
        return {}
    files = [DataFile(path.name, sha256_of(path), path) for path in paths]
    read = project.tables.validate_many(files, schema)
    refused: dict[str, str] = {}
    for file, facts in zip(files, read, strict=True):
        if isinstance(facts, UnreadableFileError):
            refused[file.name] = f"{AGAIN}: {facts}"
        elif facts.unknown_labels:
            labels = first_few(map(repr, sorted(facts.unknown_labels)), SHOWN)
            refused[file.name] = f"{AGAIN}: a class never seen, {labels}"
    return refused


def _schema_of_production(project: Project) -> Schema | None:
    """How production reads files; None where no version of ours serves."""
    holder = project.registry.facts().aliases.get(project.settings.production_alias)
    model = None if holder is None else load_model(project.registry, holder)
    return None if model is None else model.schema


def _why_it_stays(path: Path, known: dict[str, str]) -> str | None:
    if path.is_symlink():
        return A_LINK
    if not path.is_file():
        return NO_FILE
    return known.get(sha256_of(path))


def _noted_digests(project: Project) -> dict[str, str]:
    """SHA-256 -> why a file with these bytes would be refused again, from the last cycle's
    notes.
    """
    notes = notes_of_files(project)
    archived = dict.fromkeys(notes.get("archive", ()), ARCHIVED)
    withdrawn = dict.fromkeys(notes.get("withdrawn", ()), WITHDRAWN)
    return {**archived, **withdrawn}


def _must_not_be_withdrawn(project: Project, paths: list[Path]) -> None:
    known = _noted_digests(project)
    for path in paths:
        if known.get(sha256_of(path)) == WITHDRAWN:
            raise UsageError(
                f"{path.name} was withdrawn with `forget`.",
                remedy="Mend its content first: the same bytes are refused for good.",
            )


def _find(settings: Settings, name: str) -> Path:
    """A file of the quarantine by its name, or by its path relative to the project."""
    for path in (settings.quarantine_dir / name, settings.project / name):
        in_quarantine = path.resolve().parent == settings.quarantine_dir.resolve()
        whole = path.is_file() and not path.is_symlink()
        if in_quarantine and whole and not path.name.endswith(REASON_SUFFIX):
            return path
    raise UsageError(
        f"{name!r} is no file in {settings.quarantine_dir}.",
        remedy="`python pipeline_orchestrator.py status` lists the files in quarantine.",
    )


def _in_words(moved: list[str], left: dict[str, str], settings: Settings) -> str:
    lines = [f"{name} waits in {settings.new_data_dir} again." for name in moved]
    if not moved and not left:
        lines.append(f"No file is in {settings.quarantine_dir}.")
    lines += [f"{name} stays in quarantine: {why.rstrip('.')}." for name, why in left.items()]
    if any(why.startswith(AGAIN) for why in left.values()):
        lines.append(
            f"Mend them where they lie; `{settings.command} requeue NAME` sends one back as it is."
        )
    return "\n".join(lines)
