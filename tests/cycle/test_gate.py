"""The gate: what opens it, what keeps it shut, and what it notes for the next start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retraining.cycle.gate import ask_again, ask_the_gate, counts_of, ended_at_the_gate, what_waits
from retraining.outcomes import Decision

if TYPE_CHECKING:
    from tests.cycle.desk import Desk


def test_three_new_files_open_it_and_two_do_not(desk: Desk) -> None:
    desk.deliver(2)
    shut = ask_the_gate(desk.job())
    assert (shut.decision.act, shut.ending) == (False, "too_few_files")
    assert "2 of 3 files not yet judged" in shut.decision.reason
    desk.deliver(1, seed=3)
    assert ask_the_gate(desk.job()).decision.act


def test_an_empty_inbox_ends_unchanged(desk: Desk) -> None:
    gate = ask_the_gate(desk.job())
    assert (gate.decision.act, gate.ending) == (False, "unchanged")


def test_judged_files_do_not_count_until_a_deciding_setting_changes(desk: Desk) -> None:
    desk.deliver(3)
    assert desk.cycle().ending == "kept"
    waiting = what_waits(desk.job())
    assert (len(waiting.fresh), len(waiting.judged)) == (0, 3)
    assert ask_the_gate(desk.job(CONFIDENCE="0.9")).decision.act


def test_files_that_another_model_s_cycle_judged_count_for_this_one(desk: Desk) -> None:
    desk.deliver(3)
    assert desk.cycle().ending == "kept"
    assert ask_the_gate(desk.job()).ending == "unchanged"
    assert ask_the_gate(desk.job(MODEL_NAME="another")).decision.act
    assert not ask_the_gate(desk.job(MODEL_NAME="classifier")).decision.act


def test_force_opens_it_for_a_single_file_but_not_for_none(desk: Desk) -> None:
    shut = ask_the_gate(desk.job(force=True)).decision
    assert shut == Decision(False, "no new files: --force needs one")
    desk.deliver(1)
    assert ask_the_gate(desk.job(force=True)).decision.act


def test_asked_again_only_the_accepted_files_count_and_their_rows(desk: Desk) -> None:
    desk.deliver(3)
    job = desk.job(MIN_NEW_ROWS="100")
    gate = ask_the_gate(job)
    assert ask_again(job, gate, 3, 120).decision.act
    assert ask_again(job, gate, 2, 80).ending == "too_few_files"
    assert ask_again(job, gate, 0, 0).ending == "unchanged"
    assert "MIN_NEW_ROWS" in ask_again(job, gate, 3, 99).decision.reason


def test_a_start_that_ends_here_makes_no_run_and_says_what_waits(desk: Desk) -> None:
    desk.deliver(2)
    job = desk.job()
    outcome = ended_at_the_gate(job, ask_the_gate(job))
    assert (outcome.ending, outcome.run_id, outcome.files.waiting) == ("too_few_files", None, 2)
    assert desk.registry.open_runs() == 0


def test_what_a_dry_run_would_refuse_is_counted_as_refused(desk: Desk) -> None:
    (name,) = desk.deliver(1)
    job = desk.dry_job()
    job.refuse(name, "bad", what_waits(job).fresh[name])
    assert counts_of(job, what_waits(job)) == (0, 0, 0, 1)
    assert desk.project.names("new_data") == {name}
