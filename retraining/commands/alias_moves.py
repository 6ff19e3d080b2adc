"""Moves of the production alias by people: those on record, and one that no start has seen yet.

A closed gate does not look at the alias, so a move in the MLflow UI may wait for days until a start
acts on it. The commands that read the registry anyway tell of it at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from retraining.cycle.books import files_archived_by
from retraining.ledger import was_offered
from retraining.report.words import name

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from retraining.commands.reading import Story
    from retraining.project import Project
    from retraining.records import AliasMove, Version


def unseen_move(story: Story) -> str | None:
    """What a person did with the alias since the last cycle ended, and which start acts on it.

    None where the alias is where that cycle left it.
    """
    last = story.facts.left.production_version if story.facts.left is not None else None
    if last is None or (story.holder == last and story.production is not None):
        return None
    start = _which_start(story.project)
    version = story.production
    if version is None:
        command = story.project.settings.command
        return (
            f"v{last} held it when the last cycle ended; a person took it away, or deleted the"
            f" version. {start} ends with exit 3 until a version holds it: `{command} rollback`"
            " names one."
        )
    if not version.is_ours:
        register = story.project.settings.register_command
        return (
            f"moved by a person from v{last} to v{version.number}, which this job does not know."
            f" {start} ends with exit 3 until `{register} --adopt {version.number}`."
        )
    if version.number < last:
        return f"{_moved_back(story, version, last)} {start} {_what_it_does_with(story, last)}."
    files = f"archives the files that v{version.number} learned, and "
    to_archive = files_archived_by(story.project.registry.manifest(version)).keys()
    if to_archive <= story.ledger.archive.keys():
        files = ""
    acts = f"{start} {files}tags it `approved`."
    was_taken_back = version.status == "rolled_back"
    if was_offered(story.ledger.cycles, version.number) and not was_taken_back:
        return f"v{version.number} was approved by a person, in place of v{last}. {acts}"
    return f"moved by a person from v{last} to v{version.number}. {acts}"


def _moved_back(story: Story, version: Version, last: int) -> str:
    if _was_our_roll_back(story, last):
        return f"a roll-back from v{last} to v{version.number} was cut short."
    return f"moved back by a person from v{last} to v{version.number}."


def _what_it_does_with(story: Story, last: int) -> str:
    if _was_our_roll_back(story, last):
        return "finishes it"
    return "notes it" if story.facts.hold is not None else "notes it and holds promotions"


def _was_our_roll_back(story: Story, last: int) -> bool:
    left = story.project.registry.version(last)
    return left is not None and left.status == "rolled_back"


def _which_start(project: Project) -> str:
    """The start that looks at the alias: a closed gate answers from this machine's files alone."""
    if not project.state.is_clean:
        return "The next start"
    return f"The next start that finds {project.settings.min_new_files} new files"


def moves_after_each(
    starts: Sequence[datetime], moves: Sequence[AliasMove]
) -> tuple[list[list[AliasMove]], list[AliasMove]]:
    """The moves that followed each cycle, oldest first, and those before all of them; each once,
    though a clock went back between two cycles.

    Args:
        starts: when the cycles began, the last cycle first.
        moves: of the alias, by people.
    """
    left, after_each = list(moves), []
    for start in starts:
        after_each.append([move for move in left if move.time >= start])
        left = [move for move in left if move.time < start]
    return after_each, left


def in_words(move: AliasMove) -> str:
    """`v1 in place of v2: rollback by Ada`."""
    return f"{name(move.to)} in place of {name(move.before)}: {move.why}"
