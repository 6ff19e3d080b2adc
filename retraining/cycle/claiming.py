"""Claim what waits, read it by the production version's schema, refuse what does not fit."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from retraining.cycle.gate import tell_what_is_not_read
from retraining.datasets import known_by_spelling, spelling_key
from retraining.datasets.cells import shown
from retraining.errors import EveryFileRefusedError, UnknownClassError, UnreadableFileError
from retraining.inbox.passed_over import SHA256_OF_NOTHING
from retraining.logs import log
from retraining.phrases import first_few, how_many

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from retraining.cycle.job import Job
    from retraining.datasets import FileFacts
    from retraining.inbox import Waiting
    from retraining.records import DataFile, Schema

DUPLICATE = "duplicate: the same bytes are in the archive, withdrawn, or waiting under another name"
SHOWN = 10  # names in a message
REASONS_SHOWN = 3
MOST_CLASSES_NAMED = 50  # a person who mends the spellings that are named is not stopped again


@dataclass(frozen=True)
class Claimed:
    """Files that were read and accepted, by arrival, with what reading them showed (SHA-256 ->
    facts).
    """

    files: tuple[DataFile, ...] = ()
    facts: Mapping[str, FileFacts] = field(default_factory=dict)

    @property
    def labelled_rows(self) -> int:
        """Rows that can be scored and learned."""
        return sum(self.facts[file.sha256].labelled_rows for file in self.files)


def claim_and_validate(job: Job, waiting: Waiting, schema: Schema) -> Claimed:
    """Claim the fresh files and refuse those that cannot be read.

    Copies of known bytes go to quarantine too.

    Raises:
        FolderClosedError: this user may not move files between the folders.
        EveryFileRefusedError: files waited, and not one could be read.
        UnknownClassError: two files or more bring the same class that the production version does
            not know; they stay where they are.
    """
    job.inbox.check_rights()
    for name in waiting.listing.links:
        job.refuse(name, "a symbolic link: deliver the file itself")
    for name, sha256 in waiting.copies.items():
        job.refuse(
            name,
            "the file is empty (zero bytes)" if sha256 == SHA256_OF_NOTHING else DUPLICATE,
            sha256,
        )
    tell_what_is_not_read(job, waiting.listing.skipped)
    for name, why in waiting.listing.skipped.items():
        log.info("left %r where it is: %s", name, why)
    files = claim_as_seen(job, waiting.fresh)
    claimed = read_all(job, files, schema)
    if files and not claimed.files:
        raise _every_file_refused(job)
    _say_once(claimed)
    _warn_of_oddities(claimed)
    return claimed


def _every_file_refused(job: Job) -> EveryFileRefusedError:
    """A dry run has moved none of them."""
    what = f"Every file that waited in {job.settings.new_data_dir} was refused: {_why(job)}."
    on_purpose = (
        "if the columns changed on purpose, docs/columns.md says how to register the next version."
    )
    if all("CSV_SEPARATOR=" in reason for _, _, reason in job.tally.refused):
        on_purpose = (
            "if they are written as ever, CSV_SEPARATOR in .env is wrong: correct it first."
        )
    if job.dry_run:
        mend = f"Mend the files where they lie, or ask their sender; {on_purpose}"
        return EveryFileRefusedError(what, remedy=mend)
    quarantine = job.settings.quarantine_dir
    return EveryFileRefusedError(
        what,
        unchanged=f"The files are in {quarantine}, each with its reason beside it; no alias moved.",
        remedy=(
            "Mend the files or ask their sender, then send them back with `python"
            f" pipeline_orchestrator.py requeue FILE...`; {on_purpose}"
        ),
    )


def claim_as_seen(job: Job, seen: Mapping[str, str]) -> tuple[DataFile, ...]:
    """Claim files by name.

    One that holds other bytes by now (name -> SHA-256 says which) is left for the next cycle to
    look at.
    """
    job.inbox.check_space_for(seen)
    return tuple(file for file in job.inbox.claim(seen) if file.sha256 == seen[file.name])


def read_all(job: Job, files: Iterable[DataFile], schema: Schema) -> Claimed:
    """Read claimed files by the schema; refuse those that do not fit."""
    accepted, facts_by_digest, strange = [], {}, {}
    files = tuple(files)
    for file, facts in zip(files, job.tables.validate_many(files, schema), strict=True):
        if isinstance(facts, UnreadableFileError):
            job.refuse(file.name, str(facts), file.sha256)
        elif facts.unknown_labels:
            strange[file.sha256] = (file, facts)
        else:
            accepted.append(replace(file, rows=facts.rows))
            facts_by_digest[file.sha256] = facts
    files_with: Counter[str] = Counter()
    for _, facts in strange.values():
        files_with.update(facts.unknown_labels.keys())
    of_several_files = {label for label, files in files_with.items() if files > 1}
    alike = [
        (file, facts)
        for file, facts in strange.values()
        if not of_several_files.isdisjoint(facts.unknown_labels)
    ]
    if alike:
        raise _unknown_class(job, alike, schema)
    for file, facts in strange.values():
        classes = _classes_in_words([(file, facts)], schema)
        job.refuse(file.name, f"a class never seen: {classes}", file.sha256)
    return Claimed(tuple(accepted), facts_by_digest)


def _unknown_class(
    job: Job, files: list[tuple[DataFile, FileFacts]], schema: Schema
) -> UnknownClassError:
    names = first_few((repr(file.name) for file, _ in files), SHOWN)
    known = first_few(map(repr, schema.classes), MOST_CLASSES_NAMED)
    classes = _classes_in_words(files, schema)
    return UnknownClassError(
        f"{len(files)} files bring a class of {schema.target!r} that the production version has"
        f" never seen: {classes}; the files are {names}, the classes known are {known}.",
        unchanged=f"These files are still in {job.settings.new_data_dir}; no alias moved.",
        remedy=(
            f"If the class is real, move the files to {job.settings.used_data_dir} and run"
            " `python register_first_model.py --train-from used_data --set-alias`; if not, mend the"
            " labels."
        ),
    )


def _classes_in_words(files: list[tuple[DataFile, FileFacts]], schema: Schema) -> str:
    """Each class that is not known: how often, where first, and the known one that it may be
    another spelling of.
    """
    rows: Counter[str] = Counter()
    where: dict[str, str] = {}
    for file, facts in files:
        for text, label in facts.unknown_labels.items():
            rows[text] += label.count
            where.setdefault(text, f"{file.name}, {label.where[0]}")
    known = known_by_spelling(map(str, schema.classes))
    words = []
    for text, count in sorted(rows.items()):
        alike = known.get(spelling_key(text))
        hint = f"; another spelling of {shown(alike)}?" if alike is not None else ""
        words.append(f"{shown(text)} in {count:,} rows (first in {where[text]}{hint})")
    return first_few(words, MOST_CLASSES_NAMED)


def _why(job: Job) -> str:
    reasons = [
        f"{name}: {reason}"
        for name, _, reason in job.tally.refused
        if not reason.startswith("duplicate")
    ]
    shown = "; ".join(reasons[:REASONS_SHOWN])
    more = len(reasons) - REASONS_SHOWN
    return f"{shown}; and {more} more" if more > 0 else shown


def _say_once(claimed: Claimed) -> None:
    extra = {column for facts in claimed.facts.values() for column in facts.extra_columns}
    if extra:
        names = first_few([name or "one without a name" for name in sorted(extra)], SHOWN)
        log.info("ignored columns that the schema does not have: %s", names)
    unseen: Counter[str] = Counter()
    first: dict[str, str] = {}
    for file in claimed.files:
        for column, found in claimed.facts[file.sha256].unseen_values.items():
            unseen[column] += found.rows
            first.setdefault(column, f"{shown(found.text)} in {file.name}, row {found.first_row:,}")
    for column, rows in unseen.items():
        having = f"{how_many(rows, 'row')} {'has' if rows == 1 else 'have'}"
        log.info(
            "%s a value of %r that was never seen before, first %s", having, column, first[column]
        )
    dropped = sum(facts.unlabelled_rows for facts in claimed.facts.values())
    if dropped:
        were = "was" if dropped == 1 else "were"
        log.info("%s without a label %s left out", how_many(dropped, "row"), were)


def _warn_of_oddities(claimed: Claimed) -> None:
    """One line for each column and what is odd about it, however many files have it."""
    where: dict[tuple[str, str], list[str]] = {}
    for file in claimed.files:
        for column, odd in claimed.facts[file.sha256].oddities.items():
            where.setdefault((column, odd), []).append(file.name)
    for (column, odd), names in sorted(where.items()):
        log.warning(
            "column %r: %s, in %d of %d files; the first is %r",
            column,
            odd,
            len(names),
            len(claimed.files),
            names[0],
        )
