"""What the live page shows: facts from the service, the last look at traffic, the registry and the
log.

Any part may be absent; the page says so. Times are aware and in UTC.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

    from retraining.folders.failed_start import FailedStart
    from retraining.records import CycleRecord, Drift, Hindsight
    from retraining.settings import Settings

JobState = Literal["running", "ended"]


# --- what the last `monitor` found ----------------------------------------------------------------
@dataclass(frozen=True)
class ScoreOnRows:
    """A score of METRIC with its interval, None where there is none."""

    value: float
    interval: tuple[float, float] | None
    rows: int


@dataclass(frozen=True)
class Part:
    """A part of the traffic, and what it scored: by its labels, and as estimated without them."""

    predictions: int = 0
    labelled: int = 0
    realised: ScoreOnRows | None = None
    estimated: ScoreOnRows | None = None


@dataclass(frozen=True)
class Day:
    """A day (UTC) that had traffic."""

    date: date
    part: Part


@dataclass(frozen=True)
class Age:
    """Predictions that are so many whole days old, and those of them whose label came."""

    days: int
    predictions: int
    labelled: int


@dataclass(frozen=True)
class AnswerShare:
    """How often a class was answered: on rows that the version had not learned, and now."""

    name: str
    learned: float
    now: float


@dataclass(frozen=True)
class AlertLine:
    """A line of `alerts.jsonl`, or what `monitor` would write there."""

    kind: str
    what: str
    remedy: str
    time: datetime | None = None
    cycle_id: str | None = None


@dataclass(frozen=True)
class SeenTraffic:
    """One look at the traffic.

    Attributes:
        made: when the look began.
        days: how many days it went back.
        by_version: version -> its part.
        labels_in_days: after how many days 95 % of the labels that came were there.
        reference_version: what `drift` compares the last `window_rows` predictions with.
        not_estimated: why there is no estimated score, where `monitor` says so.
    """

    made: datetime
    days: int
    whole: Part = Part()
    by_version: Mapping[int, Part] = field(default_factory=dict)
    by_day: tuple[Day, ...] = ()
    coverage: tuple[Age, ...] = ()
    labels_in_days: int | None = None
    drift: Drift | None = None
    window_rows: int = 0
    reference_version: int | None = None
    answers: tuple[AnswerShare, ...] = ()
    alerts: tuple[AlertLine, ...] = ()
    not_estimated: str | None = None


# --- what the registry and the folders hold -------------------------------------------------------
@dataclass(frozen=True)
class Books:
    """What past cycles left.

    Attributes:
        read: when the registry was asked.
        cycles: oldest first.
        hindsight: by cycle id, what later rows say of that cycle's decision.
        holder: the version that holds the alias.
        reason: why that version serves.
        promised: what it scored on its test rows before it got the alias.
        waiting, quarantined: files.
    """

    read: datetime
    cycles: tuple[CycleRecord, ...] = ()
    hindsight: Mapping[str, Hindsight] = field(default_factory=dict)
    holder: int | None = None
    reason: str = ""
    promised: float | None = None
    waiting: int = 0
    quarantined: int = 0
    hold: str | None = None
    awaiting_approval: int | None = None
    failed_start: FailedStart | None = None


# --- what the service knows -----------------------------------------------------------------------
@dataclass(frozen=True)
class Serving:
    """Which version answers, and what is not well.

    Attributes:
        version: None where none answers.
        alias_version: the version that holds the alias.
        since: when it took over.
        up_since: when the service started; None where no service is asked.
        store_since: since when the registry answers, or does not.
        unserved: why the alias's holder does not answer.
        settings_changed: whether `.env` says something else than when the service started.
    """

    version: int | None = None
    alias_version: int | None = None
    since: datetime | None = None
    up_since: datetime | None = None
    store_ok: bool = True
    store_since: datetime | None = None
    unserved: str | None = None
    log_ok: bool = True
    log_dropped_lately: bool = False
    settings_changed: bool = False


@dataclass(frozen=True)
class Pulse:
    """Requests for predictions in a stretch of time; seconds until the answer, None without any."""

    start: datetime
    seconds: float
    requests: int
    p50: float | None
    p99: float | None


@dataclass(frozen=True)
class LoggedRow:
    """A logged prediction; `sure` is the probability of the class that was answered."""

    time: datetime
    prediction_id: str
    version: int
    answer: str | None
    sure: float | None
    milliseconds: float
    caller: str | None
    features: str


@dataclass(frozen=True)
class CycleJob:
    """The last cycle that the service started; `said` is the last line that it wrote."""

    job_id: str
    state: JobState
    started: datetime
    said: str = ""
    ending: str | None = None
    exit_code: int | None = None
    reason: str | None = None
    cycle_id: str | None = None


@dataclass(frozen=True)
class Doing:
    """Who may start a cycle here, and what runs.

    Attributes:
        may_operate: whether whoever looks may start a cycle.
        job: the last cycle that the service started.
        cycle_runs: whether any cycle runs, whoever started it.
        next_start: when the service starts one by itself.
    """

    may_operate: bool = False
    job: CycleJob | None = None
    cycle_runs: bool = False
    next_start: datetime | None = None


# --- what a person set ----------------------------------------------------------------------------
@dataclass(frozen=True)
class PageSettings:
    """The settings that the page speaks of; `threshold` is None where none is looked at."""

    model_name: str
    alias: str
    metric: str
    threshold: float | None
    greater_is_better: bool
    min_new_files: int
    monitor_every: float
    command: str
    register_command: str

    @classmethod
    def of(cls, settings: Settings) -> PageSettings:
        """As the settings say."""
        return cls(
            model_name=settings.model_name,
            alias=settings.production_alias,
            metric=settings.metric,
            threshold=settings.threshold_that_decides,
            greater_is_better=settings.greater_is_better,
            min_new_files=settings.min_new_files,
            monitor_every=settings.monitor_every_seconds,
            command=settings.command,
            register_command=settings.register_command,
        )


@dataclass(frozen=True)
class LiveFacts:
    """Everything that one drawing of the page shows.

    Attributes:
        now: when it is drawn.
        seen: what the last look at the traffic found; None if it was not looked at yet.
        books: None where the registry and the folders could not be read yet.
        not_read: why they could not be read the last time.
        pulse: oldest first; None where no service is asked.
        rows: the last predictions, newest first; None where the log cannot be read.
        alerts: newest first.
        doing: None on a page that is drawn once.
        reports: address of a cycle's report, with `{}` for its id; None where there is none.
    """

    now: datetime
    settings: PageSettings
    serving: Serving
    seen: SeenTraffic | None = None
    books: Books | None = None
    not_read: str | None = None
    pulse: tuple[Pulse, ...] | None = None
    rows: tuple[LoggedRow, ...] | None = ()
    alerts: tuple[AlertLine, ...] = ()
    doing: Doing | None = None
    reports: str | None = None
