"""The books: what a start reads of past cycles, and how a cycle's page is ended and left."""

from __future__ import annotations

import shutil
from dataclasses import replace

from retraining import registering
from retraining.cycle import books
from retraining.cycle.recovery import finish_what_a_dead_cycle_left
from retraining.model_registry.memory import MemoryRegistry
from retraining.records import Left
from tests.cycle.desk import Desk


def test_this_machine_s_copy_is_read_where_it_is_the_latest(promoted: Desk) -> None:
    job = promoted.job()
    facts = job.registry.facts()
    local = books.load_ledger(job, facts)
    assert [record.ending for record in local.records] == ["registered", "promoted"]
    shutil.rmtree(job.state.folder)
    assert books.load_ledger(job, facts).archive == local.archive


def test_another_machine_s_cycle_sends_this_one_to_the_registry(promoted: Desk) -> None:
    job = promoted.job()
    job.state.replace_lines(books.RECORDS, [])
    assert books.load_ledger(job, job.registry.facts()).records == ()
    job.registry.leave(Left(9, "run-9", 2))
    records = books.load_ledger(job, job.registry.facts()).records
    assert [record.ending for record in records] == ["registered", "promoted"]


def test_of_a_model_that_is_new_to_the_registry_no_copy_of_another_one_s_cycles_stays(
    promoted: Desk,
) -> None:
    elsewhere = Desk(promoted.project, MemoryRegistry())  # MODEL_NAME was changed in .env
    job = elsewhere.job()
    assert books.load_ledger(job, job.registry.facts()).records == ()
    registering.register(job, registering.Request(train_from=job.settings.used_data_dir))
    job = elsewhere.job()
    records = books.load_ledger(job, job.registry.facts()).records
    assert [record.ending for record in records] == ["registered"]


def test_a_cycle_that_begins_makes_this_machine_s_copies_doubtful(desk: Desk) -> None:
    job = desk.job()
    job.state.replace_lines(books.RECORDS, [])
    books.begin_run(job, "cycle-1", job.now())
    records = books.load_ledger(job, job.registry.facts()).records
    assert [record.ending for record in records] == ["registered"]


def test_an_ended_run_is_called_by_its_ending_and_the_version_that_it_is_about(
    promoted: Desk,
) -> None:
    job = promoted.job()
    (record,) = books.load_ledger(job, job.registry.facts()).cycles
    books.end_run(job, record, batch_digest="abc", metrics={"x": 1.0})
    run = promoted.registry._runs[str(record.run_id)]
    assert run.status == "FINISHED"
    assert "promoted v2" in run.name
    assert run.tags["retraining.ending"] == "promoted"
    assert run.tags["retraining.challenger_version"] == "2"
    assert run.tags["retraining.batch_digest"] == "abc"
    assert run.metrics == {"x": 1.0}


def test_word_is_left_in_the_registry_and_here_and_the_next_gate_answers_from_here(
    desk: Desk,
) -> None:
    desk.deliver(3)
    job = desk.job()
    job.begin()
    recovered = finish_what_a_dead_cycle_left(job)
    record = replace(recovered.ledger.records[-1], number=1, cycle_id="cycle-1")
    facts = books.leave(job, recovered.ledger, Left(1, "run-1", 1), record)
    assert facts.left == Left(1, "run-1", 1)
    assert books.load_ledger(job, facts).records[-1].cycle_id == "cycle-1"
    assert job.state.is_clean


def test_while_a_version_waits_for_a_person_no_start_is_answered_from_here(waiting: Desk) -> None:
    job = waiting.job()
    job.begin()
    recovered = finish_what_a_dead_cycle_left(job)
    books.leave(job, recovered.ledger, recovered.left)
    assert not job.state.is_clean


def test_a_first_model_archives_all_it_names_and_a_challenger_what_it_consumed(
    waiting: Desk,
) -> None:
    first, challenger = (waiting.registry.manifest(waiting.version(number)) for number in (1, 2))
    assert len(books.files_archived_by(first)) == 12
    assert set(books.files_archived_by(challenger)) == set(challenger.consumed)
