"""`forget`: withdraw a bad file from the archive and from all later training."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import TYPE_CHECKING

from retraining.commands import Answer
from retraining.commands.withdrawn import way_out
from retraining.cycle.books import load_ledger, save_ledger
from retraining.cycle.commit import move_out_withdrawn
from retraining.cycle.gate import mark_the_end
from retraining.cycle.job import Job, Recovered
from retraining.cycle.recovery import finish_what_a_dead_cycle_left
from retraining.errors import UsageError
from retraining.folders.lock import one_cycle_at_a_time
from retraining.phrases import first_few

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from retraining.settings import Settings

SHOWN = 10


def add_flags(command: argparse.ArgumentParser) -> None:
    """Which files or predictions, and why."""
    command.add_argument(
        "files",
        nargs="*",
        metavar="FILE_OR_SHA",
        help="archived files, or the first digits of their SHA-256",
    )
    command.add_argument(
        "--why", metavar="TEXT", help="the reason, kept in the registry; required for files"
    )
    command.add_argument(
        "--prediction",
        nargs="+",
        default=[],
        metavar="ID",
        help="remove these rows of the prediction log, and their labels",
    )


def answer(args: argparse.Namespace, settings: Settings) -> Answer:
    """Withdraw files, or remove rows of the prediction log."""
    if bool(args.files) == bool(args.prediction):
        raise UsageError(
            "`forget` takes files, or the ids of predictions after --prediction.",
            remedy="Name one or the other.",
        )
    if args.prediction:
        return _forget_predictions(args.prediction, settings)
    if not args.why:
        raise UsageError(
            "--why TEXT is missing: a file is withdrawn for a reason.",
            remedy="Give the reason; it is kept in the registry.",
        )
    return _forget_files(args, settings)


def _forget_predictions(ids: list[str], settings: Settings) -> Answer:
    """Remove rows and labels from the log at once; name the files that rows had left in."""
    from retraining.prediction_log.connection import JOB, open_database
    from retraining.prediction_log.layout import layout_of
    from retraining.prediction_log.retention import forget_predictions

    database = open_database(settings.prediction_log_uri, JOB)
    try:
        there = layout_of(database) is not None
        gone = forget_predictions(database, settings.model_name, ids) if there else []
    finally:
        database.close()
    files = {one.prediction_id: one.file for one in gone}
    unknown = [name for name in ids if name not in files]
    result = {"forgotten": files, "unknown": unknown}
    return Answer(result, "\n".join(_gone_in_words(files, unknown, settings)))


def _gone_in_words(
    files: dict[str, str | None], unknown: list[str], settings: Settings
) -> Iterator[str]:
    yield f"Removed {len(files)} predictions and their labels from the log."
    for prediction_id, file in files.items():
        if file is not None:
            way = f"`{settings.command} forget {file} --why TEXT` withdraws that file"
            yield f"{prediction_id} was exported to {file}; {way}."
    if unknown:
        yield f"Not in the log: {first_few(unknown, SHOWN)}."


def _forget_files(args: argparse.Namespace, settings: Settings) -> Answer:
    """Record the withdrawal in the registry, then move the files.

    Name every version that learned them.
    """
    with one_cycle_at_a_time(settings.state_dir):
        job = Job.open(settings)
        job.begin()
        recovered = finish_what_a_dead_cycle_left(job)
        shas = [_find(job, recovered, name) for name in args.files]
        job.inbox.check_rights()
        job.registry.withdraw(dict.fromkeys(shas, args.why))
        facts = job.registry.facts()
        ledger = load_ledger(job, facts)
        move_out_withdrawn(job, ledger)
        _move_out_waiting(job, shas, args.why)
        save_ledger(job, facts, ledger)
        mark_the_end(job, facts)
        learned = _versions_that_learned(job, set(shas))
    names = [recovered.ledger.archive.get(sha, sha[:12]) for sha in shas]
    result = {"withdrawn": shas, "learned_by": learned}
    text = (
        f"Withdrew {', '.join(names)}: no later version learns them, and the same bytes are"
        " refused."
    )
    if learned:
        versions = ", ".join(f"v{number}" for number in learned)
        text += f"\nVersions that learned them: {versions}."
    else:
        text += "\nNo version learned them."
    holder = recovered.facts.aliases.get(settings.production_alias)
    if holder in learned:
        text += f"\nProduction (v{holder}) is one of these: {way_out(job, holder, facts.withdrawn)}"
    return Answer(result, text)


def _move_out_waiting(job: Job, shas: list[str], why: str) -> None:
    for name, sha in _waiting(job).items():
        if sha in shas:
            job.refuse(name, f"withdrawn: {why}", sha)


def _find(job: Job, recovered: Recovered, name: str) -> str:
    """The digest of an archived or waiting file, by name, path or the first digits of its digest.

    It may be gone already.
    """
    files = {**{sha: n for n, sha in _waiting(job).items()}, **recovered.ledger.archive}
    by_name = [sha for sha, known in files.items() if known in (name, PurePath(name).name)]
    by_sha = [
        sha
        for sha in {**files, **recovered.ledger.known_files()}
        if re.fullmatch(r"[0-9a-f]{6,64}", name) and sha.startswith(name)
    ]
    digests = by_name or by_sha
    if not digests and re.fullmatch(r"[0-9a-f]{64}", name):
        return name
    if len(digests) != 1:
        how_many = "no" if not digests else "more than one"
        raise UsageError(
            f"There is {how_many} archived or waiting file {name!r}.",
            remedy="Name a file in used_data/, or its SHA-256.",
        )
    return digests[0]


def _waiting(job: Job) -> dict[str, str]:
    return job.state.digests_by_stamp(job.settings.new_data_dir, job.inbox.listing().stamps)


def _versions_that_learned(job: Job, shas: set[str]) -> list[int]:
    numbers = []
    for version in job.registry.versions():
        if version.is_ours:
            learned = {file.sha256 for file in job.registry.manifest(version).files}
            if learned & shas:
                numbers.append(version.number)
    return numbers
