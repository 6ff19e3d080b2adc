"""Short texts about a cycle: the run's note, the version's description, the terminal block,
`quarantine.csv`. Standard library only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from retraining.console.terminal import USUAL, labelled
from retraining.phrases import how_many
from retraining.report.ending_texts import filled, texts_of
from retraining.report.verdict import COMMAND, contest, headline, undo, verdict_sentence
from retraining.report.words import (
    NOTHING,
    VERDICTS,
    ending_words,
    gain_text,
    name,
    printable,
    score_text,
    time_text,
    value_text,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from retraining.records import Comparison, Outcome
    from retraining.report.material import RefusedFile

LABEL_WIDTH = 9


def note(outcome: Outcome, command: str = COMMAND) -> str:
    """The comparison as a Markdown table, why it ended so and how to undo it, for the run's
    `mlflow.note.content`.
    """
    champion = outcome.production_version if outcome.ending == "kept" else outcome.previous_version
    heads = ("", f"production {name(champion)}", f"challenger {name(outcome.challenger_version)}")
    rows = [_row(heads), "| --- | --- | --- |", *map(_row, _note_rows(outcome))]
    table = "\n".join(rows)
    lines = [
        f"**{_markdown(ending_words(outcome.ending))}.** {_markdown(verdict_sentence(outcome))}",
        table,
    ]
    if outcome.comparison is not None:
        lines.append(f"Verdict: {VERDICTS[outcome.comparison.verdict]}.")
    advice = undo(outcome, command)
    after = advice.text
    if advice.command:
        after = f"To undo it: `{printable(advice.command)}`. {advice.text}"
    return "\n\n".join([*lines, f"Why: {_markdown(printable(outcome.reason))}", after])


def _row(cells: Iterable[str]) -> str:
    """A row of a Markdown table.

    MLflow's page puts no room between two columns, so each cell brings some.
    """
    return "| " + " | ".join(f"{_markdown(cell)} &emsp;" for cell in cells) + " |"


def description(outcome: Outcome, command: str = COMMAND) -> str:
    """A version's description: what it replaced, by how much, on how many rows, and how to undo it,
    in one paragraph.
    """
    # told of the version that failed, which this cycle did not train
    if outcome.ending == "rolled_back":
        return f"{verdict_sentence(outcome)} {undo(outcome, command).text}"
    version, champion = name(outcome.challenger_version), name(outcome.previous_version)
    start = filled(texts_of(outcome.ending).version, outcome)
    start = start or f"Trained against {champion}; the cycle ended {outcome.ending}"
    numbers = f": {contest(outcome.comparison, champion, version)}" if outcome.comparison else ""
    if outcome.ending in ("promoted", "awaiting_approval"):
        after = "To undo it" if outcome.ending == "promoted" else "To undo that later"
        end = (
            f"{after}, run `{command} rollback`, which moves the alias back to {champion} and holds"
            " further promotions."
        )
    else:
        end = "The production alias was not moved to it, so no rollback is needed."
    return f"{start}{numbers}. Why: {printable(outcome.reason).rstrip('.')}. {end}"


def verdict_block(outcome: Outcome, width: int = USUAL, command: str = COMMAND) -> str:
    """What happened, why, the numbers, how to see more and how to undo it, as plain text for a
    terminal.

    Lines are wrapped at `width` columns; a command or an address longer than that is left whole, to
    be copied.
    """
    stamp = time_text(outcome.started) if outcome.started else ""
    head = ending_words(outcome.ending).upper() + (" (dry run)" if outcome.dry_run else "")
    lines = [
        f"{head}  {stamp}".rstrip(),
        *_labelled("what", headline(outcome), width),
        *_labelled("why", outcome.reason, width),
    ]
    for label, text in _numbers(outcome):
        lines += _labelled(label, text, width)
    on_record = outcome.cycle_id is not None and not outcome.dry_run
    lines.append(
        _whole("see", f"{command} explain {outcome.cycle_id}" if on_record else f"{command} status")
    )
    if outcome.run_url:
        lines.append(_whole("", outcome.run_url))
    if outcome.ending == "awaiting_approval" and on_record:
        version = name(outcome.challenger_version)
        lines.append(_whole("approve", f"{command} approve {version}"))
        lines.append(_whole("reject", f"{command} reject {version} --why TEXT"))
    advice = undo(outcome, command)
    if advice.command:
        lines.append(_whole("undo", advice.command))
    lines += _labelled("" if advice.command else "undo", advice.text, width)
    return "\n".join(lines)


def quarantine_csv(rows: Iterable[RefusedFile]) -> str:
    """`quarantine.csv`: one line a refused file.

    A cell that a spreadsheet would run as a formula gets a leading apostrophe (OWASP).
    """
    import csv
    import io

    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("file", "sha256", "rows", "reason"))
    for row in rows:
        cells = (
            printable(row.name),
            row.sha256,
            "" if row.rows is None else str(row.rows),
            printable(row.reason, 2000),
        )
        table.writerow([_no_formula(cell) for cell in cells])
    return text.getvalue()


def _note_rows(outcome: Outcome) -> Iterator[tuple[str, str, str]]:
    metric = outcome.metric or "score"
    served, comparison = outcome.production_on_new, outcome.comparison
    yield (
        f"{metric} on {how_many(served.rows if served else 0, 'new row')}",
        score_text(served),
        NOTHING,
    )
    if comparison is not None:
        rows = f"{metric} on {how_many(comparison.rows, 'test row')}"
        yield (rows, score_text(comparison.champion), score_text(comparison.challenger))
        yield (f"improvement at {100 * comparison.confidence:g} %", NOTHING, _gain(comparison))
    if outcome.threshold is not None:
        yield ("threshold", value_text(outcome.metric, outcome.threshold), NOTHING)


def _numbers(outcome: Outcome) -> Iterator[tuple[str, str]]:
    served, comparison, files = outcome.production_on_new, outcome.comparison, outcome.files
    if served is not None:
        limit = ""
        if outcome.threshold is not None:
            limit = f", threshold {value_text(outcome.metric, outcome.threshold)}"
        yield (
            "new data",
            f"{served.metric} {score_text(served)} on {how_many(served.rows, 'row')}{limit}",
        )
    for label, against in (("test", comparison), ("probation", outcome.probation)):
        if against is not None:
            yield from _compared(label, against)
    moved = (
        f"{files.waiting} waiting",
        f"{files.judged} judged",
        f"{files.archived} archived",
        f"{files.quarantined} quarantined",
    )
    yield "files", ", ".join(moved)


def _compared(label: str, comparison: Comparison) -> Iterator[tuple[str, str]]:
    texts = [
        f"{_gain(comparison)} on {how_many(comparison.rows, 'row')}: {VERDICTS[comparison.verdict]}"
    ]
    if comparison.challenger.value is not None:
        texts.insert(
            0,
            f"challenger {score_text(comparison.challenger)}, champion"
            f" {score_text(comparison.champion)}",
        )
    yield from zip((label, ""), texts, strict=False)


def _gain(comparison: Comparison) -> str:
    return gain_text(comparison.challenger.metric, comparison.improvement, comparison.interval)


def _whole(label: str, text: str) -> str:
    return f"  {label:<{LABEL_WIDTH}} {printable(text, 2000)}"


def _labelled(label: str, text: str, width: int) -> list[str]:
    return labelled(label, printable(text), width, room=LABEL_WIDTH, indent="  ")


def _markdown(text: str) -> str:
    """Text that Markdown shows as it stands: no cell ends early, no tag, no emphasis, no link."""
    for special, shown in (
        ("\\", "\\\\"),
        ("|", "\\|"),
        ("<", "&lt;"),
        ("*", "\\*"),
        ("`", "\\`"),
        ("](", "]\\("),
    ):
        text = text.replace(special, shown)
    return text


def _no_formula(cell: str) -> str:
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
