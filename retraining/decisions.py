"""Every choice of a cycle: pure functions of facts and settings, each returning what to do and
why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from retraining.outcomes import Decision

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from retraining.ledger import BackOff
    from retraining.outcomes import Cause, TriggerName
    from retraining.records import Comparison, CycleRecord, Drift, Hindsight, Score
    from retraining.settings import Settings

FORCED: Final = "forced"
NOTHING_TO_SCORE = "there is no new row to score production on"
MORE_TEST_ROWS = "Wait for larger deliveries, raise HOLDOUT_FRACTION, or lower MIN_TEST_ROWS."
SECONDS_A_DAY = 86_400
LONGEST_BACK_OFF = 8  # times MIN_NEW_FILES
ADAPTIVE_RANGE = 4.0  # the adaptive interval stays within base / 4 and base * 4
EARLY_DAYS = 1 / 12  # what a start may come before its interval is over: cron is not to the second


class Health(NamedTuple):
    """What the triggers look at: production on this cycle's fresh files, and its past.

    `now` is when the cycle started, `last_training` when the last one that trained did; both UTC.
    `hindsight` is what this cycle found about the last retrain; `records` hold what earlier ones
    found. `traffic_drift` is of the logged predictions since the last cycle; None where nobody
    looked.
    """

    served: Score
    drop: Decision
    drift: Drift
    now: datetime
    last_training: datetime | None
    records: Sequence[CycleRecord] = ()
    hindsight: Hindsight | None = None
    traffic_drift: Drift | None = None


class Trigger(NamedTuple):
    """Whether to retrain; `name` is the first trigger that fired."""

    act: bool
    reason: str
    name: Cause | None = None


# --- the gate -------------------------------------------------------------------------------------


def enough_files(fresh: int, settings: Settings, *, judged: int = 0) -> Decision:
    """The gate: whether enough files wait that were not judged yet."""
    needed = settings.min_new_files
    if fresh >= needed:
        return Decision(True, f"{fresh} files not yet judged")
    files = "file" if judged == 1 else "files"
    already = f"; {judged} judged {files} in the inbox" if judged else ""
    if fresh == 0:
        opens = f"the next cycle opens at {needed} (MIN_NEW_FILES)"
        return Decision(False, f"no new files{already}; {opens}")
    return Decision(
        False,
        f"{fresh} of {needed} files not yet judged{already}; {needed - fresh} more open the next"
        " cycle",
    )


def enough_rows(rows: int, settings: Settings) -> Decision:
    """The gate's second question, after validation."""
    if rows >= settings.min_new_rows:
        return Decision(True, f"{rows:,} rows")
    return Decision(
        False,
        f"{rows:,} of {settings.min_new_rows:,} labelled rows (MIN_NEW_ROWS); more rows open the"
        " next cycle",
    )


# --- the triggers ---------------------------------------------------------------------------------


def below_threshold(health: Health, settings: Settings) -> Decision:
    """`threshold`: production is worse than RETRAIN_THRESHOLD on the new files.

    After a retrain that gained nothing, training again at once would most likely gain nothing
    again: a threshold that no model reaches would train in every cycle. So the next retrain waits
    until the adaptive interval has passed, or until production falls below its own record.
    """
    value, limit = health.served.value, settings.retrain_threshold
    if health.served.rows == 0:
        return Decision(False, NOTHING_TO_SCORE)
    if value is None:
        return Decision(
            False,
            f"{settings.metric} is undefined on the new files (one class only?), so no threshold"
            " was judged",
        )
    worse = value < limit if settings.greater_is_better else value > limit
    side = "worse than" if worse else "no worse than"
    fact = f"production scored {settings.metric} {value:.4f}, {side} the threshold {limit:g}"
    if not worse:
        return Decision(False, fact)
    last = _last_graded(health)
    if last is None or last.gain > 0:
        return Decision(True, fact)
    if health.drop.act:
        return Decision(True, f"{fact}; {health.drop.reason}")
    waited = adaptive_interval_passed(health, settings)
    futile = f"the last retrain, v{last.challenger}, gained nothing ({last.gain:+.4f})"
    if waited.act:
        return Decision(True, f"{fact}; {futile}, but {waited.reason}")
    return Decision(False, f"{fact}; it waits because {futile}: {waited.reason}")


def _first_hindsights(health: Health) -> list[Hindsight]:
    """What the first fresh batch after each training said of it, oldest training first."""
    found = [record.hindsight for record in health.records] + [health.hindsight]
    first: dict[int, Hindsight] = {}
    for seen in found:
        if seen is not None:
            first.setdefault(seen.challenger, seen)
    return list(first.values())


def _last_graded(health: Health) -> Hindsight | None:
    """The first word on the last retrain that was graded; None before there was one."""
    graded = _first_hindsights(health)
    return graded[-1] if graded else None


def significant_drop(health: Health, _settings: Settings) -> Decision:
    """`drop`: production is significantly worse than this version's own record."""
    return health.drop


def material_drift(health: Health, settings: Settings) -> Decision:
    """`drift`: some feature drifted significantly and by DRIFT_THRESHOLD or more, in the new files
    or in traffic.
    """
    looked_at = [(health.drift, "the new files")]
    if health.traffic_drift is not None:
        looked_at.append((health.traffic_drift, "the traffic since the last cycle"))
    for drift, where in looked_at:
        if drift.material:
            return Decision(True, _material_in_words(drift, where, settings))
    if all(drift.material is None for drift, _ in looked_at):
        return Decision(False, "drift was not judged")
    return Decision(False, "no material drift")


def _material_in_words(drift: Drift, where: str, settings: Settings) -> str:
    from retraining.phrases import first_few  # a closed gate has no use for it

    names = first_few([feature.name for feature in drift.features if feature.material], 5)
    limit = f"corrected PSI of {settings.drift_threshold:g} or more"
    return f"material drift ({limit}) of {where} in {names}"


def interval_passed(health: Health, settings: Settings) -> Decision:
    """`interval`: the last training is RETRAIN_INTERVAL_DAYS ago."""
    return _passed(health, settings.retrain_interval_days)


def adaptive_interval_passed(health: Health, settings: Settings) -> Decision:
    """`adaptive`: as `interval`, but it halves when the last retrain paid off on the next fresh
    batch, and doubles when not.
    """
    gains = [seen.gain for seen in _first_hindsights(health)]
    days = adaptive_interval(gains, settings.retrain_interval_days)
    return _passed(health, days)


def always(_health: Health, _settings: Settings) -> Decision:
    """`always`: every cycle."""
    return Decision(True, "RETRAIN_WHEN has always")


def adaptive_interval(gains: Sequence[float], base_days: float) -> float:
    """The adaptive interval in days.

    `gains` are what each training brought on its first fresh batch.

    A training that could not be graded is not among them, and changes nothing.

    >>> adaptive_interval([0.01, -0.02, -0.01], base_days=8)
    16.0
    """
    days = base_days
    for gain in gains:
        days = days / 2 if gain > 0 else days * 2
        days = min(max(days, base_days / ADAPTIVE_RANGE), base_days * ADAPTIVE_RANGE)
    return days


def _passed(health: Health, days: float) -> Decision:
    """Whether the last training is `days` ago."""
    if health.last_training is None:
        return Decision(True, "no training is on record")
    passed = (health.now - health.last_training).total_seconds() / SECONDS_A_DAY
    due = passed >= days - min(EARLY_DAYS, days / 10)
    trained = f"{passed:.1f} days ago" if passed >= 1 or days < 1 else "today"
    after = f"{days:g} day" + ("" if days == 1 else "s")
    return Decision(due, f"trained {trained}, {'' if due else 'next '}due after {after}")


TRIGGERS: Mapping[TriggerName, Callable[[Health, Settings], Decision]] = {
    "threshold": below_threshold,
    "drop": significant_drop,
    "drift": material_drift,
    "interval": interval_passed,
    "adaptive": adaptive_interval_passed,
    "always": always,
}


def should_retrain(
    health: Health, settings: Settings, back_off: BackOff, *, force: bool = False
) -> Trigger:
    """Ask the triggers of RETRAIN_WHEN in order; the first that fires is the cause.

    Waiting after a roll-back comes before them.
    """
    if not settings.auto_retrain_enabled:
        reason = _how_production_does(health, settings)
        return Trigger(False, f"AUTO_RETRAIN_ENABLED is false: nothing is trained ({reason})")
    if force:
        return Trigger(True, "--force skips the trigger", FORCED)
    waiting = waited_long_enough(back_off, settings)
    if not waiting.act:
        return Trigger(False, waiting.reason)
    verdicts = {name: TRIGGERS[name](health, settings) for name in settings.retrain_when}
    for name, verdict in verdicts.items():
        if verdict.act:
            return Trigger(True, verdict.reason, name)
    if len(verdicts) == 1:
        (verdict,) = verdicts.values()
        return Trigger(False, verdict.reason)
    reasons = [f"{name}: {verdict.reason}" for name, verdict in verdicts.items()]
    return Trigger(False, "; ".join(reasons))


def _how_production_does(health: Health, settings: Settings) -> str:
    """Production's score in words, against the threshold where there is one that decides."""
    value = health.served.value
    if settings.threshold_that_decides is not None or value is None:
        return below_threshold(health, settings).reason
    return f"production scored {settings.metric} {value:.4f}"


def waited_long_enough(back_off: BackOff, settings: Settings) -> Decision:
    """After a roll-back by probation: twice the new files, then four times, then eight."""
    if back_off.failures == 0:
        return Decision(True, "no roll-back by probation is open")
    needed = settings.min_new_files * min(2**back_off.failures, LONGEST_BACK_OFF)
    reason = f"{back_off.files_since} of {needed} files since the roll-back"
    return Decision(back_off.files_since >= needed, reason)


# --- promotion ------------------------------------------------------------------------------------


def reaches_floors(scores: Mapping[str, float | None], settings: Settings) -> Decision:
    """MIN_MODEL_*: floors that a challenger must reach, whatever the champion scores.

    `scores` maps metric -> value on the test rows.
    """
    for name, floor in settings.floors.items():
        value = scores.get(name)
        if value is None or value < floor:
            shown = "is undefined on the test rows" if value is None else f"{value:.4f}"
            return Decision(
                False,
                f"the challenger's {name} {shown}, under the floor"
                f" MIN_MODEL_{name.upper()}={floor:g}",
            )
    return Decision(True, "every floor is reached")


def wins(comparison: Comparison, settings: Settings, floors: Decision, veto: Decision) -> Decision:
    """Whether the challenger won under PROMOTE_WHEN. `veto.act` says that a slice lost too much."""
    if comparison.rows < settings.min_test_rows:
        return Decision(
            False,
            f"{comparison.rows} test rows, fewer than MIN_TEST_ROWS={settings.min_test_rows}: not"
            " enough evidence",
        )
    if comparison.improvement is None:
        return Decision(
            False, f"{settings.metric} is undefined on the test rows: not enough evidence"
        )
    if not floors.act:
        return floors
    if veto.act:
        return Decision(False, veto.reason)
    fact = _in_words(comparison, settings.metric)
    if settings.promote_when == "unless_worse":
        if comparison.interval is None:
            return Decision(
                False,
                f"{fact}; {comparison.blocks} test blocks are too few for a verdict, "
                "without which PROMOTE_WHEN=unless_worse promotes nothing",
            )
        won = comparison.verdict != "worse"
        return Decision(won, f"{fact}; it {_wins(won)}, since PROMOTE_WHEN=unless_worse")
    if settings.promote_when == "significant":
        won = comparison.verdict == "better"
        return Decision(
            won, f"{fact}; it {_wins(won)}, since PROMOTE_WHEN=significant asks for a clear gain"
        )
    limit = settings.min_improvement
    won = comparison.improvement > limit
    rule = f"PROMOTE_WHEN={settings.promote_when} asks for more than MIN_IMPROVEMENT={limit:g}"
    return Decision(won, f"{fact}; it {_wins(won)}, since {rule}")


def _wins(won: bool) -> str:
    return "wins" if won else "loses"


def _in_words(comparison: Comparison, metric: str) -> str:
    verdict: str = comparison.verdict
    if verdict == "not_enough_evidence":
        verdict = "too close to call"
    ours, theirs = comparison.challenger.value, comparison.champion.value
    difference = f"{comparison.improvement:+.4f}{_interval(comparison)}"
    return (
        f"the challenger's {metric} {ours:.4f} against {theirs:.4f} "
        f"on {comparison.rows:,} test rows{_less_copies(comparison)}: {difference}, {verdict}"
    )


def _interval(comparison: Comparison) -> str:
    if comparison.interval is None:
        return ", too few blocks for an interval"
    from retraining.phrases import in_brackets  # a closed gate has no use for it

    return f" {in_brackets(comparison.interval)}"


def _less_copies(comparison: Comparison) -> str:
    dropped = comparison.rows_dropped
    return f" ({dropped:,} more are copies of learned rows)" if dropped else ""


def may_move_the_alias(settings: Settings, hold: str | None, values: Decision) -> Decision:
    """Whether the job moves the alias itself, or leaves the move to a person.

    Args:
        hold: who held promotions, when and why; None where they are not held.
        values: whether production knows the values that the new files bring.
    """
    if hold:
        return Decision(
            False,
            f"promotions are held ({hold}); `rollback --resume` or deleting the tag retraining.hold"
            " lifts that",
        )
    if settings.promote_when == "manual":
        return Decision(False, "PROMOTE_WHEN is manual: a person moves the alias (`approve`)")
    if not values.act:
        return values
    return Decision(True, "promotions are not held")


def fails_probation(comparison: Comparison | None) -> Decision:
    """Roll back a new version that does significantly worse than the previous one on the first
    fresh batch.
    """
    if comparison is None:
        return Decision(False, "no probation was held")
    if comparison.improvement is None:
        return Decision(False, "probation could not be judged on these rows")
    from retraining.phrases import gained_or_lost  # a closed gate has no use for it

    change = gained_or_lost(comparison.improvement, comparison.interval)
    return Decision(
        comparison.verdict == "worse",
        f"against the previous version the new one {change} on {comparison.rows:,} fresh rows",
    )
