"""`check`: every broken invariant over settings, store, registry, folders and recipe, each with
what to do.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from retraining.commands import Answer
from retraining.commands.problems import Problem, as_problem
from retraining.commands.reading import Story, read_story
from retraining.commands.schedule import answer_a_schedule
from retraining.commands.withdrawn import way_out, withdrawn_that_it_learned
from retraining.console.terminal import columns, labelled
from retraining.cycle.books import files_archived_by
from retraining.cycle.job import Job, Recovered
from retraining.cycle.production import (
    deleted_of,
    find_production,
    left_to_archive,
    public_uri,
    strangers_in_the_archive,
)
from retraining.cycle.recovery import finish_what_a_dead_cycle_left
from retraining.cycle.shapes import OF_READING, changes_in_words, changes_since, shape_of
from retraining.cycle.sources import noted_schema
from retraining.decisions import MORE_TEST_ROWS
from retraining.errors import RetrainingError
from retraining.folders.lock import error_while_held, why_it_cannot_be_taken
from retraining.inbox import NO_PERMISSION
from retraining.inbox.listing import CHANGING, TOO_YOUNG
from retraining.inbox.passed_over import COPY, EMPTY, counted_by_reason, in_words, passed_over
from retraining.inbox.rights import check_rights
from retraining.metrics import METRICS
from retraining.model_registry.names import HOLD
from retraining.phrases import DELIVER_WHAT_IS_NEW, first_few, how_many
from retraining.project import Project
from retraining.report.words import printable
from retraining.settings import spelled_out
from retraining.sources import sources_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Generator, Iterator, Mapping, Sequence

    from retraining.inbox import Waiting
    from retraining.ledger import Ledger
    from retraining.model_registry.production import Model
    from retraining.records import Schema
    from retraining.settings import Settings
    from retraining.sources import Source

MENDED_BY_ITSELF = "The next start of the job mends it; if it stays, report it with the log."


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
    yield from _out_of_reach(settings)
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


def _out_of_reach(settings: Settings) -> Iterator[Problem]:
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
    was_asked = yield from _inbox(job, story.ledger, begun)
    if begun is not None:
        from retraining.commands.recipe_trial import try_on_the_archive

        yield from _settings_since(begun.production, settings)
        yield from _model(begun.production)
        yield from try_on_the_archive(story, begun.production, model=not was_asked)
    yield from _invariants(story)
    yield from _services(story)
    if deep:
        yield from _all_models(story)


class _Begun(NamedTuple):
    """What a cycle would find past the gate."""

    recovered: Recovered
    production: Model


def _begin(job: Job) -> _Begun:
    """Finish what a dead cycle left and find production, as a dry run does."""
    recovered = finish_what_a_dead_cycle_left(job)
    return _Begun(recovered, find_production(job, recovered))


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


def _inbox(job: Job, ledger: Ledger, begun: _Begun | None) -> Generator[Problem, None, bool]:
    """What stops a cycle from claiming, reading and scoring what waits, and what it would leave
    there.

    Whether production was asked about rows that wait is returned.
    """
    settings = job.settings
    if not (settings.new_data_dir.is_dir() and settings.used_data_dir.is_dir()):
        return False
    was_asked = False
    try:
        check_rights(settings)
        waiting = job.inbox.waiting(
            ledger.judged(job.deciding), {*ledger.archive, *ledger.withdrawn}
        )
        yield from _not_read(passed_over(waiting), settings)
        yield from _nothing_new(waiting, settings)
        job.inbox.check_space_for(waiting.fresh)
        if begun is not None:
            from retraining.commands.waiting_files import look_at_waiting_files

            was_asked = yield from look_at_waiting_files(job, *begun, waiting)
    except RetrainingError as error:
        yield as_problem(error, "folders")
    return was_asked


def _nothing_new(waiting: Waiting, settings: Settings) -> Iterator[Problem]:
    """All that a sender delivers is known already: its export may have stopped."""
    if waiting.fresh or not waiting.copies:
        return
    known = {name: why for name, why in passed_over(waiting).items() if name in waiting.copies}
    what = f"Nothing new waits: {counted_by_reason(known)}."
    remedy = "See whether the sender's export has stopped; move these files away if it has not."
    yield Problem(what, str(settings.new_data_dir), remedy, 0)


def _not_read(entries: Mapping[str, str], settings: Settings) -> Iterator[Problem]:
    """What a cycle leaves where it is.

    Who is only too young is read later, and a copy is refused.
    """
    mended = (TOO_YOUNG, CHANGING, COPY, EMPTY)  # by a later start
    lying = {name: why for name, why in entries.items() if why not in mended}
    if not lying:
        return
    remedy = (
        "Deliver CSV (.csv, .csv.gz) or Parquet files, not folders or links, into the inbox itself."
    )
    if NO_PERMISSION in lying.values():
        remedy = "Give the job's user the right to read them."
    yield Problem(f"In the inbox {in_words(lying)}.", str(settings.new_data_dir), remedy, 0)


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


# --- invariants over registry and folders ---------------------------------------------------------


def _invariants(story: Story) -> Iterator[Problem]:
    yield from _held(story)
    yield from _strangers(story)
    yield from _left_pending(story)
    yield from _production(story)
    yield from _put_back(story)
    yield from _full_dumps(story)
    yield from _nothing_comparable(story)
    yield from _too_few_test_rows(story)
    yield from _left_by_a_dead_start(story.project)


def _held(story: Story) -> Iterator[Problem]:
    hold = story.facts.hold
    if hold is not None:
        remedy = (
            f"`{story.project.settings.command} rollback --resume` lifts the hold; until then"
            " cycles compare, but promote nothing."
        )
        where = f"tag {HOLD} of the registered model"
        yield Problem(f"Promotions are held: {hold}.", where, remedy, 0)


def _strangers(story: Story) -> Iterator[Problem]:
    """Files that somebody put into the archive by hand."""
    strangers = strangers_in_the_archive(story.project, story.ledger)
    if strangers and story.ledger.records:
        what = (
            f"{how_many(len(strangers), 'file')} in the archive came by another way, and no version"
            f" learns from there: {first_few(strangers, 3)}"
        )
        remedy = (
            "Deliver them through the inbox, or run `python register_first_model.py --train-from"
            " used_data` to take them up."
        )
        yield Problem(what, "used_data", remedy, 0)


def _left_pending(story: Story) -> Iterator[Problem]:
    waits = (story.facts.challenger, story.holder)
    for version in story.project.registry.versions("pending"):
        if version.number not in waits:
            what = f"v{version.number} is pending, but no cycle judges it."
            yield Problem(what, "registry", MENDED_BY_ITSELF, 0)


def _left_by_a_dead_start(project: Project) -> Iterator[Problem]:
    settings = project.settings
    files = [
        *settings.used_data_dir.glob(".claimed/*"),
        *settings.quarantine_dir.glob(".*.tmp"),
    ]
    if files:
        what = f"{len(files)} temporary files are left: {files[0]}"
        yield Problem(what, "folders", MENDED_BY_ITSELF, 0)
    running = project.registry.open_runs()
    if running:
        what = f"{running} runs of this job are still RUNNING."
        yield Problem(what, "registry", MENDED_BY_ITSELF, 0)


def _put_back(story: Story) -> Iterator[Problem]:
    """A person moved the alias to an older version, and no cycle has seen that yet."""
    left, settings = story.facts.left, story.project.settings
    last = None if left is None else left.production_version
    if last is None or story.holder is None or story.holder >= last:
        return
    replaced = story.project.registry.version(last)
    if replaced is not None and replaced.status == "rolled_back":
        return  # the job's own roll-back, which the next start finishes
    what = (
        f"The alias {settings.production_alias!r} was moved back from v{last} to v{story.holder}:"
        " the next start takes that for a roll-back, and holds promotions."
    )
    remedy = f"`{settings.command} rollback --resume`, after that start, lifts the hold."
    yield Problem(what, "production", remedy, 0)


def _full_dumps(story: Story) -> Iterator[Problem]:
    """The last cycle that scored left out most of what came: it was there before."""
    scored = [one.outcome for one in story.ledger.cycles if one.outcome.new_rows is not None]
    if not scored:
        return
    copied, new = scored[-1].copied_rows or 0, scored[-1].new_rows or 0
    if copied > new:
        yield Problem(
            f"{copied:,} of the {copied + new:,} rows that came last are copies of rows seen"
            " before.",
            str(story.project.settings.new_data_dir),
            DELIVER_WHAT_IS_NEW,
            0,
        )


def _nothing_comparable(story: Story) -> Iterator[Problem]:
    """The last cycle had a reason to retrain, and no row to test a new version on."""
    cycles = story.ledger.cycles
    if cycles and cycles[-1].outcome.found_nothing_comparable:
        outcome, command = cycles[-1].outcome, story.project.settings.command
        yield Problem(
            f"The last cycle could train no version: {outcome.reason}.",
            str(story.project.settings.new_data_dir),
            f"Deliver rows that no version learned, each once; `{command} explain` shows it.",
            0,
        )


def _too_few_test_rows(story: Story) -> Iterator[Problem]:
    """The last challenger could not win, and the next will not either."""
    settings = story.project.settings
    compared = [one.outcome for one in story.ledger.cycles if one.outcome.comparison is not None]
    if compared and compared[-1].was_tested_on_fewer_than(settings.min_test_rows):
        what = f"The last challenger, v{compared[-1].challenger_version}, could not win"
        yield Problem(f"{what}: {compared[-1].reason}.", "MIN_TEST_ROWS", MORE_TEST_ROWS, 0)


def _production(story: Story) -> Iterator[Problem]:
    """What its promotion has not archived yet, and what it learned that was withdrawn since."""
    job, ledger, production = story.project, story.ledger, story.production
    if production is None or not production.is_ours:
        return
    manifest = job.registry.manifest(production)
    left = {
        *left_to_archive(story.facts, production, manifest),
        *files_archived_by(manifest).keys() - ledger.archive.keys(),
    }
    left -= {*ledger.withdrawn, *job.inbox.archived()}
    if left:
        what = (
            f"v{production.number} is in production, but {len(left)} of its files are not archived"
            " yet."
        )
        yield Problem(what, "used_data", MENDED_BY_ITSELF, 0)
    poisoned = withdrawn_that_it_learned(job.registry, production, ledger.withdrawn)
    if poisoned:
        what = f"v{production.number} learned from withdrawn files: {first_few(poisoned, 5)}"
        remedy = way_out(job, production.number, ledger.withdrawn)
        yield Problem(what, "production", remedy, 0)
