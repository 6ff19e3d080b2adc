"""How a cycle would go on with the files that it accepted, up to the training. Part of `check`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from retraining.commands.problems import Problem
from retraining.cycle.learning import check_the_memory
from retraining.cycle.monitoring import monitor, served_answers
from retraining.cycle.planning import TrainingPlan, plan_training
from retraining.cycle.rows import Section, predictions, whole_files
from retraining.cycle.training_set import trace_lineage
from retraining.errors import DamagedModelError, TrainingMemoryError
from retraining.machine import size_in_words
from retraining.trainer import load_recipe

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from retraining.cycle.job import Job
    from retraining.cycle.opening import Cycle
    from retraining.cycle.training_set import Lineage
    from retraining.model_registry.production import Model
    from retraining.records import DataFile

ROWS_TIMED = 1_000  # that production is asked about to see how long all rows take
MODELS_ASKED = 5  # production's score; probation and hindsight, each with a pair of versions
BYTES_A_SECOND = 10e6  # read, typed and checked, where none was measured


def scored_within(
    seconds: float, job: Job, production: Model, files: Sequence[DataFile]
) -> tuple[DataFile, ...]:
    """The first of the files, as many as all steps of a cycle can ask models about in the time."""
    sample = _first_rows(files, ROWS_TIMED)
    rows_timed = sum(section.rows[1] - section.rows[0] for section in sample)
    started = time.monotonic()
    try:
        predictions(job, production, sample)
    except DamagedModelError:
        return tuple(files)  # whoever fails is quick
    seconds_a_row = (time.monotonic() - started) / max(rows_timed, 1)
    affordable = seconds / (MODELS_ASKED * seconds_a_row)
    chosen: list[DataFile] = []
    for file in files:
        affordable -= file.rows
        if affordable < 0:
            break
        chosen.append(file)
    return tuple(chosen)


def _first_rows(files: Sequence[DataFile], rows: int) -> tuple[Section, ...]:
    sections: list[Section] = []
    for file in files:
        if rows <= 0:
            break
        sections.append(Section(file, (0, min(file.rows, rows))))
        rows -= file.rows
    return tuple(sections)


def foretell_the_score(cycle: Cycle) -> None:
    """Ask production about the cycle's files; raise what the cycle would end with."""
    served_answers(cycle, whole_files(cycle.claimed.files))


def foretell_the_training(cycle: Cycle, seconds: float, *, is_whole: bool) -> Iterator[Problem]:
    """Whether the rows would take too much memory.

    Where a challenger would be trained now, that is raised; else it is a warning.

    Args:
        cycle: on what waits.
        seconds: that reading the archive may take, as far as it is not at hand as tables.
        is_whole: whether all that waits was read, so that the trigger can be asked.

    Raises:
        RetrainingError: what the cycle would end with.
    """
    lineage = trace_lineage(cycle)
    unread = _bytes_not_at_hand(cycle, lineage)
    if unread > seconds * BYTES_A_SECOND:
        what = (
            f"The archive was not read ({size_in_words(unread)}): how much memory training takes is"
            " not known."
        )
        remedy = "`python pipeline_orchestrator.py run --dry-run` reads and trains."
        yield Problem(what, "used_data", remedy, 0)
        return
    recipe = load_recipe(cycle.settings.recipe_path)
    schema = cycle.production.schema
    try:
        check_the_memory(cycle.job, recipe, lineage.files_and_ranges(), schema, lineage.shares)
    except TrainingMemoryError as error:
        if is_whole and _would_train(cycle):
            raise
        what = f"Once a challenger is trained: {error.what}"
        yield Problem(what, "MAX_TRAINING_MEMORY", error.remedy, 0, stops_training=True)


def _bytes_not_at_hand(cycle: Cycle, lineage: Lineage) -> int:
    """The size of the learned files that would have to be parsed first."""
    tables, schema = cycle.job.tables, cycle.production.schema
    files = [lineage.files[file.sha256] for file in lineage.learned]
    return sum(
        file.path.stat().st_size for file in files if not tables.copy_of(file, schema).exists()
    )


def _would_train(cycle: Cycle) -> bool:
    """Whether the story of pipeline_orchestrator.py comes as far as the training."""
    return isinstance(plan_training(cycle, monitor(cycle)), TrainingPlan)
