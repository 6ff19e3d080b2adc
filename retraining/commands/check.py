"""`check`: every broken invariant over settings, store, registry, folders and recipe, each with
what to do.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from retraining.commands import Answer
from retraining.commands.inbox_checks import Begun, inbox_problems
from retraining.commands.invariant_checks import broken_invariants
from retraining.commands.problems import Problem, as_problem
from retraining.commands.reading import Story, read_story
from retraining.commands.schedule import answer_a_schedule
from retraining.console.terminal import columns, labelled
from retraining.cycle.job import Job
from retraining.cycle.production import (
    deleted_of,
    find_production,
    left_to_archive,
    public_uri,
)
from retraining.cycle.recovery import finish_what_a_dead_cycle_left
from retraining.cycle.shapes import OF_READING, changes_in_words, changes_since, shape_of
from retraining.cycle.sources import noted_schema
from retraining.errors import RetrainingError
from retraining.folders.lock import error_while_held, why_it_cannot_be_taken
from retraining.metrics import METRICS
from retraining.project import Project
from retraining.report.words import printable
from retraining.settings import spelled_out
from retraining.sources import sources_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Container, Iterator, Sequence

    from retraining.model_registry.production import Model
    from retraining.records import Schema
    from retraining.settings import Settings
    from retraining.sources import Source


def add_flags(command: argparse.ArgumentParser) -> None:
    """How closely to look."""
    command.add_argument("--deep", action="store_true", help="read every archived file again")


def answer(args: argparse.Namespace, settings: Settings) -> Answer:
    """Look at everything, change nothing."""
    once_each = {problem.what: problem for problem in _problems(settings, deep=args.deep)}
    problems = [
        replace(problem, remedy=spelled_out(problem.remedy, settings))
        for problem in once_each.values()
    ]
    code = next((problem.code for problem in problems if problem.code), 0)
    result = {
        "ok": not code,
        "problems": [problem.as_json() for problem in problems],
        "passed_on": sorted(settings.passed_on),
    }
    return Answer(result, _in_words(problems, settings), code)


def _in_words(problems: Sequence[Problem], settings: Settings) -> str:
    width, lines = columns(), []
    for one in problems:
        for label, text in (
            ("problem" if one.code else "warning", one.what),
            ("  where", one.where),
            ("  try", one.remedy),
        ):
            lines += labelled(label, printable(text, 2000), width, room=8)
    lines.append(_last_line(problems))
    if settings.passed_on:
        lines += labelled(
            "Names in .env that are no settings of this job, passed on to the libraries:",
            ", ".join(sorted(settings.passed_on)),
            width,
            room=8,
        )
    return "\n".join(lines)


def _last_line(problems: Sequence[Problem]) -> str:
    """What all of it means for the next cycle."""
    wrong = [one for one in problems if one.code]
    if wrong:
        code = wrong[0].code
        return f"{len(wrong)} to be mended; a cycle that opens would end with exit code {code}."
    if any(one.stops_training for one in problems):
        return "Nothing here stops a cycle until it trains a challenger."
    return "Nothing here stops a cycle." if problems else "No problem was found."


def _problems(settings: Settings, *, deep: bool) -> Iterator[Problem]:
    yield from answer_a_schedule(settings)
    yield from _gain_out_of_reach(settings)
    yield from _folders(settings)
    try:
        job = Job.open(settings, read_only=True, dry_run=True)
        story = read_story(settings, job)
        if deep:
            job.state.forget_digests()
        yield from _registry(job, story, deep=deep)
    except RetrainingError as error:
        yield as_problem(error, public_uri(settings.mlflow_tracking_uri))
    yield from _token_file(settings)
    schema = noted_schema(Project.open(settings, read_only=True))
    for source in sources_of(settings):
        yield from _source(source, schema)
    yield from _engine(settings)


def _token_file(settings: Settings) -> Iterator[Problem]:
    from retraining.commands.service_checks import unreadable_tokens

    yield from unreadable_tokens(settings)


def _services(story: Story) -> Iterator[Problem]:
    from retraining.commands.service_checks import services_that_lag

    yield from services_that_lag(story.project.settings, story.holder)


def _engine(settings: Settings) -> Iterator[Problem]:
    """Whether workers of ENGINE are there.

    Only `fleet` and `replay` want them, so it is a warning: a cycle that is started alone goes on.
    """
    if settings.engine is None:
        return
    from retraining.engines import on_dask

    if settings.engine == on_dask.HERE:
        return  # they are started when they are wanted
    try:
        with on_dask.engine(settings.engine):
            pass
    except RetrainingError as error:
        what = f"`fleet` and `replay` would end with exit code {error.exit_code}: {error.what}"
        yield Problem(what, "ENGINE", error.remedy, 0)


def _source(source: Source, schema: Schema | None) -> Iterator[Problem]:
    try:
        for found in source.findings(schema):
            yield Problem(found.what, source.name, found.remedy, found.code)
    except RetrainingError as error:
        yield as_problem(error, source.name)


def _gain_out_of_reach(settings: Settings) -> Iterator[Problem]:
    """A gain that no challenger can have: it was meant in percentage points, most likely."""
    chosen, asked = METRICS[settings.metric], settings.min_improvement
    if settings.promote_when not in ("better", "manual") or asked <= chosen.high - chosen.low:
        return
    what = (
        f"No challenger can gain MIN_IMPROVEMENT={asked:g}: {chosen.name} lies between"
        f" {chosen.low:g} and {chosen.high:g}, so nothing would ever be promoted."
    )
    remedy = f"Set it in units of {chosen.name}: two points are 0.02."
    yield Problem(what, "MIN_IMPROVEMENT", remedy, 0)


def _folders(settings: Settings) -> Iterator[Problem]:
    for name in ("new_data_dir", "used_data_dir"):
        folder = getattr(settings, name)
        if not folder.is_dir():
            yield Problem(
                f"The folder {folder} is not there.",
                name.upper(),
                "Create or mount it, or correct the setting.",
            )
    closed = why_it_cannot_be_taken(settings.state_dir)
    if closed is not None:
        yield as_problem(closed, "folders")
    elif (held := error_while_held(settings.state_dir)) is not None:
        yield Problem(held.what, "folders", held.remedy, 0)


def _registry(job: Job, story: Story, *, deep: bool) -> Iterator[Problem]:
    from retraining.model_registry.own_experiment import artifact_root_problem, copied_from

    settings = job.settings
    out_of_reach = artifact_root_problem(settings)
    if out_of_reach is not None:  # nothing else can be looked at
        yield as_problem(out_of_reach, "MLFLOW_TRACKING_URI")
        return
    copied = copied_from(settings)
    if copied is not None:
        yield Problem(copied[0], "artifacts", copied[1], 0)
    begun = None
    try:
        begun = _begin(job)
    except RetrainingError as error:
        yield as_problem(error, f"alias {settings.production_alias!r} of {settings.model_name!r}")
    yield from _in_the_bin(story)
    was_asked = yield from inbox_problems(job, story.ledger, begun, _promised(story, begun))
    if begun is not None:
        from retraining.commands.recipe_trial import try_on_the_archive

        yield from _settings_since(begun.production, settings)
        yield from _model(begun.production)
        yield from try_on_the_archive(story, begun.production, model=not was_asked)
    yield from broken_invariants(story)
    yield from _services(story)
    if deep:
        yield from _all_models(story)


def _begin(job: Job) -> Begun:
    """Finish what a dead cycle left and find production, as a dry run does."""
    recovered = finish_what_a_dead_cycle_left(job)
    return Begun(recovered, find_production(job, recovered))


def _promised(story: Story, begun: Begun | None) -> Container[str]:
    """SHA-256 of files that the next start archives."""
    if begun is None or story.production is None:
        return ()
    return left_to_archive(story.facts, story.production, begun.production.manifest)


def _settings_since(production: Model, settings: Settings) -> Iterator[Problem]:
    """Settings that shaped production, and have another value now: files are still read as it
    learned them, or not at all.
    """
    changed = changes_since(production.manifest, shape_of(settings, None))
    parted = {name: values for name, values in changed.items() if name in OF_READING}
    for what in changes_in_words(parted):
        remedy = (
            "`python register_first_model.py --train-from used_data --set-alias` makes a version"
            " with the settings of today; or set it back."
        )
        yield Problem(f"{what} (v{production.number}).", "settings", remedy, 0)


def _in_the_bin(story: Story) -> Iterator[Problem]:
    """Runs and models that a person deleted can be restored until `mlflow gc` empties the bin, and
    with them what a cycle needs.
    """
    production = story.production
    before = None if production is None else production.previous
    for number in dict.fromkeys((story.holder, before)):
        version = None if number is None else story.project.registry.version(number)
        if version is None or not version.is_ours:
            continue
        for deleted in deleted_of(story.project, version):
            yield Problem(deleted.what, f"v{number}", deleted.remedy, 0)


def _model(production: Model) -> Iterator[Problem]:
    try:
        production.estimator  # noqa: B018 - loading verifies its files
    except RetrainingError as error:
        yield as_problem(error, f"v{production.number}")


def _all_models(story: Story) -> Iterator[Problem]:
    """The versions that do not serve: a damaged one stops no cycle, only a roll-back to it."""
    for version in story.project.registry.versions():
        if not version.is_ours or version.number == story.holder:
            continue
        try:
            story.project.registry.manifest(version)
            story.project.registry.model(version)
        except RetrainingError as error:
            remedy = (
                f"v{version.number} does not serve: no cycle needs it. Restore its files from a"
                " backup before you roll back to it."
            )
            yield Problem(error.what, f"v{version.number}", remedy, 0)
