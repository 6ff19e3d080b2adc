"""Disks, clocks, databases and servers that fail: a clear error in time, nothing lost, and the next
clean start succeeds.
"""

from __future__ import annotations

import socket
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.crash.nights import descriptors, hundreds_of_cycles, thirty_nights
from tests.crash.trials import damaged, locked_for, moved_away, overlapping
from tests.projects import tables

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.crash.forked import ForkedProject
    from tests.crash.trials import Stage

ONE_OF_EACH = (  # every call of every kind is tried by bench/soak.py
    ("open", "EACCES", 60),
    ("write", "ENOSPC", 150),
    ("fsync", "EIO", 3),
    ("rename", "EIO", 20),
    ("link", "EIO", 2),
    ("unlink", "EACCES", 4),
)


@pytest.mark.slow
def test_whatever_call_fails_nothing_is_lost(stages: Callable[[str], Stage]) -> None:
    stage = stages("promote")
    found = {fault: stage.failed_call(*fault) for fault in ONE_OF_EACH}
    assert {fault: wrong for fault, wrong in found.items() if wrong} == {}


def test_a_disk_that_stays_full_ends_a_start_in_three_lines_wherever_it_was(
    stages: Callable[[str], Stage],
) -> None:
    stage = stages("promote")
    found = {
        (call, nth): stage.failed_call(call, "ENOSPC", nth, lasting=True)
        for call, nth in (("open", 10), ("write", 60))
    }
    assert {where: wrong for where, wrong in found.items() if wrong} == {}


def test_a_private_copy_that_is_refused_for_a_moment_is_no_damaged_model_and_does_not_stay(
    stages: Callable[[str], Stage],
) -> None:
    stage = stages("keep")
    assert {nth: wrong for nth in (12, 15, 24) if (wrong := stage.failed_copy(nth))} == {}


@pytest.mark.slow
def test_troubles_end_with_their_codes_and_are_forgotten_once_mended(
    stages: Callable[[str], Stage],
) -> None:
    stage = stages("promote")
    troubles = {
        "database locked": partial(stage.meanwhile, locked_for(3), {0}),
        "model flipped": partial(stage.meanwhile, damaged("flipped"), {3}),
        "archive unmounted": partial(stage.meanwhile, moved_away("used_data"), {3}),
    }
    assert {name: wrong for name, trial in troubles.items() if (wrong := trial())} == {}


def test_of_eight_starts_at_once_one_works(stages: Callable[[str], Stage]) -> None:
    stage = stages("keep")
    assert overlapping(stage.project) == []


def test_an_unchanged_inbox_costs_one_training(forked: ForkedProject) -> None:
    assert thirty_nights(forked, nights=3) == []


def test_cycles_with_arrivals_and_kills_break_nothing(forked: ForkedProject) -> None:
    assert hundreds_of_cycles(forked, 6, seed=3, look_every=6) == []


def test_many_cycles_in_one_process_open_no_more_descriptors(forked: ForkedProject) -> None:
    counts = descriptors(forked, cycles=5)
    assert counts[-1] <= counts[1], counts


# --- deliveries that are not what they seem -------------------------------------------------------


def test_a_file_that_cannot_be_read_is_not_taken_for_one_that_was_withdrawn(
    stages: Callable[[str], Stage],
) -> None:
    """A person approved.

    While the job looks for the files to archive, one of them refuses to be read for a moment.
    """
    forked = stages("finish what a person approved").project
    assert forked.start("run", fault=("open", "EACCES", 1), below="new_data").fault["happened"]
    forked.start("run").expect(0)
    assert [name for name in forked.registry()["tags"] if "withdrawn" in name] == []


@pytest.mark.parametrize("place", ["after_claim", "after_scoring"])
def test_an_inbox_that_changes_under_a_cycle_that_dies_loses_nothing(
    stages: Callable[[str], Stage], place: str
) -> None:
    stage = stages("keep")
    forked, delivered = stage.project, stage.delivered
    forked.start("run", kill_at=place)
    old, gone, *_ = sorted((forked.folder / "new_data").glob("*.csv"))
    old.write_text(tables(1, seed=31)[0])
    gone.unlink()
    forked.deliver(*tables(3, seed=32))
    forked.cycle()
    where = forked.whereabouts()
    assert len([sha for sha in delivered.all if sha in where]) == sum(delivered.all.values()) - 2
    assert all(len(folders) == 1 for folders in where.values())


def test_the_patience_that_a_user_sets_in_the_env_file_is_the_patience_of_a_start(
    forked: ForkedProject,
) -> None:
    forked.deliver(*tables(3, seed=41))
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and never answers
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        forked.configure(
            MLFLOW_TRACKING_URI=url,
            MLFLOW_HTTP_REQUEST_TIMEOUT="1",
            MLFLOW_HTTP_REQUEST_MAX_RETRIES="0",
        )
        ended = forked.start("run")
    assert ended.code == 69
    assert ended.seconds < 15
