"""Retrain: hand the recipe its rows, and register what it returns."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from retraining.cycle.calibrating import answers_on_test_rows, calibration_of
from retraining.cycle.drift import sketch_of
from retraining.cycle.learning import rows_to_learn
from retraining.cycle.rows import Section
from retraining.cycle.shapes import shape_of_challenger
from retraining.cycle.training_set import attempt_key
from retraining.datasets.blocks import BLOCKS_OF_A_BATCH
from retraining.logs import log
from retraining.model_registry.names import RETRAINING
from retraining.records import Candidate, Manifest, Marks
from retraining.trainer import load_recipe, pip_requirements

if TYPE_CHECKING:
    from collections.abc import Sequence

    from retraining.cycle.drift import Sketch
    from retraining.cycle.learning import Learned
    from retraining.cycle.opening import Cycle
    from retraining.cycle.training_set import FrozenTestSet, Lineage
    from retraining.records import DataFile, RowRange, Version
    from retraining.statistics import Predictions
    from retraining.trainer import Recipe


@dataclass(frozen=True)
class Challenger:
    """A trained estimator, the version it was registered as (None in a dry run), and its answers on
    the test set.
    """

    estimator: Any
    version: int | None
    manifest: Manifest
    answers: Predictions


def lost_before(cycle: Cycle, key: str) -> Version | None:
    """The last version that lost this very attempt: the same files, champion, settings and
    recipe.
    """
    lost = cycle.registry.versions("rejected", attempt_key=key)
    return lost[-1] if lost else None


def train_challenger(
    cycle: Cycle, lineage: Lineage, test_set: FrozenTestSet, trigger: str
) -> Challenger:
    """Have the recipe learn, and register the result as a pending version, with all its marks in
    one call.

    Raises:
        RecipeError: the recipe raised, or returned what cannot be used.
        TrainingMemoryError: its rows would take too much memory, and it takes no parts.
    """
    job, champion = cycle.job, cycle.production
    recipe = load_recipe(job.settings.recipe_path)
    with job.stage("reading"):
        parts = lineage.files_and_ranges()
        learned = rows_to_learn(job, recipe, parts, champion.schema, lineage.shares)
    with job.stage("training"):
        log.info("training on %d rows of %d files", learned.rows, len(parts))
        needs_probabilities = job.settings.needs_probabilities
        estimator = learned.fit(recipe, needs_probabilities=needs_probabilities).estimator
    manifest = _manifest_of(cycle, lineage, learned, recipe)
    with job.stage("comparing"):
        answers = answers_on_test_rows(job, champion, test_set.sections, estimator)
    if cycle.run_id is None:
        return Challenger(estimator, None, manifest, answers)
    with job.stage("registering"):
        # drift is against what is recent
        whole = [(file, ranges) for file, ranges in parts if file.sha256 not in lineage.shares]
        sketch = sketch_of(job, sections_of(whole), champion.schema, answers)
        marks = _marks_of(cycle, manifest, trigger)
        to_register = replace(
            candidate(recipe, estimator, manifest, marks, sketch),
            calibration=calibration_of(answers, champion.schema),
        )
        version = job.registry.register(to_register, parent=cycle.run_id, run_name=RETRAINING)
    return Challenger(estimator, version, manifest, answers)


def _manifest_of(cycle: Cycle, lineage: Lineage, learned: Learned, recipe: Recipe) -> Manifest:
    """What the challenger learned from and what it was kept from."""
    champion, settings = cycle.production, cycle.settings
    return Manifest(
        files=tuple(replace(file, reserved=()) for file in lineage.learned),
        held_out=lineage.held_out,
        consumed=lineage.consumed,
        schema=learned.schema,
        recipe_sha256=recipe.sha256,
        cycle_id=cycle.cycle_id,
        champion=champion.number,
        attempt_key=attempt_key(cycle, lineage),
        training_rows=learned.rows,
        sampled=learned.sampled,
        in_parts=learned.in_parts,
        shares=lineage.shares,
        row_limit=settings.max_training_rows,
        left_out=champion.manifest.left_out,
        shape=shape_of_challenger(champion.manifest, settings, recipe.code_sha256),
    )


def _marks_of(cycle: Cycle, manifest: Manifest, trigger: str) -> Marks:
    """A challenger is pending until it is compared."""
    return Marks(
        parent_run_id=cycle.run_id,
        attempt_key=manifest.attempt_key,
        previous=cycle.production.number,
        reason=f"trained because: {trigger}",
        status="pending",
    )


def candidate(
    recipe: Recipe, estimator: Any, manifest: Manifest, marks: Marks, sketch: Sketch
) -> Candidate:
    """What the registry is handed: the estimator with all that belongs to it."""
    params = {
        "training_rows": str(manifest.training_rows),
        "files": str(len(manifest.files)),
        "recipe_sha256": manifest.recipe_sha256,
    }
    if manifest.sampled:
        params["sampled"] = "by TRAIN_WINDOW or MAX_TRAINING_ROWS"
    return Candidate(
        estimator=estimator,
        manifest=manifest,
        recipe_text=recipe.text,
        pip_requirements=tuple(pip_requirements(recipe)),
        marks=marks,
        sketches=sketch.to_json(),
        search_results=getattr(estimator, "cv_results_", None),
        metrics={"data/training_rows": float(manifest.training_rows)},
        params=params,
    )


def sections_of(
    files_and_ranges: Sequence[tuple[DataFile, Sequence[RowRange]]],
) -> tuple[Section, ...]:
    """Each learned range as a block.

    Where there are fewer than a batch has, each is cut, for drift is judged by blocks.
    """
    learned = [(file, rows) for file, ranges in files_and_ranges for rows in ranges]
    pieces = math.ceil(BLOCKS_OF_A_BATCH / max(len(learned), 1))
    cuts = (
        (file, np.linspace(start, stop, pieces + 1).astype(int).tolist())
        for file, (start, stop) in learned
    )
    return tuple(
        Section(file, (start, stop))
        for file, edges in cuts
        for start, stop in pairwise(edges)
        if start < stop
    )
