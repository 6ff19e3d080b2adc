"""What a recipe is handed: all rows in one table or, where that would take too much memory,
parts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa

from retraining.cycle.sampling import EVERY_FILE_WHOLE, choose_rows
from retraining.datasets import (
    UNLABELLED,
    cut_into_parts,
    features_and_labels,
    label_codes,
    with_learned_categories,
    with_these_categories,
)
from retraining.errors import TrainingMemoryError
from retraining.logs import log
from retraining.machine import half_a_share, size_in_words
from retraining.trainer import train, train_in_parts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pandas as pd

    from retraining.cycle.sampling import ChosenRows, FilesAndRanges, Mask
    from retraining.datasets import Part
    from retraining.project import Project
    from retraining.records import Label, Schema
    from retraining.settings import Settings
    from retraining.trainer import Recipe, Trained

TABLES_A_FIT_TAKES = (
    3.5  # times the typed rows: the shipped recipe's fit, at its peak, and some room
)


class Learned(Protocol):
    """Rows that are ready to be learned."""

    @property
    def rows(self) -> int:
        """How many, each with a label."""

    @property
    def sampled(self) -> bool:
        """Whether the learned files have more."""

    @property
    def in_parts(self) -> bool:
        """Whether the recipe gets them in parts."""

    @property
    def schema(self) -> Schema:
        """That of a model which learned them: the texts that stand in them are known."""

    def fit(self, recipe: Recipe, *, needs_probabilities: bool) -> Trained:
        """Have the recipe learn them.

        Raises:
            RecipeError: it raised, or what it returned cannot be used.
        """


@dataclass(frozen=True)
class OneTable:
    """All rows in memory: X (n, features) and y (n,)."""

    X: pd.DataFrame
    y: pd.Series[Any]
    read_by: Schema
    sampled: bool
    in_parts: bool = False

    @property
    def rows(self) -> int:
        """As every `Learned` tells it."""
        return len(self.X)

    @property
    def schema(self) -> Schema:
        """As every `Learned` tells it."""
        return with_learned_categories(self.read_by, self.X)

    def fit(self, recipe: Recipe, *, needs_probabilities: bool) -> Trained:
        """As every `Learned` does it."""
        return train(recipe, self.X, self.y, needs_probabilities=needs_probabilities)


@dataclass(frozen=True)
class InParts:
    """The rows as they lie on the disk; `labels` are those that occur."""

    parts: tuple[Part, ...]
    labels: frozenset[Label]
    schema: Schema
    sampled: bool
    in_parts: bool = True

    @property
    def rows(self) -> int:
        """As every `Learned` tells it."""
        return sum(part.rows for part in self.parts)

    def fit(self, recipe: Recipe, *, needs_probabilities: bool) -> Trained:
        """As every `Learned` does it."""
        return train_in_parts(
            recipe,
            self.parts,
            self.labels,
            rows=self.rows,
            needs_probabilities=needs_probabilities,
        )


def rows_to_learn(
    project: Project,
    recipe: Recipe,
    files_and_ranges: FilesAndRanges,
    schema: Schema,
    shares: Mapping[str, float] = EVERY_FILE_WHOLE,
    *,
    in_parts: bool = False,
) -> Learned:
    """The labelled rows of some ranges, in one table if memory allows it.

    Args:
        recipe: that will learn them.
        files_and_ranges: the ranges of each file, oldest first.
        schema: that the files are read by.
        shares: as `choose_rows` takes them.
        in_parts: whether to hand out parts in any case.

    Raises:
        TrainingMemoryError: one table would take too much, and the recipe takes no parts.
    """
    chosen = choose_rows(project, files_and_ranges, schema, shares)
    if _fit_into_one_table(project, recipe, chosen, schema, in_parts=in_parts):
        return _one_table(project, chosen, schema)
    return _parts(project, chosen, schema)


def check_the_memory(
    project: Project,
    recipe: Recipe,
    files_and_ranges: FilesAndRanges,
    schema: Schema,
    shares: Mapping[str, float] = EVERY_FILE_WHOLE,
) -> None:
    """Raise `TrainingMemoryError` where `rows_to_learn` would; no row is brought into memory."""
    chosen = choose_rows(project, files_and_ranges, schema, shares)
    _fit_into_one_table(project, recipe, chosen, schema, in_parts=False)


def _fit_into_one_table(
    project: Project, recipe: Recipe, chosen: ChosenRows, schema: Schema, *, in_parts: bool
) -> bool:
    typed = _typed_size(project, chosen, schema)
    needed, granted = TABLES_A_FIT_TAKES * typed, memory_of(project.settings)
    if needed <= granted and not in_parts:
        return True
    if recipe.train_model_in_parts is None:
        raise _too_much(recipe, chosen, typed, granted)
    log.info("the rows are learned in parts: a table of %s", size_in_words(typed))
    return False


def memory_of(settings: Settings) -> int:
    """The bytes that a training may take: MAX_TRAINING_MEMORY, or half of what there is."""
    return settings.max_training_memory or half_a_share()


def _typed_size(project: Project, chosen: ChosenRows, schema: Schema) -> float:
    """The bytes of the chosen rows as they lie in the typed copies."""
    tables = project.tables_of(chosen.files, schema)
    size = 0.0
    for table, count in zip(tables, chosen.counts(), strict=True):
        size += table.nbytes * count / max(len(table), 1)
    return size


def _too_much(
    recipe: Recipe, chosen: ChosenRows, typed: float, granted: int
) -> TrainingMemoryError:
    rows = sum(chosen.counts())
    wanted = size_in_words(TABLES_A_FIT_TAKES * typed)
    return TrainingMemoryError(
        f"Learning {rows:,} rows would take some {wanted} of memory "
        f"({TABLES_A_FIT_TAKES:g} times their table of {size_in_words(typed)}); "
        f"MAX_TRAINING_MEMORY allows {size_in_words(granted)}.",
        remedy=(
            "Learn fewer rows: MAX_TRAINING_ROWS, or a shorter TRAIN_WINDOW; or let the recipe "
            f"{recipe.path} learn in parts: train_model_in_parts, see docs/recipe.md."
        ),
    )


def _one_table(project: Project, chosen: ChosenRows, schema: Schema) -> OneTable:
    tables = project.tables_of(chosen.files, schema)
    ranges = [ranges for _, ranges in chosen.files_and_ranges]
    if chosen.masks is not None:
        masks = chosen.masks
        tables = (table.filter(pa.array(mask)) for mask, table in zip(masks, tables, strict=True))
        ranges = [[(0, count)] for count in chosen.counts()]
    X, y = features_and_labels(tables, ranges, schema)
    return OneTable(X, y, schema, chosen.sampled)


def _parts(project: Project, chosen: ChosenRows, schema: Schema) -> InParts:
    seen = _Seen(schema)
    parts = cut_into_parts(_labelled_copies(project, chosen, schema, seen), schema)
    return InParts(parts, seen.labels(), seen.schema(), chosen.sampled)


def _labelled_copies(
    project: Project, chosen: ChosenRows, schema: Schema, seen: _Seen
) -> Iterator[tuple[Path, Mask]]:
    """Each columnar copy with its chosen rows that have a label; `seen` is told what they hold."""
    tables = project.tables_of(chosen.files, schema)
    for place, (file, table) in enumerate(zip(chosen.files, tables, strict=True)):
        mask = chosen.mask(place) & (label_codes(table) != UNLABELLED)
        seen.add(table, mask)
        yield project.tables.copy_of(file, schema), mask


class _Seen:
    """The labels and the texts that stand in the learned rows."""

    def __init__(self, schema: Schema) -> None:
        self._read_by = schema
        self._counts = np.zeros(len(schema.classes), dtype=np.int64)
        self._texts: dict[str, set[str]] = {
            column.name: set() for column in schema.columns if column.categories is not None
        }

    def add(self, table: pa.Table, mask: Mask) -> None:
        self._counts += np.bincount(label_codes(table)[mask], minlength=len(self._counts))
        chosen = pa.array(mask)
        for name, texts in self._texts.items():
            for text in table.column(name).filter(chosen).unique().to_pylist():
                if text is not None:
                    texts.add(text)

    def labels(self) -> frozenset[Label]:
        classes = self._read_by.classes
        return frozenset(classes[code] for code in np.flatnonzero(self._counts))

    def schema(self) -> Schema:
        return with_these_categories(self._read_by, self._texts)
