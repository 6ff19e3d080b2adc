"""The page's charts, each with a table that says the same to those who do not see it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING

from retraining.phrases import how_many
from retraining.report.live.material import Age
from retraining.report.live.verdict import value_and_interval
from retraining.report.past import decision_words, label_of
from retraining.report.plots import (
    SPARK_HEIGHT,
    Event,
    Line,
    Piece,
    Plot,
    Reading,
    bar_plot,
    line_plot,
    spark_line,
)
from retraining.report.rendering import typeset
from retraining.report.words import (
    LARGE_PSI,
    NOTHING,
    name,
    printable,
    size_of_psi,
    time_text,
    value_text,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from retraining.records import CycleRecord, FeatureDrift
    from retraining.report.live.material import AnswerShare, Day, LiveFacts, Pulse, ScoreOnRows

MOST_FEATURES = 8
MOST_CLASSES = 12
MOST_TRAININGS = 40
MOST_AGES = 60


@dataclass(frozen=True)
class Chart:
    """A plot, what it shows in words, its legend, and the same as a table.

    Attributes:
        key: of its place in the page.
        legend: (class of the line, what it is).
        limit: what the dashed line is.
        empty: said where there is nothing to draw.
    """

    key: str
    title: str
    words: str
    plot: Plot | None
    heads: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    legend: tuple[tuple[str, str], ...] = ()
    limit: str = ""
    has_flags: bool = False
    empty: str = ""


@dataclass(frozen=True)
class DriftLine:
    """A column: how far it moved over past cycles, and now."""

    name: str
    pieces: tuple[Piece, ...]
    words: str
    psi: str
    size: str
    finding: str
    material: bool
    height: float = SPARK_HEIGHT


@dataclass(frozen=True)
class AnswerLine:
    """A class: how often it was answered before and is answered now; lengths in percent."""

    name: str
    before: float
    now: float
    before_words: str
    now_words: str


def charts(facts: LiveFacts) -> list[Chart]:
    """Those that are drawn as plots, in the order in which they are read."""
    drawn = [_scores(facts), *_requests(facts), _labels(facts), _trainings(facts)]
    return [one for one in drawn if one is not None]


# --- score over time ------------------------------------------------------------------------------
def _scores(facts: LiveFacts) -> Chart:
    metric, limit = facts.settings.metric, facts.settings.threshold
    days = () if facts.seen is None else facts.seen.by_day
    realised = [(day, day.part.realised) for day in days if day.part.realised is not None]
    estimated = [(day, day.part.estimated) for day in days if day.part.estimated is not None]
    lines = [
        Line("realised", "after", tuple(_reading(metric, *one) for one in realised)),
        Line("estimated", "before", tuple(_estimate(metric, *one) for one in estimated)),
    ]
    plot = line_plot(
        lines,
        tell=lambda value: typeset(value_text(metric, value)),
        tell_time=_day,
        limit=limit,
        events=_events(facts),
    )
    legend = []
    if realised:
        legend.append(("after", "realised, by labels"))
    if estimated:
        legend.append(("before", "estimated, without labels"))
    drawn_limit = plot is not None and plot.limit is not None
    return Chart(
        key="score",
        title=f"Score over time ({metric})",
        words=f"{metric} by day: {how_many(len(realised), 'day')} with labels",
        plot=plot,
        heads=("Day", "Predictions", "Labelled", "Realised", "Interval", "Estimated"),
        rows=tuple(_day_row(metric, day) for day in reversed(days)),
        legend=tuple(legend),
        limit=f"threshold {typeset(value_text(metric, limit))}" if drawn_limit else "",
        has_flags=plot is not None and bool(plot.flags),
        empty=_at_the_last_look(facts, "No label had come"),
    )


def _reading(metric: str, day: Day, score: ScoreOnRows) -> Reading:
    value, interval = value_and_interval(metric, score)
    words = f"{day.date}: {value} {interval} on {how_many(score.rows, 'row')}"
    return Reading(_noon(day.date), score.value, score.interval, typeset(words))


def _estimate(metric: str, day: Day, score: ScoreOnRows) -> Reading:
    """Without its interval, which would hide that of the realised score."""
    return replace(_reading(metric, day, score), interval=None)


def _noon(day: date) -> datetime:
    """Where a day stands: what happened in it is drawn at the same place."""
    return datetime.combine(day, time(12), UTC)


def _day_row(metric: str, day: Day) -> tuple[str, ...]:
    part = day.part
    realised, interval = value_and_interval(metric, part.realised)
    estimated, _ = value_and_interval(metric, part.estimated)
    counts = (f"{part.predictions:,}", f"{part.labelled:,}")
    scores = (realised or NOTHING, interval or NOTHING, estimated or NOTHING)
    return (str(day.date), *counts, *map(typeset, scores))


def _events(facts: LiveFacts) -> list[Event]:
    """Promotions and roll-backs."""
    cycles = () if facts.books is None else facts.books.cycles
    events = []
    for record in cycles:
        ending = record.outcome.ending
        if ending in ("promoted", "rolled_back"):
            serves = name(record.outcome.production_version)
            words = f"{label_of(record)}: {decision_words(record.outcome)}"
            events.append(Event(_noon(record.started.date()), ending, serves, words))
    return events


def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%b %Y}"


# --- requests -------------------------------------------------------------------------------------
def _requests(facts: LiveFacts) -> Iterator[Chart]:
    if facts.pulse is None:
        return
    pulse = facts.pulse
    requests = sum(one.requests for one in pulse)
    plot = line_plot(
        [
            Line("p99", "before", tuple(_times(pulse, "p99"))),
            Line("p50", "after", tuple(_times(pulse, "p50"))),
        ],
        tell=_milliseconds,
        tell_time=_clock,
        from_zero=True,
        between=(pulse[0].start, pulse[-1].start) if pulse else None,
    )
    bars = [(_clock(one.start), _a_minute(one), _pulse_words(one)) for one in pulse]
    rows = tuple(_pulse_row(one) for one in reversed(pulse))
    heads = ("From (UTC)", "Requests", "A minute", "p50", "p99")
    since = f"requests for predictions since {bars[0][0]}" if bars else ""
    yield Chart(
        key="requests",
        title="Requests a minute",
        words=f"{requests:,} {since}",
        plot=bar_plot(bars, tell=lambda value: f"{value:,.4g}", top=None if requests else 1.0),
        heads=heads,
        rows=rows,
        empty="The first minute is not over yet.",
    )
    yield Chart(
        key="latency",
        title="Time to an answer",
        words=f"Time until {requests:,} requests for predictions were answered",
        plot=plot,
        heads=heads,
        rows=rows,
        legend=(("after", "p50"), ("before", "p99")),
        empty="No request for predictions since the service started.",
    )


def _pulse_row(one: Pulse) -> tuple[str, ...]:
    times = (typeset(_milliseconds(one.p50)), typeset(_milliseconds(one.p99)))
    return (f"{one.start:%H:%M:%S}", f"{one.requests:,}", f"{_a_minute(one):,.4g}", *times)


def _clock(moment: datetime) -> str:
    """With seconds: a service that is young counts by the quarter of a minute."""
    return f"{moment:%H:%M:%S} UTC"


def _a_minute(one: Pulse) -> float:
    return 60 * one.requests / one.seconds


def _pulse_words(one: Pulse) -> str:
    times = f"p50 {_milliseconds(one.p50)}, p99 {_milliseconds(one.p99)}"
    return f"{_clock(one.start)}: {how_many(one.requests, 'request')}, {times}"


def _times(pulse: Sequence[Pulse], which: str) -> Iterator[Reading]:
    for one in pulse:
        seconds = one.p50 if which == "p50" else one.p99
        if seconds is not None:
            words = f"{_clock(one.start)}: {which} {_milliseconds(seconds)}"
            yield Reading(one.start, seconds, None, words)


def _milliseconds(seconds: float | None) -> str:
    """A time until an answer: `4.2 ms`, `1.3 s`."""
    if seconds is None:
        return NOTHING
    return f"{seconds:.2g} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"


# --- labels by age --------------------------------------------------------------------------------
def _labels(facts: LiveFacts) -> Chart:
    ages = () if facts.seen is None else facts.seen.coverage[:MOST_AGES]
    by_days = {one.days: one for one in ages}
    youngest, oldest = min(by_days, default=0), max(by_days, default=-1)
    days = None if facts.seen is None else facts.seen.labels_in_days
    bars = []
    for age in range(youngest, oldest + 1):
        one = by_days.get(age, Age(age, 0, 0))
        share = one.labelled / one.predictions if one.predictions else 0.0
        words = f"{one.labelled:,} of {one.predictions:,} predictions labelled ({_percent(share)})"
        label = how_many(one.days, "day")
        bars.append((label, share, f"{label} old: {words}"))
    delay = "" if days is None else f"95 % of the labels that came were there {_within(days)}. "
    return Chart(
        key="labels",
        title="Labels by age of the prediction",
        words=f"{delay}Share of predictions with a label, by whole days since the prediction",
        plot=bar_plot(bars, tell=_percent, top=1.0),
        heads=("Age", "Predictions", "Labelled"),
        rows=tuple(
            (how_many(one.days, "day"), f"{one.predictions:,}", f"{one.labelled:,}") for one in ages
        ),
        empty=_at_the_last_look(facts, "No prediction was logged"),
    )


def _at_the_last_look(facts: LiveFacts, words: str) -> str:
    """Why nothing is drawn; rows that came since are in no chart yet."""
    if facts.seen is None:
        return "The traffic was not looked at yet."
    return f"{words} at the last look, {time_text(facts.seen.made)}."


def _percent(share: float) -> str:
    return typeset(f"{100 * share:.0f} %")


def _within(days: int) -> str:
    return f"within {how_many(days, 'day')}"


# --- trainings ------------------------------------------------------------------------------------
def _trainings(facts: LiveFacts) -> Chart:
    cycles = () if facts.books is None else facts.books.cycles
    trained = [one for one in cycles if "training" in one.outcome.seconds][-MOST_TRAININGS:]
    bars = [(label_of(one), one.outcome.seconds["training"], _training(one)) for one in trained]
    return Chart(
        key="trainings",
        title="Training time by retraining",
        words=f"Seconds that each of the last {how_many(len(bars), 'retraining')} trained",
        plot=bar_plot(bars, tell=lambda value: f"{value:,.4g} s"),
        heads=("Cycle", "Version", "Training"),
        rows=tuple(
            (
                f"{label_of(one)}, {one.started:%H:%M}",
                name(one.outcome.challenger_version),
                f"{one.outcome.seconds['training']:.1f} s",
            )
            for one in reversed(trained)
        ),
        empty="No cycle has trained yet.",
    )


def _training(record: CycleRecord) -> str:
    seconds = record.outcome.seconds["training"]
    version = name(record.outcome.challenger_version)
    return f"{label_of(record)}: {version} trained for {seconds:.1f} s"


# --- drift by feature -----------------------------------------------------------------------------
def drift_lines(facts: LiveFacts) -> list[DriftLine]:
    """The columns that moved most, worst first, each over past cycles and now."""
    seen, books = facts.seen, facts.books
    records = [] if books is None else [one.outcome.drift for one in books.cycles]
    past = [
        {feature.name: feature for feature in drift.features} for drift in records if drift.features
    ]
    now = [] if seen is None or seen.drift is None else list(seen.drift.features)
    if not now and past:
        now = sorted(past[-1].values(), key=lambda one: -one.psi_corrected)
    shown = now[:MOST_FEATURES]
    series = [[*_over_time(past, one.name), one.psi_corrected] for one in shown]
    top = max((max(values) for values in series), default=0.0)
    return [_drift_line(one, values, top) for one, values in zip(shown, series, strict=True)]


def _over_time(past: Sequence[dict[str, FeatureDrift]], feature: str) -> list[float]:
    known = [drift[feature].psi_corrected for drift in past if feature in drift]
    return known[-MOST_TRAININGS:]


def _drift_line(one: FeatureDrift, values: Sequence[float], top: float) -> DriftLine:
    above = [max(0.0, value) for value in values]
    cycles = how_many(len(values) - 1, "cycle")
    words = f"PSI over {cycles} and now: {min(values):.2f} to {max(values):.2f}"
    return DriftLine(
        name=printable(one.name, 80),
        pieces=spark_line(above, max(top, LARGE_PSI)),
        words=typeset(words),
        psi=typeset(f"{round(one.psi_corrected, 3) + 0.0:.3f}"),  # no sign before a zero
        size=size_of_psi(one.psi_corrected),
        finding=_finding(one),
        material=bool(one.material),
    )


def _finding(one: FeatureDrift) -> str:
    if one.material:
        return "material"
    if one.detected is None:
        return "not judged"
    return "detected, small" if one.detected else "steady"


# --- answers by class -----------------------------------------------------------------------------
def answer_lines(facts: LiveFacts) -> list[AnswerLine]:
    """The classes whose share moved most, with both shares."""
    shares = () if facts.seen is None else facts.seen.answers
    moved = sorted(shares, key=lambda one: -abs(one.now - one.learned))[:MOST_CLASSES]
    return [_answer_line(one) for one in moved]


def _answer_line(one: AnswerShare) -> AnswerLine:
    return AnswerLine(
        name=printable(one.name, 60),
        before=round(100 * one.learned, 1),
        now=round(100 * one.now, 1),
        before_words=typeset(f"{100 * one.learned:.1f} %"),
        now_words=typeset(f"{100 * one.now:.1f} %"),
    )
