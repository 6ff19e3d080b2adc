"""The page's lists: cycles with hindsight, the last predictions, alerts."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from retraining.report.index_page import cycle_row
from retraining.report.rendering import typeset
from retraining.report.words import NOTHING, name, printable, time_text

if TYPE_CHECKING:
    from retraining.records import CycleRecord
    from retraining.report.index_page import IndexRow
    from retraining.report.live.material import AlertLine, LiveFacts, LoggedRow

MOST_CYCLES = 15
MOST_ALERTS = 10
MOST_PREDICTIONS = 12


class AlertRow(NamedTuple):
    """An alert, when it came, and what to do."""

    when: str
    kind: str
    what: str
    remedy: str


class PredictionRow(NamedTuple):
    """A logged prediction, each part as text."""

    when: str
    prediction_id: str
    version: str
    answer: str
    sure: str
    took: str
    caller: str
    features: str


def cycle_rows(facts: LiveFacts) -> list[IndexRow]:
    """The last cycles, newest first, each linking report, run and version where they can be
    seen.
    """
    if facts.books is None:
        return []
    newest = facts.books.cycles[::-1][:MOST_CYCLES]
    return [_cycle_row(facts, record) for record in newest]


def _cycle_row(facts: LiveFacts, record: CycleRecord) -> IndexRow:
    books, outcome = facts.books, record.outcome
    hindsight = None if books is None else books.hindsight.get(record.cycle_id)
    run_url = web_address(outcome.run_url)
    version = outcome.challenger_version
    version_url = None
    if run_url is not None and version is not None:
        home = run_url.partition("#")[0]
        version_url = (
            f"{home}#/models/{quote(facts.settings.model_name, safe='')}/versions/{version}"
        )
    report = None
    if facts.reports is not None and record.run_id is not None:
        report = facts.reports.format(quote(record.cycle_id, safe=""))
    return cycle_row(record, hindsight, report, run_url, version_url)


def web_address(text: str | None) -> str | None:
    """An address that a browser may follow; anything else, such as `javascript:`, is none."""
    return text if text is not None and text.startswith(("http://", "https://")) else None


def alert_rows(facts: LiveFacts) -> list[AlertRow]:
    """The last alerts, newest first."""
    return [_alert_row(one) for one in facts.alerts[:MOST_ALERTS]]


def _alert_row(one: AlertLine) -> AlertRow:
    kind = printable(one.kind, 40).replace("_", " ")
    return AlertRow(
        time_text(one.time), kind, printable(one.what, 300), printable(one.remedy, 1000)
    )


def prediction_rows(facts: LiveFacts) -> list[PredictionRow]:
    """The last predictions, newest first."""
    return [_prediction_row(one) for one in (facts.rows or ())[:MOST_PREDICTIONS]]


def _prediction_row(one: LoggedRow) -> PredictionRow:
    return PredictionRow(
        when=f"{one.time.day} {one.time:%b, %H:%M:%S}",
        prediction_id=printable(one.prediction_id, 60),
        version=name(one.version),
        answer=NOTHING if one.answer is None else printable(one.answer, 60),
        sure=typeset(NOTHING if one.sure is None else f"{100 * one.sure:.1f} %"),
        took=f"{one.milliseconds:.1f} ms",
        caller=NOTHING if one.caller is None else printable(one.caller, 40),
        features=printable(one.features, 160),
    )
