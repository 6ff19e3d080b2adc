"""What waits in the inbox, read and scored as a dry run does, for a limited time.

Part of `check`.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from retraining.commands.foretelling import (
    BYTES_A_SECOND,
    foretell_the_score,
    foretell_the_training,
    scored_within,
)
from retraining.commands.problems import Problem
from retraining.cycle.claiming import Claimed, claim_and_validate
from retraining.cycle.gate import Gate, ask_again
from retraining.cycle.hidden_copies import hidden_copies
from retraining.cycle.opening import open_cycle
from retraining.decisions import enough_files
from retraining.errors import DamagedModelError, EveryFileRefusedError, RetrainingError, StoreError
from retraining.phrases import first_few, how_many
from retraining.records import DataFile

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence

    from retraining.cycle.job import Job, Recovered
    from retraining.cycle.opening import Cycle
    from retraining.inbox import Waiting
    from retraining.model_registry.production import Model
    from retraining.records import Schema

SECONDS = 20.0  # of reading and scoring; `run --dry-run` looks at everything
SHOWN = 5
WHERE = "new_data"


def look_at_waiting_files(
    job: Job, recovered: Recovered, production: Model, waiting: Waiting
) -> Generator[Problem, None, bool]:
    """Say what a cycle would refuse, and whether it would end for what waits.

    With a closed gate it would not.

    Args:
        job: a dry run, on the project.
        recovered: as it would begin.
        production: the version that would be scored.
        waiting: what stands in the inbox.

    Returns:
        Whether production was asked about rows of these files.
    """
    clock = _Clock(SECONDS)
    read = _read_within(clock, job, waiting.fresh, production.schema)
    whole = len(read) == len(waiting.fresh)
    gate = Gate(waiting, enough_files(len(waiting.fresh), job.settings), "too_few_files")
    claimed = Claimed()
    try:
        claimed = claim_and_validate(job, waiting._replace(fresh=read), production.schema)
        if whole and gate.decision.act:
            gate = ask_again(job, gate, len(claimed.files), claimed.labelled_rows)
        yield from _refused(job, read, gate)
        if claimed.files:
            with open_cycle(job, recovered, production, claimed) as cycle:
                yield from _go_on(cycle, clock, whole=whole, first=_first(gate))
    except RetrainingError as error:
        if whole or not isinstance(error, EveryFileRefusedError):
            code = error.exit_code if gate.decision.act else 0
            yield Problem(_first(gate) + error.what, WHERE, error.remedy, code)
    finally:
        job.inbox.release()
    left = [name for name in waiting.fresh if name not in read]
    if left:
        yield _not_looked_at("read", left, len(waiting.fresh))
    return bool(claimed.files)


def _first(gate: Gate) -> str:
    """What goes before a finding that does not stop the next cycle."""
    return "" if gate.decision.act else "Once the gate opens: "


def _go_on(cycle: Cycle, clock: _Clock, *, whole: bool, first: str) -> Iterator[Problem]:
    """Score what was accepted, as far as there is time, and see what training would take."""
    try:
        cycle.production.estimator  # noqa: B018 - it is loaded
    except DamagedModelError:
        return  # `check` says so of the version itself, whatever waits
    accepted = cycle.claimed.files
    files = scored_within(clock.left, cycle.job, cycle.production, accepted)
    scored = replace(cycle, claimed=replace(cycle.claimed, files=files))
    if len(files) < len(accepted):
        left = [file.name for file in accepted[len(files) :]]
        yield _not_looked_at("scored", left, len(accepted))
    if files:
        foretell_the_score(scored)
    hidden = hidden_copies(scored) if files else None
    if hidden is not None:
        command = cycle.settings.register_command
        remedy = f"{hidden.remedy}: `{command} --train-from used_data --set-alias`."
        yield Problem(f"{hidden.in_words()}.", WHERE, remedy[0].upper() + remedy[1:], 0)
    is_whole = whole and files == accepted and not first
    yield from foretell_the_training(scored, clock.left, is_whole=is_whole)


def _not_looked_at(verb: str, names: Sequence[str], of: int) -> Problem:
    what = (
        f"{len(names):,} of {of:,} waiting files were not {verb} within {SECONDS:g} s:"
        f" {first_few(names, SHOWN)}."
    )
    remedy = "`python pipeline_orchestrator.py run --dry-run` looks at them all."
    return Problem(what, WHERE, remedy, 0)


class _Clock:
    """The time that looking at waiting files may take."""

    def __init__(self, seconds: float) -> None:
        self._ends = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds, never less than none."""
        return max(self._ends - time.monotonic(), 0.0)


def _refused(job: Job, read: Mapping[str, str], gate: Gate) -> Iterator[Problem]:
    reasons = {name: reason for name, _, reason in job.tally.refused if name in read}
    if not reasons:
        return
    # the reasons have commas of their own
    listed = "; ".join([f"{name}: {reason}" for name, reason in reasons.items()][:SHOWN])
    if len(reasons) > SHOWN:
        listed += f"; and {len(reasons) - SHOWN:,} more"
    first = _first(gate)
    what = f"{first}{how_many(len(reasons), 'waiting file')} would be refused: {listed}."
    remedy = "Mend them, or ask their sender; a refused file goes to quarantine, with the reason."
    yield Problem(what, WHERE, remedy, 0)
    try:
        job.inbox.check_space_to_refuse(reasons)
    except StoreError as error:
        yield Problem(first + error.what, "folders", error.remedy, 1 if gate.decision.act else 0)


def _read_within(
    clock: _Clock, job: Job, fresh: Mapping[str, str], schema: Schema
) -> dict[str, str]:
    """Those of the fresh files (name -> SHA-256, by arrival) that could be read in the time.

    What was read is kept as tables.
    """
    started, size_read = time.monotonic(), 0
    read: dict[str, str] = {}
    for name, sha256 in fresh.items():
        path = job.settings.new_data_dir / name
        try:
            size = path.stat().st_size
        except FileNotFoundError:  # its sender took it back meanwhile
            continue
        spent = time.monotonic() - started
        pace = size_read / spent if size_read and spent > 1.0 else BYTES_A_SECOND
        if size / pace > clock.left:
            continue
        job.tables.validate_many([DataFile(name, sha256, path)], schema)
        size_read += size
        read[name] = sha256
    return read
