"""`history`: the last cycles, with what later rows say of each decision, and what people did with
the alias between them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from retraining.commands import Answer
from retraining.commands.alias_moves import in_words as move_in_words
from retraining.commands.alias_moves import moves_after_each, unseen_move
from retraining.commands.reading import Story, read_known_story
from retraining.console.terminal import columns, labelled
from retraining.errors import UsageError
from retraining.folders.failed_start import last_failed_start
from retraining.hindsight import Promotions, graded_decisions, in_words, promotions_together
from retraining.model_registry.names import REPORT
from retraining.phrases import how_many, in_brackets
from retraining.report.words import difference_text, interval_text, name, printable
from retraining.serialisation import cycle_to_json, move_to_json

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from retraining.records import AliasMove, Comparison, CycleRecord, Hindsight, Outcome
    from retraining.settings import Settings

CYCLES = 20
HEAD = "started (UTC)     ending            version  production's score   rows  gain"


def add_flags(command: argparse.ArgumentParser) -> None:
    """How many cycles, and where to."""
    command.add_argument(
        "-n", type=int, default=CYCLES, metavar="N", help=f"how many cycles ({CYCLES})"
    )
    command.add_argument(
        "--html",
        type=Path,
        metavar="DIR",
        help="write an index page and every report there instead",
    )


def answer(args: argparse.Namespace, settings: Settings) -> Answer:
    """List the last cycles, or write them as pages."""
    if args.n < 1:
        raise UsageError(
            f"-n {args.n} is no number of cycles.", remedy="Name a number of 1 or more."
        )
    story = read_known_story(settings)
    hindsight = graded_decisions(story.ledger.cycles, settings.confidence)
    newest = _newest(story, args.n)
    cycles = _as_json(newest, hindsight)
    if args.html is not None:
        return Answer(cycles, _write_pages(story, hindsight, args.html))
    lines = _failed_start(settings) + _unseen_move(story) + _table(newest, hindsight)
    together = promotions_together(list(hindsight.values()), settings.confidence)
    if together is not None:
        lines += labelled("", promotions_in_words(together, settings.metric), columns(), room=3)
    if not story.ledger.cycles:
        lines.append("No cycle has had enough files yet.")
    return Answer(cycles, "\n".join(lines))


def _failed_start(settings: Settings) -> list[str]:
    """The last start, where it failed: it may have left nothing in the registry."""
    failed = last_failed_start(settings.state_dir)
    if failed is None:
        return []
    text = f"the last start failed: {failed.in_words()}"
    return labelled("", printable(text, 2000), columns(), room=3)


def last_cycles(settings: Settings, most: int = CYCLES) -> list[Any]:
    """What `history --json` prints."""
    story = read_known_story(settings)
    hindsight = graded_decisions(story.ledger.cycles, settings.confidence)
    return _as_json(_newest(story, most), hindsight)


class _Span(NamedTuple):
    """A cycle, and what people did with the alias after it and before the next one.

    None of a cycle: before the first.
    """

    cycle: CycleRecord | None
    moves: list[AliasMove]


def _newest(story: Story, most: int) -> list[_Span]:
    """The last cycles, newest first, each with the moves of the alias that followed it."""
    cycles = story.ledger.cycles[::-1][:most]
    after_each, before = moves_after_each([one.started for one in cycles], story.facts.moves)
    spans = [_Span(cycle, moves) for cycle, moves in zip(cycles, after_each, strict=True)]
    if before and len(spans) == len(story.ledger.cycles):
        spans.append(_Span(None, before))
    return spans


def _as_json(newest: Sequence[_Span], hindsight: Mapping[str, Hindsight]) -> list[Any]:
    cycles = []
    for cycle, moves in newest:
        if cycle is not None:
            one = cycle_to_json(cycle, hindsight.get(cycle.cycle_id))
            cycles.append({**one, "moves": [move_to_json(move) for move in moves]})
    return cycles


def _unseen_move(story: Story) -> list[str]:
    """What a person did with the alias since, where no start has acted on it yet."""
    unseen = unseen_move(story)
    if unseen is None:
        return []
    alias = story.project.settings.production_alias
    text = f"the alias {alias!r}: {unseen}"
    return labelled("", printable(text, 2000), columns(), room=3)


def _table(newest: Sequence[_Span], hindsight: Mapping[str, Hindsight]) -> list[str]:
    """A line a cycle, and hindsight below it; `version` is the one that the ending is about.

    A move of the alias by a person has a line of its own.
    """
    width = columns()
    lines = [HEAD] if newest else []
    for cycle, moves in newest:
        for move in reversed(moves):
            lines += _move_row(move, width)
        if cycle is not None:
            lines += _row(cycle, width)
            lines += _below(cycle, hindsight.get(cycle.cycle_id), width)
    return lines


def _below(record: CycleRecord, graded: Hindsight | None, width: int) -> list[str]:
    """What later rows say of a cycle's decision, or why it failed."""
    if record.ending == "failed":
        return labelled("", printable(" ".join(record.outcome.reason.split())), width, room=3)
    if graded is None:
        return []
    text = f"since then: {in_words(graded, str(record.outcome.metric))}"
    return labelled("", text, width, room=3)


def _move_row(move: AliasMove, width: int) -> list[str]:
    row = f"{move.time:%Y-%m-%d %H:%M}  {'moved by a person':<17} {name(move.to)}"
    return [row, *labelled("", printable(move_in_words(move)), width, room=3)]


def promotions_in_words(promoted: Promotions, metric: str) -> str:
    """`5 promotions gained +0.9 points on average [+0.3, +1.5]; none harmed`."""
    moved = f"gained {difference_text(metric, promoted.gain)}"
    interval = promoted.interval
    if promoted.gain < 0:  # told as a loss, its interval turned round with it
        moved = f"lost {difference_text(metric, -promoted.gain).removeprefix('+')}"
        interval = None if interval is None else (-interval[1], -interval[0])
    between = interval_text(metric, interval, signed=True)
    harmed = "none harmed"
    if promoted.harmful:
        versions = ", ".join(f"v{number}" for number in promoted.harmful)
        harmed = f"{len(promoted.harmful)} harmed ({versions})"
    promotions = how_many(promoted.count, "promotion")
    return f"{promotions} {moved} on average {between}".rstrip() + f"; {harmed}"


def _row(record: CycleRecord, width: int) -> list[str]:
    outcome = record.outcome
    version = outcome.challenger_version or outcome.previous_version
    about = name(version) if version else ""
    score, rows = _served(outcome)
    ended = f"{record.started:%Y-%m-%d %H:%M}  {outcome.ending:<17}"
    row = f"{ended} {about:<8} {score:<18} {rows:>6}"
    won = _won(outcome.comparison)
    if won and len(row) + 2 + len(won) > width:
        return [row.rstrip(), f"    gain {won}"]
    return [f"{row}  {won}".rstrip()]


def _served(outcome: Outcome) -> tuple[str, str]:
    """Which version served, what it scored, and on how many rows.

    Both empty where it was not scored.
    """
    served = outcome.production_on_new
    if served is None or served.value is None:
        return "", ""
    score = f"{name(outcome.previous_version)} {served.value:.3f}"
    return score, f"{outcome.new_rows or 0:,}"


def _won(comparison: Comparison | None) -> str:
    """What the challenger gained, with the interval where there is one."""
    if comparison is None or comparison.improvement is None:
        return ""
    gain = f"{comparison.improvement:+.3f}"
    if comparison.interval is None:
        return gain
    return f"{gain} {in_brackets(comparison.interval, '+.3f')}"


def _write_pages(story: Story, hindsight: dict[str, Hindsight], folder: Path) -> str:
    """Write the index and a copy of every report that the registry still has."""
    from retraining.report import index

    reports = folder / "reports"
    reports.mkdir(parents=True, exist_ok=True)
    links = {}
    for record in story.ledger.cycles:
        page = story.project.registry.read_text(record.run_id, REPORT) if record.run_id else None
        if page is not None:
            (reports / f"{record.cycle_id}.html").write_text(page, encoding="utf-8")
            links[record.cycle_id] = f"reports/{record.cycle_id}.html"
    model = story.project.settings.model_name
    text = index(
        story.ledger.cycles,
        hindsight=hindsight,
        reports=links,
        model_name=model,
        serving=story.holder,
    )
    (folder / "index.html").write_text(text, encoding="utf-8")
    return f"Wrote {folder / 'index.html'} and {len(links)} reports."
