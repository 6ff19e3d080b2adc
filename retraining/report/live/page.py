"""The live page drawn whole, its parts alone, and the form that asks for a token."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from retraining.report.live.cards import Card, age, cards
from retraining.report.live.charts import (
    AnswerLine,
    Chart,
    DriftLine,
    answer_lines,
    charts,
    drift_lines,
)
from retraining.report.live.lists import (
    AlertRow,
    PredictionRow,
    alert_rows,
    cycle_rows,
    prediction_rows,
)
from retraining.report.live.verdict import LiveVerdict, verdict
from retraining.report.rendering import (
    digest_source,
    render_template,
    script_text,
    stylesheet,
)
from retraining.report.words import ending_words, printable, time_text

if TYPE_CHECKING:
    from retraining.report.index_page import IndexRow
    from retraining.report.live.material import CycleJob, Doing, LiveFacts, PageSettings

WIDTH = "72rem"
SCRIPT = "live.js"


@dataclass(frozen=True)
class Drawn:
    """Everything that the templates show, as text and geometry."""

    model_name: str
    drawn: str
    is_live: bool
    may_operate: bool
    may_log_out: bool
    verdict: LiveVerdict
    cards: list[Card]
    fresh: str
    job: str
    job_report: str | None
    commands: list[tuple[str, str]]
    charts: list[Chart]
    drift: list[DriftLine]
    drift_caption: str
    answers: list[AnswerLine]
    answers_caption: str
    cycles: list[IndexRow]
    cycles_caption: str
    no_cycles: str
    alerts: list[AlertRow]
    predictions: list[PredictionRow]
    no_predictions: str


def page(facts: LiveFacts, *, may_log_out: bool = False, refused: bool = False) -> str:
    """The whole page.

    Args:
        facts: what it shows.
        may_log_out: whether whoever looks has logged in.
        refused: whether a cycle was asked for here, and another one was running.
    """
    is_live = facts.doing is not None
    return render_template(
        "live.html.j2",
        width=WIDTH,
        style=_style(),
        policy=policy(live=is_live),
        script=script_text(SCRIPT) if is_live else "",
        page=_drawn(facts, may_log_out=may_log_out),
        refused=refused,
    )


def parts(facts: LiveFacts) -> str:
    """The parts of the page that change, for the script to put in."""
    return render_template("live_fragment.html.j2", page=_drawn(facts))


def login_page(settings: PageSettings, *, action: str, command: str, problem: str = "") -> str:
    """The form that asks for a token.

    Args:
        settings: whose page it is.
        action: where the form is sent.
        command: what makes a token.
        problem: why the last one was not taken.
    """
    return render_template(
        "login.html.j2",
        width="40rem",
        style=_style(),
        policy=policy(live=False),
        model_name=printable(settings.model_name, 80),
        action=action,
        command=command,
        problem=problem,
    )


@cache
def policy(*, live: bool) -> str:
    """The page's Content-Security-Policy: its own style, and where it is live its own script."""
    parts = ["default-src 'none'", f"style-src {digest_source(_style())}", "base-uri 'none'"]
    parts += ["form-action 'self'", "img-src data:"]
    if live:
        parts += [f"script-src {digest_source(script_text(SCRIPT))}", "connect-src 'self'"]
    return "; ".join(parts)


@cache
def _style() -> str:
    return stylesheet("layout.css.j2", "live.css", width=WIDTH)


def moment_text(facts: LiveFacts) -> str:
    """When the page was drawn, to the second."""
    return f"{facts.now:%H:%M:%S} UTC"


def _drawn(facts: LiveFacts, *, may_log_out: bool = False) -> Drawn:
    doing = facts.doing
    is_live = doing is not None
    return Drawn(
        model_name=printable(facts.settings.model_name, 80),
        drawn=moment_text(facts) if is_live else time_text(facts.now),
        is_live=is_live,
        may_operate=doing is not None and doing.may_operate,
        may_log_out=may_log_out,
        verdict=verdict(facts),
        cards=cards(facts),
        fresh=_freshness(facts),
        job="" if doing is None else job_in_words(doing, facts),
        job_report=_job_report(facts),
        commands=_commands(facts.settings),
        charts=charts(facts),
        drift=drift_lines(facts),
        drift_caption=_drift_caption(facts),
        answers=answer_lines(facts),
        answers_caption=_answers_caption(facts),
        cycles=cycle_rows(facts),
        cycles_caption=_cycles_caption(facts),
        no_cycles=_no_cycles(facts),
        alerts=alert_rows(facts),
        predictions=prediction_rows(facts),
        no_predictions=_no_predictions(facts),
    )


def _freshness(facts: LiveFacts) -> str:
    """How old each kind of data is."""
    traffic = "Traffic: not looked at yet."
    if facts.seen is not None:
        traffic = f"Traffic as of {time_text(facts.seen.made)}."
    if facts.books is None:
        why = "not read yet" if facts.not_read is None else "cannot be read"
        return f"{traffic} Cycles: {why}."
    old = facts.now - facts.books.read
    age_words = "" if old.total_seconds() < 60 else f", {age(old)} old"
    return f"{traffic} Cycles and files as of {time_text(facts.books.read)}{age_words}."


# --- doing ----------------------------------------------------------------------------------------
def job_in_words(doing: Doing, facts: LiveFacts) -> str:
    """How the last cycle that was started here is going, or ended; or that another runs."""
    job = doing.job
    if job is None:
        if doing.cycle_runs:
            return "A cycle is running; cron or a person started it."
        return "No cycle was started from here yet."
    if job.state == "running":
        said = f": {printable(job.said, 200)}" if job.said else ""
        return f"A cycle has been running for {age(facts.now - job.started)}{said}"
    ended = f"{_ending(job)}{_reason(job)}"
    if doing.cycle_runs:
        return f"A cycle is running; cron or a person started it. The last one from here: {ended}"
    return f"The last cycle from here, {time_text(job.started)}: {ended}"


def _ending(job: CycleJob) -> str:
    return ending_words(job.ending or "failed").lower()  # type: ignore[arg-type]


def _reason(job: CycleJob) -> str:
    reason = f"; {printable(job.reason, 300)}" if job.reason else ""
    code = f" (exit code {job.exit_code})" if job.exit_code else ""
    return f"{reason}{code}"


def _job_report(facts: LiveFacts) -> str | None:
    """Where the report of the last cycle from here is."""
    job = None if facts.doing is None else facts.doing.job
    if job is None or job.cycle_id is None or job.state == "running":
        return None
    linked = {row.decision.cycle_id: row.report for row in cycle_rows(facts)}
    return linked.get(job.cycle_id)


def _commands(settings: PageSettings) -> list[tuple[str, str]]:
    """What a person may want to do, and what to type for it."""
    job = printable(settings.command, 1000)
    return [
        ("What is wrong, and what to do", f"{job} check"),
        ("Why a version is there, or is not", f"{job} explain vN"),
        ("Go back to the version before", f'{job} rollback --why "..."'),
        ("Lift the hold on promotions", f"{job} rollback --resume"),
        ("Decide on a version that waits", f"{job} approve vN"),
        ("Reject it", f'{job} reject vN --why "..."'),
        ("Send a mended file back", f"{job} requeue FILE"),
        ("What a cycle would do", f"{job} run --dry-run"),
    ]


# --- captions -------------------------------------------------------------------------------------
def _drift_caption(facts: LiveFacts) -> str:
    seen = facts.seen
    text = (
        "The largest drift first. PSI without the part of chance; the line: past cycles, then now."
    )
    if seen is None or seen.reference_version is None:
        return text
    window = f"The last {seen.window_rows:,} predictions against what v{seen.reference_version}"
    return f"{window} learned. {text}"


def _answers_caption(facts: LiveFacts) -> str:
    rows = 0 if facts.seen is None else facts.seen.window_rows
    before = "Grey: rows that the version had not learned, when it was made."
    return f"Share of each class among the answers. {before} Colour: the last {rows:,} predictions."


def _cycles_caption(facts: LiveFacts) -> str:
    count = 0 if facts.books is None else len(facts.books.cycles)
    shown = len(cycle_rows(facts))
    return "All cycles, newest first." if shown == count else f"The last {shown} of {count} cycles."


def _no_cycles(facts: LiveFacts) -> str:
    if facts.not_read is not None:
        return "What past cycles left cannot be read now."
    if facts.books is None:
        return "What past cycles left was not read yet."
    return "No cycle has had enough files yet."


def _no_predictions(facts: LiveFacts) -> str:
    if facts.rows is None:
        return "The prediction log cannot be read now."
    return "No prediction was logged yet."
