"""Make a version again, in scratch: its own recipe on the very rows of its manifest, beside the
registered one.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from retraining.cycle.learning import rows_to_learn
from retraining.cycle.rows import Section, predictions
from retraining.folders.local_state import sha256_of
from retraining.ledger import ranges_outside
from retraining.records import DataFile
from retraining.settings import RECIPE_NAME
from retraining.trainer import load_recipe

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from retraining.model_registry.production import Model
    from retraining.project import Project
    from retraining.records import BatchFile, Manifest, RowRange
    from retraining.statistics import Predictions
    from retraining.trainer import Recipe

EQUAL = 1e-9  # probabilities: sums over threads end in another order


@dataclass(frozen=True)
class SideBySide:
    """Both models' answers on the rows that the version was kept from.

    Attributes:
        rows: how many; 0 where no labelled row was reserved.
        agreement: share of rows with the same label.
        largest_difference: of two probabilities, None where the models give none.
    """

    rows: int
    agreement: float | None
    largest_difference: float | None

    @property
    def same(self) -> bool:
        """Whether both are the same model, as far as these rows can tell."""
        return self.agreement == 1 and (self.largest_difference or 0.0) <= EQUAL


def files_of(project: Project, manifest: Manifest) -> dict[str, DataFile]:
    """SHA-256 -> where the bytes of the manifest's files stand: in the archive, or still in the
    inbox.
    """
    learned = {file.sha256: file for file in (*manifest.files, *manifest.held_out)}
    archive, inbox = project.settings.used_data_dir, project.settings.new_data_dir
    files = {
        sha: DataFile(names[0], sha, archive / names[0], learned[sha].rows)
        for sha, names in project.inbox.archived().items()
        if sha in learned
    }
    if files.keys() != learned.keys() and inbox.is_dir():
        for path in sorted(path for path in inbox.iterdir() if path.is_file()):
            sha = sha256_of(path)
            if sha in learned and sha not in files:
                files[sha] = DataFile(path.name, sha, path, learned[sha].rows)
    return files


def missing_of(manifest: Manifest, files: Mapping[str, DataFile]) -> tuple[BatchFile, ...]:
    """The manifest's files that stand nowhere, each once."""
    named = {file.sha256: file for file in (*manifest.files, *manifest.held_out)}
    return tuple(file for sha, file in named.items() if sha not in files)


def made_again(
    project: Project, model: Model, recipe_text: str, files: Mapping[str, DataFile]
) -> Any:
    """The estimator that the version's recipe makes of the rows that the version learned.

    Raises:
        RecipeError: the recipe fails today.
        TrainingMemoryError: its rows would take too much memory here.
    """
    manifest = model.manifest
    parts = [(files[file.sha256], _learned_ranges(file, manifest)) for file in manifest.files]
    as_then = project.settings._replace(max_training_rows=manifest.row_limit)
    needs_probabilities = project.settings.needs_probabilities
    with _as_a_file(recipe_text, project.settings.recipe_path.parent) as recipe:
        learned = rows_to_learn(
            project.under(as_then),
            recipe,
            parts,
            model.schema,
            manifest.shares,
            in_parts=manifest.in_parts,
        )
        return learned.fit(recipe, needs_probabilities=needs_probabilities).estimator


def compare_with_the_registered(
    project: Project, model: Model, again: Any, files: Mapping[str, DataFile]
) -> SideBySide:
    """Ask both models about every labelled row that the version was kept from."""
    sections = [
        Section(files[file.sha256], rows)
        for file in model.manifest.held_out
        for rows in file.reserved
    ]
    if not sections:
        return SideBySide(0, None, None)
    both = all(hasattr(one, "predict_proba") for one in (model.estimator, again))
    registered = predictions(project, model, sections, with_probabilities=both)
    new = predictions(project, model, sections, again, with_probabilities=both)
    rows = len(registered.predicted)
    if not rows:
        return SideBySide(0, None, None)
    agreement = float(np.mean(registered.predicted == new.predicted))
    return SideBySide(rows, agreement, _largest_difference(registered, new))


def _largest_difference(one: Predictions, other: Predictions) -> float | None:
    if one.probabilities is None or other.probabilities is None:
        return None
    return float(np.abs(one.probabilities - other.probabilities).max())


def _learned_ranges(file: BatchFile, manifest: Manifest) -> tuple[RowRange, ...]:
    kept_from = {held.sha256: held.reserved for held in manifest.held_out}
    return ranges_outside(file.rows, kept_from.get(file.sha256, ()))


@contextmanager
def _as_a_file(text: str, helpers: Path) -> Iterator[Recipe]:
    """The version's recipe in a folder of its own.

    Modules beside today's recipe may be imported by it.
    """
    with tempfile.TemporaryDirectory() as folder:
        for helper in helpers.glob("*.py"):
            if helper.name != RECIPE_NAME:
                shutil.copy(helper, folder)
        path = Path(folder) / RECIPE_NAME
        path.write_text(text, encoding="utf-8")
        yield load_recipe(path)
