"""Recipe and production, tried on rows of the archive, and what looks wrong about those rows.

Part of `check`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from retraining.commands.problems import Problem, as_problem
from retraining.cycle.opening import archive_readable
from retraining.cycle.rows import Section, predictions
from retraining.datasets.survey import Subject, survey
from retraining.errors import RetrainingError
from retraining.records import DataFile
from retraining.trainer import check_recipe, load_recipe

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from retraining.commands.reading import Story
    from retraining.model_registry.production import Model

ROWS_TRIED = 2_000
SPOILS_LEARNING: tuple[Subject, ...] = ("label told", "number in words", "empty")
REMEDY = (
    "Mend what fills it, or name it in IGNORE_COLUMNS; then run "
    "`python register_first_model.py --train-from used_data --set-alias`."
)


def try_on_the_archive(story: Story, production: Model, *, model: bool) -> Iterator[Problem]:
    """Fit the recipe, and name the requirements that it does not meet.

    Args:
        story: of the project.
        production: whose files are taken.
        model: whether to ask production too: it may have come from elsewhere, and no cycle asked.
    """
    settings = story.project.settings
    files = _newest_files(story, production)
    if model:
        yield from _try_production(story, production, files)
    try:
        recipe = load_recipe(settings.recipe_path)
        with archive_readable(story.project):
            rows = _rows_of(story, production, files)
        if rows is not None:
            X, y = rows
            yield from _suspicious(story, production, files)
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


def _try_production(
    story: Story, production: Model, files: list[tuple[DataFile, int]]
) -> Iterator[Problem]:
    """What a cycle that scores rows like these would end with."""
    try:
        with archive_readable(story.project):
            sections = [Section(file, (0, rows)) for file, rows in files]
            predictions(story.project, production, sections)
    except RetrainingError as error:
        yield as_problem(error, f"v{production.number}")


def _newest_files(story: Story, production: Model) -> list[tuple[DataFile, int]]:
    """The newest archived files that production learned, oldest first, and how many rows to take of
    each: 2,000 together.
    """
    folder = story.project.settings.used_data_dir
    chosen: list[tuple[DataFile, int]] = []
    rows_left = ROWS_TRIED
    for file in reversed(production.manifest.files):
        path = folder / file.name
        if path.is_file() and rows_left > 0:
            taken = min(file.rows, rows_left)
            chosen.append((DataFile(file.name, file.sha256, path, file.rows), taken))
            rows_left -= taken
    return chosen[::-1]


def _rows_of(
    story: Story, production: Model, files: list[tuple[DataFile, int]]
) -> tuple[pd.DataFrame, pd.Series[Any]] | None:
    """Features and labels; None where there are no rows, or all have one label."""
    if not files:
        return None
    parts = [(file, [(0, rows)]) for file, rows in files]
    X, y = story.project.tables.features_and_labels(parts, production.schema)
    return (X, y) if len(y.unique()) > 1 else None


def _suspicious(
    story: Story, production: Model, files: list[tuple[DataFile, int]]
) -> Iterator[Problem]:
    """What a registration would remark on these rows, as far as it spoils what is learned."""
    schema = production.schema
    tables = story.project.tables.tables_many([file for file, _ in files], schema)
    named = [
        (file.name, table.slice(0, rows)) for (file, rows), table in zip(files, tables, strict=True)
    ]
    for remark in survey(named, schema, story.project.settings, {}):
        if remark.column in story.project.settings.ignore_columns:
            continue  # what to do with it is told where the setting has changed
        if remark.subject in SPOILS_LEARNING:
            yield Problem(f"In the newest archived rows, {remark}.", "used_data", REMEDY, 0)
