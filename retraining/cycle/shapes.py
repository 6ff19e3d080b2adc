"""The settings and the recipe that shape a version: which columns it has, how its files are read,
what it was kept from.

A version keeps its shape for good. `register_first_model.py` makes the next version where the shape
of today is another one, and `check` says where `.env` and production differ.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from retraining.records import Shape

if TYPE_CHECKING:
    from collections.abc import Iterator

    from retraining.records import Manifest
    from retraining.settings import Settings

# What a file's rows become: these, changed, leave production reading files as it always did, or not
# at all.
OF_READING = (
    "target_column",
    "ignore_columns",
    "positive_class",
    "csv_separator",
    "csv_decimal",
    "csv_encoding",
)


def shape_of(settings: Settings, recipe_sha256: str | None) -> Shape:
    """The shape that a version made now would have.

    Args:
        recipe_sha256: of all code that trains it; None for a model from elsewhere.
    """
    return Shape(
        target_column=settings.target_column,
        ignore_columns=settings.ignore_columns,
        positive_class=settings.positive_class,
        csv_separator=settings.csv_separator,
        csv_decimal=settings.csv_decimal,
        csv_encoding=settings.csv_encoding,
        holdout_fraction=settings.holdout_fraction,
        recipe_sha256=recipe_sha256,
    )


def shape_of_challenger(champion: Manifest, settings: Settings, recipe_sha256: str) -> Shape:
    """The shape of a version that a cycle trains: it takes over the champion's columns and
    classes.
    """
    now = shape_of(settings, recipe_sha256)
    before = champion.shape
    return replace(
        now,
        ignore_columns=champion.schema.ignored if before is None else before.ignore_columns,
        positive_class=now.positive_class if before is None else before.positive_class,
    )


def changes_since(manifest: Manifest, now: Shape) -> dict[str, tuple[object, object]]:
    """Name of a field -> what the version was made with, and what is set now.

    Only those that differ.

    A version made before shapes were kept is known by its schema alone. One that no recipe made is
    not asked about recipes.
    """
    made = manifest.shape or replace(
        now, target_column=manifest.schema.target, ignore_columns=manifest.schema.ignored
    )
    if made.recipe_sha256 is None:
        now = replace(now, recipe_sha256=None)
    before, after = asdict(made), asdict(now)
    both = {name: (old, after[name]) for name, old in before.items()}
    changed = {name: values for name, values in both.items() if values[0] != values[1]}
    if set(made.ignore_columns) == set(now.ignore_columns):
        changed.pop("ignore_columns", None)
    return changed


def changes_in_words(changed: dict[str, tuple[object, object]]) -> Iterator[str]:
    """`CSV_SEPARATOR is ';', and was ',' when it was made`, a line each."""
    for name, (before, now) in changed.items():
        if name == "recipe_sha256":
            yield "the training recipe has changed since it was made"
        else:
            yield f"{name.upper()} is {_shown(now)}, and was {_shown(before)} when it was made"


def _shown(value: object) -> str:
    if value is None or value == ():
        return "not set"
    return ",".join(value) if isinstance(value, tuple) else repr(value)
