"""The page's first line: whether production is well, and what to do where it is not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from retraining.phrases import how_many
from retraining.report.words import interval_text, name, printable, time_text, value_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from retraining.report.live.material import (
        AlertLine,
        LiveFacts,
        PageSettings,
        Part,
        ScoreOnRows,
        SeenTraffic,
        Serving,
    )

State = Literal["well", "unknown", "look", "wrong"]
STATES: dict[State, str] = {
    "well": "All well",
    "unknown": "Not known yet",
    "look": "Have a look",
    "wrong": "Something is wrong",
}
_FROM_BAD_TO_GOOD: tuple[State, ...] = ("wrong", "look", "unknown", "well")
LOOKS_MISSED = 3  # after so many, nobody watches
SLOWEST_LOOK = timedelta(minutes=10)
OF_THE_TRAFFIC = ("data_drift", "concept_drift", "estimate_low")  # alerts that a look ends
ALERT_HOLDS = timedelta(days=30)  # where no look ends it: as far back as a look goes


@dataclass(frozen=True)
class Finding:
    """Something that a person may want to act on.

    Attributes:
        advice: what to do, in sentences; what stands between backticks is to be typed.
        command: to be copied.
    """

    state: State
    text: str
    command: str = ""
    advice: str = ""


@dataclass(frozen=True)
class LiveVerdict:
    """The first line, and what else was found, worst first."""

    state: State
    words: str
    sentence: str
    command: str
    advice: str
    others: tuple[Finding, ...]


def verdict(facts: LiveFacts) -> LiveVerdict:
    """One sentence: what serves, how right it is, and the worst of what was found."""
    shown_findings = [
        replace(one, command=printable(one.command, 1000)) for one in _findings(facts)
    ]
    findings = sorted(shown_findings, key=lambda one: _FROM_BAD_TO_GOOD.index(one.state))
    worst = findings[0] if findings else Finding("well", "nothing to do")
    parts = [_serves(facts), _score(facts), worst.text]
    sentence = "; ".join(part for part in parts if part)
    words = STATES[worst.state]
    others = tuple(findings[1:])
    return LiveVerdict(worst.state, words, f"{sentence}.", worst.command, worst.advice, others)


def part_of_production(facts: LiveFacts) -> Part | None:
    """The traffic of the version that serves; None if it was not looked at, or no version
    serves.
    """
    if facts.seen is None or facts.serving.version is None:
        return None
    return facts.seen.by_version.get(facts.serving.version)


def _serves(facts: LiveFacts) -> str:
    if facts.serving.version is None:
        return "No version serves"
    return f"{name(facts.serving.version)} serves"


def _score(facts: LiveFacts) -> str:
    """How right the version is: on its labelled rows, else as estimated, else why that is not
    known.
    """
    seen, settings = facts.seen, facts.settings
    if facts.serving.version is None or seen is None:
        return ""
    period = f"the last {how_many(seen.days, 'day')}"
    part = part_of_production(facts)
    if part is None or not part.predictions:
        looked = f"as of {time_text(seen.made)}"
        if not seen.whole.predictions:
            return f"no prediction in {period} {looked}"
        others = how_many(seen.whole.predictions, "prediction")
        return f"it answered none of the {others} of {period} {looked}"
    if part.realised is not None:
        rows = how_many(part.realised.rows, "labelled row")
        realised = f"{_in_words(settings, part.realised)} on {rows} of {period}"
        return f"{realised}{_against_the_promise(facts, part.realised)}"
    answers = f"{how_many(part.predictions, 'prediction')} in {period}"
    if part.estimated is not None:
        value = value_text(settings.metric, part.estimated.value)
        return f"{answers}, {settings.metric} estimated at {value} without labels"
    if part.labelled:
        labelled = f"{part.labelled:,} labelled"
        return f"{answers}, {labelled}, {settings.metric} cannot be computed of these"
    return f"{answers}, none of them labelled yet"


def _in_words(settings: PageSettings, score: ScoreOnRows) -> str:
    value = value_text(settings.metric, score.value)
    return f"{value} right" if settings.metric == "accuracy" else f"{settings.metric} {value}"


def _against_the_promise(facts: LiveFacts, score: ScoreOnRows) -> str:
    """The realised score beside what the version scored before it was given the alias."""
    books = facts.books
    if books is None or books.promised is None or facts.serving.version != books.holder:
        return ""
    promised = books.promised
    value = value_text(facts.settings.metric, promised)
    if score.interval is None:
        return f" ({value} at its promotion)"
    low, high = score.interval
    if low <= promised <= high:
        return ", as promised at its promotion"
    word = "better" if (score.value > promised) == facts.settings.greater_is_better else "worse"
    return f", {word} than the {value} promised at its promotion"


def _findings(facts: LiveFacts) -> Iterator[Finding]:
    yield from _about_serving(facts)
    yield from _about_cycles(facts)
    yield from _about_traffic(facts)


# --- serving --------------------------------------------------------------------------------------
def _about_serving(facts: LiveFacts) -> Iterator[Finding]:
    serving, settings = facts.serving, facts.settings
    check = f"{settings.command} check"
    if serving.settings_changed:
        text = "the settings were changed after the service started, and it does not know them"
        yield Finding("look", f"{text}: start it again")
    if not serving.store_ok:
        yield _about_the_store(serving, check)
    elif serving.alias_version is None:
        text = f"no version holds the alias {printable(settings.alias, 60)}"
        register = f"{settings.register_command} --set-alias"
        yield Finding("wrong", text, register if serving.version is None else check)
    elif serving.unserved:
        yield Finding("wrong", printable(serving.unserved), check)
    elif serving.version is None:
        yield Finding("unknown", f"{name(serving.alias_version)} is being loaded")
    if not serving.log_ok:
        yield Finding("wrong", "the prediction log cannot be written", check)
    elif serving.log_dropped_lately:
        text = "the prediction log left out rows in the last 5 minutes"
        yield Finding("look", text, check)


def _about_the_store(serving: Serving, check: str) -> Finding:
    """The registry is away, or holds nothing any more; the version at hand goes on."""
    why = printable(serving.unserved or "the registry does not answer", 300).rstrip(". ")
    if serving.version is None:
        return Finding("wrong", why, check)
    since = f"(since {time_text(serving.store_since)})"
    return Finding("look", f"{why} {since}; the page shows what it read before", check)


# --- cycles ---------------------------------------------------------------------------------------
def _about_cycles(facts: LiveFacts) -> Iterator[Finding]:
    books, command = facts.books, facts.settings.command
    if facts.not_read is not None and facts.serving.store_ok:
        text = f"what past cycles left cannot be read: {printable(facts.not_read)}"
        yield Finding("look", text.rstrip("."), f"{command} check")
    if books is None:
        is_on_its_way = facts.not_read is None and facts.serving.store_ok
        if facts.serving.version is not None and is_on_its_way:
            yield Finding("unknown", "the registry is being read")
        return
    failed = books.failed_start
    if failed is not None:
        text = f"the last cycle failed: {printable(failed.what, 200)}"
        yield Finding("wrong", text.rstrip("."), f"{command} check")
    if books.awaiting_approval is not None:
        waits = name(books.awaiting_approval)
        text = f"{waits} won and waits for your decision (or: reject {waits} --why TEXT)"
        yield Finding("look", text, f"{command} approve {waits}")
    if books.hold:
        text = f"promotions are held: {printable(books.hold)}"
        yield Finding("look", text, f"{command} rollback --resume")
    if books.quarantined:
        text = f"{how_many(books.quarantined, 'file')} in quarantine; the reason lies beside each"
        yield Finding("look", text, f"{command} requeue FILE")


# --- traffic --------------------------------------------------------------------------------------
def _about_traffic(facts: LiveFacts) -> Iterator[Finding]:
    seen, settings = facts.seen, facts.settings
    holding = [*_alerts_that_hold(facts)]
    yield from (_of_alert(settings, alert) for alert in holding)
    if seen is not None and _is_of_another_version(facts):
        text = f"{name(facts.serving.version)} serves since, and was not looked at yet"
        looked = f"the last look was at {name(seen.reference_version)}"
        yield Finding("unknown", f"{looked}: {text}", f"{settings.command} monitor")
        return
    if seen is None:
        if facts.serving.version is not None:
            yield Finding("unknown", "the traffic was not looked at yet")
        return
    yield from (_of_alert(settings, alert) for alert in seen.alerts)
    alerted = {alert.kind for alert in (*holding, *seen.alerts)}
    if "concept_drift" not in alerted:
        yield from _score_below_the_threshold(facts)
    if "data_drift" not in alerted:
        yield from _inputs_that_drifted(facts, seen)
    yield from _what_nobody_knows(facts, seen)


def _score_below_the_threshold(facts: LiveFacts) -> Iterator[Finding]:
    part, settings = part_of_production(facts), facts.settings
    if part is not None and _is_below(settings, part.realised):
        limit = value_text(settings.metric, settings.threshold)
        text = f"by its labels {name(facts.serving.version)} is worse than the threshold {limit}"
        yield Finding("wrong", text, f"{settings.command} run")


def _inputs_that_drifted(facts: LiveFacts, seen: SeenTraffic) -> Iterator[Finding]:
    if seen.drift is not None and seen.drift.material:
        moved = [printable(one.name, 60) for one in seen.drift.features if one.material]
        text = f"inputs drifted: {', '.join(moved[:3])}; find out why these columns changed"
        yield Finding("look", text, f"{facts.settings.command} monitor")


def _what_nobody_knows(facts: LiveFacts, seen: SeenTraffic) -> Iterator[Finding]:
    """A look that is too old, and traffic that tells nothing of the version that serves."""
    monitor = f"{facts.settings.command} monitor"
    longest = max(LOOKS_MISSED * timedelta(seconds=facts.settings.monitor_every), SLOWEST_LOOK)
    if facts.now - seen.made > longest:
        text = f"the traffic was not looked at since {time_text(seen.made)}"
        yield Finding("look", text, monitor)
    part = part_of_production(facts)
    if facts.serving.version is not None and (part is None or not part.predictions):
        yield Finding("unknown", _why_nobody_knows(facts, seen.made), monitor)
    elif part is not None and not (part.realised or part.estimated):
        yield Finding("unknown", "it is not known yet whether it is right")


def _is_of_another_version(facts: LiveFacts) -> bool:
    """Whether another version served when somebody looked last: its alerts are of that one."""
    serving = facts.serving
    looked_at = None if facts.seen is None else facts.seen.reference_version
    if serving.version is None or looked_at is None:
        return False
    return looked_at not in (serving.version, serving.alias_version)


def _alerts_that_hold(facts: LiveFacts) -> Iterator[AlertLine]:
    """The newest line of each kind that `monitor --alert` wrote and no later look has ended.

    Cron writes them too. A look that found no prediction cannot know that an alert is over; a
    version that took over does, for what is told of a score is told of the one before.
    """
    seen = facts.seen
    oldest = max(facts.now - ALERT_HOLDS, _last_change(facts))
    if seen is not None and seen.whole.predictions:
        oldest = max(oldest, seen.made)
    alerted = set() if seen is None else {alert.kind for alert in seen.alerts}
    for alert in facts.alerts:
        is_of_a_look = alert.kind in OF_THE_TRAFFIC and alert.cycle_id is None
        is_young = alert.time is not None and alert.time >= oldest
        if is_of_a_look and is_young and alert.kind not in alerted:
            alerted.add(alert.kind)
            yield alert


def _last_change(facts: LiveFacts) -> datetime:
    """When a cycle last gave the alias to another version; long ago where none did."""
    cycles = () if facts.books is None else facts.books.cycles
    changes = [one.started for one in cycles if one.ending in ("promoted", "rolled_back")]
    return max(changes, default=facts.now - ALERT_HOLDS)


def _of_alert(settings: PageSettings, alert: AlertLine) -> Finding:
    """What it says and what it advises; where that names no command, `monitor` tells more."""
    state: State = "wrong" if alert.kind == "concept_drift" else "look"
    advice = printable(alert.remedy, 1000)
    command = "" if "`" in advice else f"{settings.command} monitor"
    return Finding(state, printable(alert.what).rstrip(". "), command, advice)


def _why_nobody_knows(facts: LiveFacts, looked: datetime) -> str:
    if facts.rows and facts.rows[0].time > looked:
        return "predictions came since, and were not looked at yet"
    return "without predictions of its own it is not known whether it is right"


def _is_below(settings: PageSettings, score: ScoreOnRows | None) -> bool:
    """Whether a score is worse than the threshold by more than chance."""
    if score is None or score.interval is None or settings.threshold is None:
        return False
    low, high = score.interval
    return high < settings.threshold if settings.greater_is_better else low > settings.threshold


def value_and_interval(metric: str, score: ScoreOnRows | None) -> tuple[str, str]:
    """A score and its interval, both empty where there is none."""
    if score is None:
        return "", ""
    return value_text(metric, score.value), interval_text(metric, score.interval)
