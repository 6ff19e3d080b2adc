"""Whether the settings that name columns and classes fit the production version: a name that is
nowhere is an error, never silence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from retraining.phrases import likely_meant

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from retraining.records import Schema
    from retraining.settings import Settings


def problems_of_names(settings: Settings, schema: Schema, version: int) -> tuple[str, ...]:
    """Lines that begin with a setting's name, one for each name that is nowhere among a version's
    columns and classes.
    """
    if settings.target_column != schema.target:
        return (
            f"TARGET_COLUMN: {settings.target_column!r}, but v{version} predicts {schema.target!r}",
        )
    return (
        *_slices(settings, schema, version),
        *_ignored(settings, schema, version),
        *_unknown_class(settings, schema, version),
    )


def _slices(settings: Settings, schema: Schema, version: int) -> Iterator[str]:
    for name in settings.slice_columns:
        if name in schema.ignored:
            yield (
                f"SLICE_COLUMNS: {name!r} is ignored by v{version} (IGNORE_COLUMNS), so nothing is"
                " compared by it"
            )
        elif name not in schema.names:
            yield _nowhere("SLICE_COLUMNS", name, f"column of v{version}", schema.names)


def _ignored(settings: Settings, schema: Schema, version: int) -> Iterator[str]:
    known = (*schema.names, *schema.ignored)
    for name in settings.ignore_columns:
        if name not in known:
            yield _nowhere("IGNORE_COLUMNS", name, f"column of v{version}", known)


def _unknown_class(settings: Settings, schema: Schema, version: int) -> Iterator[str]:
    classes = [str(label) for label in schema.classes]
    if settings.positive_class is not None and settings.positive_class not in classes:
        yield _nowhere("POSITIVE_CLASS", settings.positive_class, f"class of v{version}", classes)


def _nowhere(setting: str, name: str, kind: str, known: Iterable[str]) -> str:
    meant = likely_meant(name, known)
    did_you_mean = f"; did you mean {meant!r}?" if meant else ""
    return f"{setting}: {name!r} is no {kind}{did_you_mean}"
