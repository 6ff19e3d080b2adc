"""What `check` says of the inbox: what a cycle would refuse, leave there or find to be known."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from retraining.commands.problems import Problem, as_problem
from retraining.errors import RetrainingError
from retraining.inbox import NO_PERMISSION
from retraining.inbox.listing import CHANGING, TOO_YOUNG
from retraining.inbox.passed_over import COPY, EMPTY, counted_by_reason, in_words, passed_over
from retraining.inbox.rights import check_rights

if TYPE_CHECKING:
    from collections.abc import Container, Generator, Iterator, Mapping

    from retraining.cycle.job import Job, Recovered
    from retraining.inbox import Waiting
    from retraining.ledger import Ledger
    from retraining.model_registry.production import Model
    from retraining.settings import Settings


class Begun(NamedTuple):
    """What a cycle would find past the gate."""

    recovered: Recovered
    production: Model


def inbox_problems(
    job: Job, ledger: Ledger, begun: Begun | None, promised: Container[str]
) -> Generator[Problem, None, bool]:
    """What stops a cycle from claiming, reading and scoring what waits, and what it would leave
    there.

    Whether production was asked about rows that wait is returned.

    Args:
        job: that only reads.
        ledger: of past cycles.
        begun: what a cycle would find past the gate, None where it ends there.
        promised: SHA-256 of files that the next start archives.
    """
    settings = job.settings
    if not (settings.new_data_dir.is_dir() and settings.used_data_dir.is_dir()):
        return False
    was_asked = False
    try:
        check_rights(settings)
        waiting = job.inbox.waiting(
            ledger.judged(job.deciding), {*ledger.archive, *ledger.withdrawn}
        )
        yield from _not_read(passed_over(waiting), settings)
        yield from _nothing_new(waiting, settings, promised)
        job.inbox.check_space_for(waiting.fresh)
        if begun is not None:
            from retraining.commands.waiting_files import look_at_waiting_files

            was_asked = yield from look_at_waiting_files(job, *begun, waiting)
    except RetrainingError as error:
        yield as_problem(error, "folders")
    return was_asked


def _nothing_new(
    waiting: Waiting, settings: Settings, promised: Container[str]
) -> Iterator[Problem]:
    """All that a sender delivers is known already: its export may have stopped."""
    copies = {name for name, sha256 in waiting.copies.items() if sha256 not in promised}
    if waiting.fresh or not copies:
        return
    known = {name: why for name, why in passed_over(waiting).items() if name in copies}
    what = f"Nothing new waits: {counted_by_reason(known)}."
    remedy = "See whether the sender's export has stopped; move these files away if it has not."
    yield Problem(what, str(settings.new_data_dir), remedy, 0)


def _not_read(entries: Mapping[str, str], settings: Settings) -> Iterator[Problem]:
    """What a cycle leaves where it is.

    Who is only too young is read later, and a copy is refused.
    """
    mended = (TOO_YOUNG, CHANGING, COPY, EMPTY)  # by a later start
    lying = {name: why for name, why in entries.items() if why not in mended}
    if not lying:
        return
    remedy = (
        "Deliver CSV (.csv, .csv.gz) or Parquet files, not folders or links, into the inbox itself."
    )
    if NO_PERMISSION in lying.values():
        remedy = "Give the job's user the right to read them."
    yield Problem(f"In the inbox {in_words(lying)}.", str(settings.new_data_dir), remedy, 0)
