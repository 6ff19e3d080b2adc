"""The cards under the first line: one number each, and what it stands on."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from retraining.phrases import how_many
from retraining.report.live.verdict import value_and_interval
from retraining.report.rendering import typeset
from retraining.report.words import NOTHING, time_text

if TYPE_CHECKING:
    from datetime import timedelta

    from retraining.records import CycleRecord
    from retraining.report.live.material import LiveFacts, Part, ScoreOnRows

SECONDS_A_DAY = 86_400.0


class Card(NamedTuple):
    """A label, a number, and a few words about it."""

    label: str
    value: str
    note: str = ""


def cards(facts: LiveFacts) -> list[Card]:
    """All cards, in the order in which they are read."""
    cards = [*_traffic(facts), *_cycles(facts), _up(facts)]
    return [Card(one.label, typeset(one.value), typeset(one.note)) for one in cards]


def _traffic(facts: LiveFacts) -> list[Card]:
    seen, metric = facts.seen, facts.settings.metric
    if seen is None:
        return [Card("Predictions", NOTHING, "not looked at yet")]
    whole, today = seen.whole, facts.now.date()
    of_today = sum(day.part.predictions for day in seen.by_day if day.date == today)
    total = f"{whole.predictions:,} in {how_many(seen.days, 'day')}"
    drifting = NOTHING
    if seen.drift is not None and seen.drift.detected is not None:
        drifting = str(sum(bool(one.detected) for one in seen.drift.features))
    return [
        Card("Predictions today", f"{of_today:,}", total),
        Card("Labelled", _share(whole), f"{whole.labelled:,} rows{_how_soon(seen.labels_in_days)}"),
        _score(f"Realised {metric}", metric, whole.realised, "no label yet"),
        _score(f"Estimated {metric}", metric, whole.estimated, _why_not_estimated(facts)),
        Card("Drifting columns", drifting, _drift_note(facts)),
    ]


def _score(label: str, metric: str, score: ScoreOnRows | None, otherwise: str) -> Card:
    if score is None:
        return Card(label, NOTHING, otherwise)
    value, interval = value_and_interval(metric, score)
    rows = how_many(score.rows, "row")
    return Card(label, value, f"{interval or 'no interval yet,'} on {rows}")


def _share(part: Part) -> str:
    return f"{100 * part.labelled / part.predictions:.0f} %" if part.predictions else NOTHING


def _how_soon(days: int | None) -> str:
    return "" if days is None else f", most within {how_many(days, 'day')}"


def _why_not_estimated(facts: LiveFacts) -> str:
    reason = None if facts.seen is None else facts.seen.not_estimated
    return f"not estimated: {reason}" if reason else "not estimated"


def _drift_note(facts: LiveFacts) -> str:
    seen, books = facts.seen, facts.books
    past = "" if books is None else f"; {how_many(_drift_events(books.cycles), 'cycle')} saw drift"
    if seen is None or seen.drift is None or seen.drift.detected is None:
        return f"too few predictions to judge{past}"
    return f"in the last {how_many(seen.window_rows, 'prediction')}{past}"


def _drift_events(cycles: tuple[CycleRecord, ...]) -> int:
    return sum(bool(record.outcome.drift.detected) for record in cycles)


# --- cycles ---------------------------------------------------------------------------------------
def _cycles(facts: LiveFacts) -> list[Card]:
    books = facts.books
    if books is None:
        why = "not read yet" if facts.not_read is None else "cannot be read"
        return [Card("Retrainings", NOTHING, why)]
    trained = [one for one in books.cycles if one.outcome.challenger_version is not None]
    promoted = sum(record.ending == "promoted" for record in books.cycles)
    gate = facts.settings.min_new_files
    return [
        Card("Retrainings", str(len(trained)), f"{promoted} promoted"),
        Card("Files waiting", f"{books.waiting:,} of {gate:,}", _quarantine(books.quarantined)),
        Card("Next gate", *_next_gate(facts, gate - books.waiting, books.cycles)),
    ]


def _quarantine(files: int) -> str:
    return f"{how_many(files, 'file')} in quarantine" if files else ""


def _next_gate(facts: LiveFacts, missing: int, cycles: tuple[CycleRecord, ...]) -> tuple[str, str]:
    """When the next cycle passes the gate, at the pace at which files came; and when it looks."""
    doing = facts.doing
    start = "when the job starts next"
    if doing is not None and doing.next_start is not None:
        start = f"the service looks at {doing.next_start:%H:%M} UTC"
    if missing <= 0:
        return "open", start
    pace = files_a_day(cycles)
    note = f"{how_many(missing, 'file')} to come"
    return ("not known yet", note) if not pace else (about(missing / pace), note)


def files_a_day(cycles: tuple[CycleRecord, ...]) -> float | None:
    """At which pace files were judged, from the first cycle to the last; None under two cycles."""
    judged = [record for record in cycles if record.batch is not None]
    if len(judged) < 2:
        return None
    days = (judged[-1].started - judged[0].started).total_seconds() / SECONDS_A_DAY
    files = sum(len(record.batch.files) for record in judged[1:] if record.batch is not None)
    return files / days if days > 0 else None


def about(days: float) -> str:
    """A length of time as people say it.

    >>> about(0.02), about(0.5), about(3.2)
    ('under an hour', 'about 12 hours', 'about 3 days')
    """
    hours = round(days * 24)
    if hours < 1:
        return "under an hour"
    return f"about {how_many(hours, 'hour')}" if hours < 48 else f"about {round(days)} days"


def _up(facts: LiveFacts) -> Card:
    up_since = facts.serving.up_since
    if up_since is None:
        return Card("Drawn", time_text(facts.now), "once; no service was asked")
    return Card("Up", age(facts.now - up_since), f"since {time_text(up_since)}")


def age(length: timedelta) -> str:
    """A length of time in its largest unit.

    >>> from datetime import timedelta
    >>> age(timedelta(seconds=42)), age(timedelta(minutes=3)), age(timedelta(days=2, hours=7))
    ('42 s', '3 min', '2 days')
    """
    seconds = max(0, int(length.total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min"
    hours = seconds // 3600
    return how_many(hours, "hour") if hours < 48 else how_many(hours // 24, "day")
