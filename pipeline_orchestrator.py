"""The retraining job: one start of this script is one cycle, told below from top to bottom.

The files that wait in `new_data/` are scored with production: the version that holds the registry
alias `production`. If its score is not good enough, a challenger is trained on used and new data.
Both predict rows that neither has learned. If the challenger wins, it gets the alias, and its files
are archived. Moving the alias is the commit, whoever moves it. `README.md` says how to use the job,
`docs/source-code.md` is a map of the code.
"""

from __future__ import annotations

import atexit
import gc
import sys
from typing import TYPE_CHECKING

sys.dont_write_bytecode = True  # a full disk would cut it short, and every later start would fail
gc.set_threshold(10_000)  # a start makes many small things, and nearly all of them stay
atexit.register(gc.freeze)  # memory ends with the process: taking packages apart takes a second

from retraining import decisions
from retraining.cycle import sources
from retraining.cycle.gate import ask_again, ask_the_gate, ended_at_the_gate
from retraining.folders.lock import one_cycle_at_a_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from retraining.cycle.job import Job
    from retraining.cycle.monitoring import Monitored
    from retraining.cycle.opening import Cycle
    from retraining.cycle.outcome import Ending
    from retraining.records import Outcome


def run_cycle(job: Job) -> Outcome:
    """One cycle, from the lock to its record.

    The gate asks whether enough files wait. If not, the start ends without any heavy import.
    """
    with one_cycle_at_a_time(job.settings.state_dir):
        job.hooks.on_lock()
        last_ended_well = job.state.is_clean
        if last_ended_well:
            sources.fetch(job)
            gate = ask_the_gate(job)
            if not gate.decision.act:
                return ended_at_the_gate(job, gate)
        with job.own_claims():
            return _recover_and_run(job, has_fetched=last_ended_well)


def _recover_and_run(job: Job, *, has_fetched: bool) -> Outcome:
    """The rest of a start that passed its first gate, or that follows a start that died.

    What a dead cycle left is finished before files are counted, because that may archive some.
    """
    from retraining.cycle import claiming, closing, monitoring, opening, promotion
    from retraining.cycle.production import find_production
    from retraining.cycle.recovery import finish_what_a_dead_cycle_left

    job.begin()
    recovered = finish_what_a_dead_cycle_left(job)
    if not has_fetched:
        sources.fetch(job)
    gate = ask_the_gate(job)
    if not gate.decision.act:
        return ended_at_the_gate(job, gate, recovered)

    production = find_production(job, recovered)
    claimed = claiming.claim_and_validate(job, gate.waiting, production.schema)
    gate = ask_again(job, gate, len(claimed.files), claimed.labelled_rows)
    if not gate.decision.act:
        return ended_at_the_gate(job, gate, recovered)

    with opening.open_cycle(job, recovered, production, claimed) as cycle:
        monitored = monitoring.monitor(cycle)
        ending = _decide(cycle, monitored)
        done = promotion.carry_out(cycle, monitored, ending)
        return closing.close(cycle, monitored, done)


def _decide(cycle: Cycle, monitored: Monitored) -> Ending:
    """How the cycle ends, and why. It may train and register a challenger, but it moves nothing."""
    from retraining.cycle import comparing, never_seen, planning, training
    from retraining.cycle.outcome import Ending
    from retraining.cycle.promotion import Attempt

    plan = planning.plan_training(cycle, monitored)
    if isinstance(plan, Ending):
        return plan  # production is good enough, failed its probation, or nothing would change

    settings = cycle.settings
    challenger = training.train_challenger(cycle, plan.files, plan.test_set, plan.trigger.reason)
    compared = comparing.compare_on(cycle, plan.test_set, challenger)
    attempt = Attempt(plan.trigger.name, challenger.version, compared)
    floors = decisions.reaches_floors(compared.floors, settings)
    verdict = decisions.wins(compared.comparison, settings, floors, compared.veto)
    if not verdict.act:
        return attempt.ending("rejected", verdict.reason)
    known = never_seen.values_are_known(monitored.never_seen)
    move = decisions.may_move_the_alias(settings, cycle.recovered.hold, known)
    if not move.act:
        return attempt.ending("awaiting_approval", f"{verdict.reason}; {move.reason}")
    return attempt.ending("promoted", verdict.reason, holder=challenger.version)


def main(words: Sequence[str]) -> int:
    """Obey one command line; the exit code."""
    from retraining import cli

    return cli.main(words, run_cycle)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
