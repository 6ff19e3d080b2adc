"""What `check` says of registry, folders and past cycles: what should hold between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retraining.commands.problems import Problem
from retraining.commands.withdrawn import way_out, withdrawn_that_it_learned
from retraining.cycle.books import files_archived_by
from retraining.cycle.production import left_to_archive, strangers_in_the_archive
from retraining.decisions import MORE_TEST_ROWS
from retraining.model_registry.names import HOLD
from retraining.phrases import DELIVER_WHAT_IS_NEW, first_few, how_many

if TYPE_CHECKING:
    from collections.abc import Iterator

    from retraining.commands.reading import Story
    from retraining.project import Project

MENDED_BY_ITSELF = "The next start of the job mends it; if it stays, report it with the log."


def broken_invariants(story: Story) -> Iterator[Problem]:
    """What does not hold between registry, folders and the record of past cycles."""
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
