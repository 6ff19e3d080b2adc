"""What the alias's move is followed by, done by the cycle that moved it or by the next start: files, tags and the other aliases.

Every step may be repeated.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from retraining.cycle.bookkeeping import WITHDRAWN, files_archived_by, what_was_left
from retraining.errors import NoProductionModelError, StoreError
from retraining.inbox import check_rights
from retraining.kill_points import kill_point
from retraining.logs import log
from retraining.records import DataFile

if TYPE_CHECKING:
    from retraining.cycle.job import Job
    from retraining.ledger import Ledger
    from retraining.model_registry.interface import Registry
    from retraining.records import Manifest, RegistryFacts, VersionFacts

PROBATION = (
    "retraining.probation"  # tag of a version: `open`, `passed`, `failed`, or why it is not held
)
ROLLED_BACK_TO, ROLLED_BACK_IN = (
    "retraining.rolled_back_to",
    "retraining.rolled_back_in",
)  # tags of a version: which one, by which run
MADE_FOR, PUT_BACK = (
    "retraining.made_for",
    "retraining.put_back",
)  # tags of a version: its reason before a roll-back; how it came back
MOVED = "a person moved the alias"


def complete_promotion(
    job: Job, ledger: Ledger, version: VersionFacts, facts: RegistryFacts, *, by_person: bool
) -> Ledger:
    """Archive what the version consumed, tag it `approved` and set the other aliases; may be repeated.

    A version that a person put there is not on probation: their move is not undone by the job.

    Raises:
        StoreError: a file could not be archived; the version stays in production.
    """
    manifest = job.registry.manifest(version)
    try:
        ledger = archive_consumed(job, ledger, manifest)
    except OSError as error:
        raise StoreError(
            f"v{version.number} is in production, but not all of its files could be archived: {error.strerror}: {error.filename!r}.",
            unchanged=f"The alias {job.settings.production_alias!r} stays on v{version.number}; what was archived stays so.",
            remedy="Mend what is named above; the next start archives the others, which still wait in the inbox.",
        ) from error
    left = what_was_left(facts).get("production_version")
    previous = manifest.champion if left in (None, version.number) else left
    tags = {
        "validation_status": "approved",
        PROBATION: f"not held: {MOVED}" if by_person else "open",
    }
    if (
        left is not None and left != version.number and MADE_FOR in version.tags
    ):  # a person undid a roll-back
        tags |= tags_of_one_put_back(version, left, MOVED)
    if manifest.origin != "cycle":
        tags[PROBATION] = "not held: a first model"
    if previous is not None:
        tags["retraining.previous_version"] = str(previous)
    job.registry.tag_version(version.number, tags)
    kill_point("after_approved")
    if previous is not None:
        point_back(job.registry, previous)
    if facts.aliases.get("challenger") == version.number:
        job.registry.drop_alias("challenger")
    return ledger


def archive_consumed(job: Job, ledger: Ledger, manifest: Manifest) -> Ledger:
    """Move every consumed file into the archive under its manifest's name; one that somebody took from the inbox is withdrawn.

    Raises:
        StoreError: a file is not to be found, and others cannot be read: it may be one of them.
    """
    there, gone = job.inbox.archived(), {}
    inbox, unread = job.inbox.contents()
    names = {
        sha: name
        for sha, name in files_archived_by(manifest).items()
        if sha not in ledger.withdrawn
    }
    for sha in (sha for sha in manifest.consumed if sha in names):
        claimed = next(job.inbox.claims.glob(f"{sha}*"), None)
        if claimed is None and sha not in there and sha in inbox:
            claimed = next(
                (file.path for file in job.inbox.claim([inbox[sha]]) if file.sha256 == sha), None
            )
        if claimed is not None:
            moved = job.inbox.archive(DataFile(names[sha], sha, claimed), inbox.get(sha))
            job.archived += moved
        elif sha not in there:
            gone[sha] = "gone from the inbox before it could be archived"
            if (
                sha in inbox and (job.settings.new_data_dir / inbox[sha]).exists()
            ):  # it could not be claimed
                unread = (*unread, inbox[sha])
        elif sha in inbox:
            job.archived += job.inbox.remove_archived(inbox[sha], sha)
        kill_point("between_archived_files")
    kill_point("after_last_file")
    if gone and unread:
        raise StoreError(
            f"{len(gone)} files that the promoted version learned are not to be found, and {unread[0]!r} cannot be read.",
            unchanged="The version stays in production; what was archived stays so.",
            remedy="Make the files in the inbox and the archive readable; the next start goes on from here.",
        )
    if gone:
        log.warning(
            "%d files that the promoted version learned are gone from the inbox: withdrawn",
            len(gone),
        )
        job.registry.tag_model({WITHDRAWN + sha: why for sha, why in gone.items()})
    return replace(
        ledger,
        archive={**ledger.archive, **{s: n for s, n in names.items() if s not in gone}},
        withdrawn={**ledger.withdrawn, **gone},
    )


def tags_of_one_rolled_back(version: VersionFacts, to: int, why: str) -> dict[str, str]:
    """Tags of a version that is about to lose the alias to `to`; what it was made for is kept."""
    made_for = version.tags.get(MADE_FOR, version.tags.get("retraining.reason", ""))
    return {
        ROLLED_BACK_TO: str(to),
        MADE_FOR: made_for,
        "retraining.reason": why,
        "validation_status": "rolled_back",
    }


def tags_of_one_put_back(version: VersionFacts, in_place_of: int, why: str) -> dict[str, str]:
    """Tags of an older version that serves again: approved, not on probation, and for the reason that it was made for."""
    tags = {
        PUT_BACK: f"put back in place of v{in_place_of} ({why})",
        PROBATION: "not held: restored by a roll-back",
    }
    reason = {"retraining.reason": version.tags[MADE_FOR]} if MADE_FOR in version.tags else {}
    return {**tags, **reason, "validation_status": "approved"}


def put_back(job: Job, target: int, in_place_of: int, why: str) -> None:
    """Move the production alias back to a version, which is `approved` before it serves, and `previous_production` to what it replaced.

    Raises:
        NoProductionModelError: it was deleted.
    """
    version, alias = job.registry.version(target), job.settings.production_alias
    if version is None:
        raise NoProductionModelError(
            f"v{in_place_of} was being rolled back to v{target}, which was deleted since.",
            unchanged=f"The alias {alias!r} is still on v{in_place_of}.",
            remedy="Give the alias to another version in the MLflow UI.",
        )
    job.registry.tag_version(target, tags_of_one_put_back(version, in_place_of, why))
    job.registry.set_alias(alias, target)
    kill_point("mid_roll_back")
    point_back(job.registry, previous_of(version))


def previous_of(version: VersionFacts | None) -> int | None:
    """The version that this one replaced."""
    number = version.tags.get("retraining.previous_version") if version else None
    return int(number) if number is not None else None


def point_back(registry: Registry, previous: int | None) -> None:
    """Set `previous_production` to a version; drop it where there was none before, or a person deleted it since."""
    if previous is not None and registry.version(previous) is not None:
        registry.set_alias("previous_production", previous)
    else:
        registry.drop_alias("previous_production")


def move_out_withdrawn(job: Job, ledger: Ledger) -> None:
    """Move what was withdrawn, and still stands in the archive, into quarantine."""
    if not ledger.withdrawn or job.dry_run:
        return
    folder = job.settings.used_data_dir
    present = job.inbox.archived()
    there = [
        (sha256, why, name)
        for sha256, why in ledger.withdrawn.items()
        for name in present.get(sha256, ())
    ]
    if there:
        check_rights(
            job.settings,
            "The withdrawn files are marked in the registry; they are still in the archive.",
        )
    for sha256, why, name in there:
        job.inbox.quarantine(folder / name, f"withdrawn: {why}", sha256, folder="archive")
