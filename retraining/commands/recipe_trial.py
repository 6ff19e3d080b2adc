"""The recipe, tried on rows of the archive, and what looks wrong about those rows. Part of `check`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from retraining.commands.problems import Problem, as_problem
from retraining.cycle.opening import archive_readable
from retraining.errors import RetrainingError
from retraining.records import DataFile
from retraining.trainer import check_recipe, load_recipe

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from retraining.commands.reading import Story
    from retraining.model_registry.production import Model

ROWS_TRIED = 2_000
ROWS_TO_SUSPECT = 1_000


def try_the_recipe(story: Story, production: Model) -> Iterator[Problem]:
    """Fit it, and say what it does not keep of its promises."""
    settings = story.project.settings
    try:
        recipe = load_recipe(settings.recipe_path)
        with archive_readable(story.project):
            rows = _some_rows(story, production)
        if rows is not None:
            X, y = rows
            yield from _suspicious(X, y)
            for what in check_recipe(
                recipe, X, y, needs_probabilities=settings.needs_probabilities
            ):
                yield Problem(
                    what,
                    str(settings.recipe_path),
                    "Mend the training recipe; docs/recipe.md says what it must return.",
                    1,
                )
    except RetrainingError as error:
        yield as_problem(error, str(settings.recipe_path))


def _some_rows(story: Story, production: Model) -> tuple[pd.DataFrame, pd.Series[Any]] | None:
    """Up to 2,000 of the newest archived rows, every class among them where that is so in the archive."""
    job, folder = story.project, story.project.settings.used_data_dir
    chosen, rows = [], 0
    for file in reversed(production.manifest.files):
        path = folder / file.name
        if path.is_file() and rows < ROWS_TRIED:
            chosen.append(
                (
                    DataFile(file.name, file.sha256, path, file.rows),
                    [(0, min(file.rows, ROWS_TRIED - rows))],
                )
            )
            rows += min(file.rows, ROWS_TRIED - rows)
    if not chosen:
        return None
    X, y = job.tables.features_and_labels(chosen[::-1], production.schema)
    return (X, y) if len(y.unique()) > 1 else None


def _suspicious(X: pd.DataFrame, y: pd.Series[Any]) -> Iterator[Problem]:
    """A column without any value teaches nothing; one that repeats the label is seldom known when a model is asked."""
    for name in X.columns[X.isna().all()]:
        remedy = "Look at what should fill it, or name it in IGNORE_COLUMNS and register again."
        yield Problem(
            f"The column {name!r} has no value in the newest {len(X):,} archived rows.",
            "used_data",
            remedy,
            0,
        )
    if len(X) < ROWS_TO_SUSPECT:
        return
    for name in X.columns:
        values = X[name]
        distinct = values.nunique(dropna=False)
        if (
            distinct == y.nunique()
            and y.groupby(values, observed=True, dropna=False).nunique().max() == 1
        ):
            remedy = "If it is not known before the label is, name it in IGNORE_COLUMNS and register again."
            yield Problem(
                f"The column {name!r} repeats the label over {len(X):,} rows.",
                "used_data",
                remedy,
                0,
            )
