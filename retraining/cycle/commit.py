"""What follows a move of the alias: files are archived, versions tagged, other aliases moved.

The cycle that moved the alias does it, else the next start. Every step may be repeated.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from retraining.cycle.books import files_archived_by
from retraining.errors import NoProductionModelError, StoreError
from retraining.kill_points import kill_point
from retraining.logs import log
from retraining.model_registry.names import CHALLENGER, PREVIOUS
from retraining.records import AliasMove, DataFile, Marks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from retraining.cycle.job import Job
    from retraining.ledger import Ledger
    from retraining.model_registry.interface import Registry
    from retraining.project import Project
    from retraining.records import Manifest, RegistryFacts, Version

MOVED = "a person moved the alias"
APPROVED = "a person approved it"


def complete_promotion(
    job: Job, ledger: Ledger, version: Version, facts: RegistryFacts, *, by_person: bool
) -> Ledger:
    """Archive what the version consumed, tag it `approved` and set the other aliases.

    May be repeated.

    A version that a person put there is not on probation: their move is not undone by the job.

    Raises:
        StoreError: a file could not be archived; the version stays in production.
    """
    manifest = job.registry.manifest(version)
    try:
        ledger = archive_consumed(job, ledger, manifest)
    except OSError as error:
        raise StoreError(
            f"v{version.number} is in production, but not all of its files could be archived:"
            f" {error.strerror}: {error.filename!r}.",
            unchanged=(
                f"The alias {job.settings.production_alias!r} stays on v{version.number}; what was"
                " archived stays so."
            ),
            remedy=(
                "Mend what is named above; the next start archives the others, which still wait in"
                " the inbox."
            ),
        ) from error
    last = facts.left.production_version if facts.left is not None else None
    marks = _marks_of_the_holder(version, manifest, last, by_person=by_person)
    job.registry.mark(version.number, marks)
    if marks.previous is not None:
        point_back(job.registry, marks.previous)
    if facts.challenger == version.number:
        job.registry.drop_alias(CHALLENGER)
    return ledger


def _marks_of_the_holder(
    version: Version, manifest: Manifest, last: int | None, *, by_person: bool
) -> Marks:
    """What a version is tagged with when it holds the alias; `last` held it when the last cycle
    ended.
    """
    previous = manifest.champion if last in (None, version.number) else last
    marks = Marks(
        previous=previous,
        status="approved",
        probation=f"not held: {MOVED}" if by_person else "open",
    )
    if last is not None and last != version.number and version.made_for is not None:
        # a person undid a roll-back
        marks = replace(marks_of_one_put_back(version, last, MOVED), previous=previous)
    if manifest.origin != "cycle":
        nothing = "not held: a registered model has nothing to be compared with"
        marks = replace(marks, probation=nothing)
    return marks


def archive_consumed(job: Job, ledger: Ledger, manifest: Manifest) -> Ledger:
    """Move every consumed file into the archive under its manifest's name.

    One that somebody took from the inbox is withdrawn.

    Raises:
        StoreError: a file is not to be found, and others cannot be read: it may be one of them.
    """
    archived = job.inbox.archived()
    missing: dict[str, str] = {}
    inbox, unread = job.inbox.contents()
    copies = job.inbox.claimed_copies()
    names = {
        sha: name
        for sha, name in files_archived_by(manifest).items()
        if sha not in ledger.withdrawn
    }
    for sha in (sha for sha in manifest.consumed if sha in names):
        claimed = copies.get(sha)
        if claimed is None and sha not in archived and sha in inbox:
            claimed = next(
                (file.path for file in job.inbox.claim([inbox[sha]]) if file.sha256 == sha), None
            )
        if claimed is not None:
            moved = job.inbox.archive(DataFile(names[sha], sha, claimed), inbox.get(sha))
            job.tally.archived += moved
        elif sha not in archived:
            missing[sha] = "gone from the inbox before it could be archived"
            # it could not be claimed
            if sha in inbox and (job.settings.new_data_dir / inbox[sha]).exists():
                unread = (*unread, inbox[sha])
        elif sha in inbox:
            job.tally.archived += job.inbox.remove_archived(inbox[sha], sha)
        kill_point("between_archived_files")
    kill_point("after_last_file")
    if missing:
        _withdraw_missing(job, missing, unread)
    return replace(
        ledger,
        archive={**ledger.archive, **{s: n for s, n in names.items() if s not in missing}},
        withdrawn={**ledger.withdrawn, **missing},
    )


def _withdraw_missing(job: Job, missing: Mapping[str, str], unread: Sequence[str]) -> None:
    """Withdraw files that are to be found nowhere, by SHA-256 with the reason.

    Not while others cannot be read: it may be one of them.
    """
    if unread:
        raise StoreError(
            f"{len(missing)} files that the promoted version learned cannot be found, and"
            f" {unread[0]!r} cannot be read.",
            unchanged="The version stays in production; files that were archived stay archived.",
            remedy=(
                "Make the files in the inbox and the archive readable; the next start goes on from"
                " here."
            ),
        )
    log.warning(
        "%d files that the promoted version learned are gone from the inbox: withdrawn",
        len(missing),
    )
    job.registry.withdraw(missing)


def marks_of_one_rolled_back(version: Version, to: int, why: str) -> Marks:
    """Marks of a version that is about to lose the alias to `to`; what it was made for is kept."""
    made_for = version.made_for if version.made_for is not None else version.reason or ""
    return Marks(rolled_back_to=to, made_for=made_for, reason=why, status="rolled_back")


def marks_of_one_put_back(version: Version, in_place_of: int, why: str) -> Marks:
    """Marks of an older version that serves again: approved, not on probation, for the reason that
    it was made for.
    """
    return Marks(
        put_back=f"put back in place of v{in_place_of} ({why})",
        reason=version.made_for,
        status="approved",
        probation="not held: restored by a roll-back",
    )


def put_back(project: Project, target: int, in_place_of: int, why: str) -> None:
    """Move the production alias back to a version, which is `approved` before it serves, and
    `previous_production` to what it replaced.

    Raises:
        NoProductionModelError: it was deleted.
    """
    version, alias = project.registry.version(target), project.settings.production_alias
    if version is None:
        raise NoProductionModelError(
            f"v{in_place_of} was being rolled back to v{target}, which was deleted since.",
            unchanged=f"The alias {alias!r} is still on v{in_place_of}.",
            remedy="Give the alias to another version in the MLflow UI.",
        )
    project.registry.mark(target, marks_of_one_put_back(version, in_place_of, why))
    project.registry.set_alias(alias, target)
    point_back(project.registry, version.previous)


def note_move(job: Job, before: int, to: int, why: str) -> None:
    """Keep on record that a person moved the alias, once: the start that noted it may have died
    before it was done with the move.
    """
    moves = job.registry.facts().moves
    if not moves or (moves[-1].before, moves[-1].to) != (before, to):
        job.registry.note_move(AliasMove(job.now(), before, to, why))


def point_back(registry: Registry, previous: int | None) -> None:
    """Set `previous_production` to a version.

    Drop it where there was none before, or a person deleted it since.
    """
    if previous is not None and registry.version(previous) is not None:
        registry.set_alias(PREVIOUS, previous)
    else:
        registry.drop_alias(PREVIOUS)


def move_out_withdrawn(project: Project, ledger: Ledger) -> None:
    """Move what was withdrawn, and still stands in the archive, into quarantine."""
    if not ledger.withdrawn:
        return
    folder = project.settings.used_data_dir
    present = project.inbox.archived()
    archived = [
        (sha256, why, name)
        for sha256, why in ledger.withdrawn.items()
        for name in present.get(sha256, ())
    ]
    if archived:
        project.inbox.check_rights(
            "The withdrawn files are marked in the registry; they are still in the archive."
        )
    for sha256, why, name in archived:
        project.inbox.quarantine(folder / name, f"withdrawn: {why}", sha256, folder="archive")
