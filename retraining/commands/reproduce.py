"""`reproduce [vN]`: a version is made again from its recipe, its rows and today's packages, and
compared with the registered one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from retraining.commands import Answer
from retraining.commands.people import version_number
from retraining.commands.reading import read_story
from retraining.errors import ArchiveMismatchError, UsageError
from retraining.phrases import first_few, how_many

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from retraining.commands.reading import Story
    from retraining.cycle.reproducing import SideBySide
    from retraining.model_registry.production import Model
    from retraining.records import BatchFile
    from retraining.settings import Settings

    Packages = Mapping[str, tuple[str, str | None]]

RESTORE = (
    "Restore them into the archive from a backup, or with `dvc pull` where DVC keeps it "
    "(docs/data-versioning.md)."
)


def add_flags(command: argparse.ArgumentParser) -> None:
    """Which version."""
    command.add_argument(
        "version", nargs="?", type=version_number, metavar="vN", help="production by default"
    )


def answer(args: argparse.Namespace, settings: Settings) -> Answer:
    """Make it again and compare; nothing is written."""
    from retraining.cycle.reproducing import (
        compare_with_the_registered,
        files_of,
        made_again,
        missing_of,
    )
    from retraining.model_registry.packages import packages_then_and_now

    story = read_story(settings)
    model = _model(story, args.version)
    recipe = _recipe(story, model)
    packages = packages_then_and_now(story.project.registry.requirements(model.version))
    files = files_of(story.project, model.manifest)
    missing = missing_of(model.manifest, files)
    if missing:
        return _without_files(model, missing, packages)
    again = made_again(story.project, model, recipe, files)
    found = compare_with_the_registered(story.project, model, again, files)
    result = _as_json(model, packages, found)
    return Answer(result, _in_words(model, found, packages), code=0 if found.same else 1)


def _model(story: Story, number: int | None) -> Model:
    from retraining.model_registry.production import load_model

    version = number if number is not None else story.holder
    if version is None:
        raise UsageError(
            "No version holds the production alias.",
            remedy="Name a version: `python pipeline_orchestrator.py reproduce v3`.",
        )
    model = load_model(story.project.registry, version)
    if model is None:
        raise _no_such_version(story, version)
    return model


def _no_such_version(story: Story, wanted: int) -> UsageError:
    """A clone of the project's repository has no registry: its address is what is missing then."""
    if not story.project.registry.versions():
        return UsageError(
            f"There is no v{wanted}: the registry holds no version.",
            remedy="Name the registry that holds it in MLFLOW_TRACKING_URI.",
        )
    return UsageError(
        f"v{wanted} is no version of this job.",
        remedy="`python pipeline_orchestrator.py history` names those that are.",
    )


def _recipe(story: Story, model: Model) -> str:
    """The text of the recipe that made the version.

    Raises:
        UsageError: it was trained elsewhere, or its manifest does not say which rows it learned.
    """
    manifest = model.manifest
    recipe = story.project.registry.recipe(model.version)
    if not manifest.training_rows or recipe is None:
        raise UsageError(
            f"v{model.number} was trained elsewhere: this job has neither its recipe nor its rows.",
            remedy="Name a version that this job trained.",
        )
    if manifest.sampled and not manifest.shares and manifest.row_limit is None:
        raise UsageError(
            f"v{model.number} learned a sample, and its manifest is of 0.1.0, which did not say"
            " which.",
            remedy="Name a version that was made since the upgrade.",
        )
    return recipe


def _without_files(model: Model, missing: tuple[BatchFile, ...], packages: Packages) -> Answer:
    names = [file.name for file in missing]
    failure = ArchiveMismatchError(
        f"{how_many(len(missing), 'file')} that v{model.number} was made from cannot be found:"
        f" {first_few(names, 5)}.",
        remedy=RESTORE,
    )
    result = _as_json(model, packages, None, names)
    return Answer(result, code=failure.exit_code, failure=failure)


def _as_json(
    model: Model,
    packages: Packages,
    comparison: SideBySide | None,
    missing: list[str] | None = None,
) -> dict[str, Any]:
    return {
        "version": model.number,
        "same": None if comparison is None else comparison.same,
        "rows": 0 if comparison is None else comparison.rows,
        "agreement": None if comparison is None else comparison.agreement,
        "largest_difference": None if comparison is None else comparison.largest_difference,
        "recipe_sha256": model.manifest.recipe_sha256,
        "missing_files": missing or [],
        "packages": {name: list(pair) for name, pair in packages.items()},
    }


def _in_words(model: Model, comparison: SideBySide, packages: Packages) -> str:
    differ = [
        f"{name} {then} then, {now or 'none'} now"
        for name, (then, now) in packages.items()
        if then != now
    ]
    if comparison.same:
        rows = f"{comparison.rows:,} rows it was kept from"
        lines = [f"v{model.number} was made again: the same on {rows}."]
    elif comparison.agreement is None:
        lines = [f"v{model.number} was made again, but no row was kept from it to compare on."]
    else:
        share = f"{comparison.agreement:.2%} of {comparison.rows:,} rows get the same label"
        lines = [f"v{model.number} was made again and is another model: {share}."]
        if comparison.largest_difference is not None:
            lines.append(f"Probabilities differ by {comparison.largest_difference:.2g} at most.")
        lines.append(_why(differ))
    return "\n".join(lines)


def _why(differ: list[str]) -> str:
    if differ:
        return f"Packages that differ: {'; '.join(differ)}."
    return "The packages are the same: does the recipe draw random numbers without a seed?"
