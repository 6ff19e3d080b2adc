"""`alerts.jsonl`: what a person may want to act on, one JSON object a line, each with what to do.

Keys: `time`, `cycle`, `kind`, `what`, `numbers`, `try`. Kinds: data_drift, concept_drift,
nothing_comparable, copies, promotion, rollback, quarantine, failure,
not_read.
"""

from __future__ import annotations

import json
import os
from itertools import islice
from typing import TYPE_CHECKING, Any

from retraining.decisions import MORE_TEST_ROWS
from retraining.phrases import DELIVER_WHAT_IS_NEW, first_few
from retraining.serialisation import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from retraining.outcomes import Outcome
    from retraining.settings import Settings

    Alert = dict[str, Any]

NAME = "alerts.jsonl"
MOST_BYTES = 1 << 20  # a longer file is set aside as alerts.jsonl.1 before the next line
MOST_TOLD = 1000


def alerts_of(outcome: Outcome, settings: Settings, now: datetime) -> list[Alert]:
    """The alerts that a cycle's end gives rise to; most give none."""
    head = {"time": now.isoformat(timespec="seconds"), "cycle": outcome.cycle_id}
    rules: tuple[Callable[[Outcome, Settings], Iterator[Alert]], ...] = (
        _failure,
        _quarantine,
        _data_drift,
        _concept_drift,
        _nothing_comparable,
        _full_dumps,
        _promotion,
        _rollback,
    )
    return [{**head, **alert} for rule in rules for alert in rule(outcome, settings)]


def append(folder: Path, alerts: Sequence[Alert]) -> None:
    """Add lines at the end of the file; a line that a dead cycle tore is closed first."""
    if not alerts:
        return
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / NAME
    if path.exists() and path.stat().st_size > MOST_BYTES:
        path.replace(path.with_name(NAME + ".1"))
    lines = "".join(json.dumps(alert, allow_nan=False) + "\n" for alert in alerts)
    with path.open("a+b") as stream:
        if stream.tell() and _last_byte(stream.fileno(), stream.tell()) != b"\n":
            lines = "\n" + lines
        stream.write(lines.encode())


def recent_alerts(folder: Path, limit: int = MOST_TOLD) -> list[Alert]:
    """The last alerts, newest first; a line that a dead process tore is left out."""
    path = folder / NAME
    if not path.exists():
        return []
    lines = path.read_text(errors="replace").splitlines()
    read = (_alert_in(line) for line in reversed(lines))
    return list(islice((one for one in read if one is not None), limit))


def _alert_in(line: str) -> Alert | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def alert(kind: str, what: str, remedy: str, **numbers: Any) -> Alert:
    """One alert, without time and cycle."""
    return {"kind": kind, "what": what, "numbers": plain(numbers), "try": remedy}


def _last_byte(descriptor: int, size: int) -> bytes:
    return os.pread(descriptor, 1, size - 1)


def _failure(outcome: Outcome, settings: Settings) -> Iterator[Alert]:
    code = outcome.exit_code
    if code:
        needs_person = "A person is needed: " if code == 3 else ""
        look = (
            f"Read the last lines of the log in .retraining/logs/, then run `{settings.command}"
            " check`."
        )
        what, remedy = outcome.failure or (outcome.reason, look)
        yield alert("failure", f"{needs_person}{what}", remedy, exit_code=code)


def _quarantine(outcome: Outcome, settings: Settings) -> Iterator[Alert]:
    count = outcome.files.quarantined
    if count:
        remedy = (
            f"Read the .reason.json beside each file in {settings.quarantine_dir}, mend it, then"
            f" `{settings.command} requeue FILE`."
        )
        yield alert(
            "quarantine",
            f"{count} {'file' if count == 1 else 'files'} went to quarantine",
            remedy,
            quarantined=count,
        )


def _data_drift(outcome: Outcome, settings: Settings) -> Iterator[Alert]:
    if outcome.drift.material:
        features = [feature for feature in outcome.drift.features if feature.material]
        names = [feature.name for feature in features]
        remedy = (
            "Look at the drift table of the cycle's report.html and find out why these columns"
            " changed; RETRAIN_WHEN=threshold,drift would retrain because of it."
        )
        psi = {feature.name: feature.psi_corrected for feature in features[:20]}
        what = f"inputs drifted: {first_few(names, 5)}"
        yield alert("data_drift", what, remedy, psi=psi, threshold=settings.drift_threshold)


def _concept_drift(outcome: Outcome, settings: Settings) -> Iterator[Alert]:
    score, limit = _served(outcome), outcome.threshold
    if score is None or limit is None:
        return
    is_worse = score < limit if settings.greater_is_better else score > limit
    if is_worse:
        what = (
            f"production scored {outcome.metric} {score:.4f} on the new rows, worse than the"
            f" threshold {limit:g}"
        )
        retrains = settings.auto_retrain_enabled and {"threshold", "always"} & set(
            settings.retrain_when
        )
        if retrains and outcome.ending == "kept":
            remedy = (
                f"This cycle trained nothing; `{settings.command} explain` says why. If no model"
                " reaches the threshold, set RETRAIN_THRESHOLD to a score that one can reach."
            )
        elif retrains:
            remedy = (
                "The cycle retrains by itself; if this repeats, check whether the features still"
                " predict the label."
            )
        else:
            remedy = (
                "The settings AUTO_RETRAIN_ENABLED and RETRAIN_WHEN do not retrain because of it;"
                " look for a cause in the data."
            )
        yield alert(
            "concept_drift", what, remedy, score=score, threshold=limit, rows=outcome.new_rows
        )


def _nothing_comparable(outcome: Outcome, settings: Settings) -> Iterator[Alert]:
    """A trigger fired, and there were no rows, or too few, on which to test a new version."""
    if outcome.found_nothing_comparable:
        remedy = (
            "Deliver rows that no version learned, each once. Until then no version can be trained"
            f" and tested; `{settings.command} explain` says why."
        )
        yield alert("nothing_comparable", outcome.reason, remedy, score=_served(outcome))
    elif outcome.was_tested_on_fewer_than(settings.min_test_rows):
        yield alert("nothing_comparable", outcome.reason, MORE_TEST_ROWS, score=_served(outcome))


def _full_dumps(outcome: Outcome, _settings: Settings) -> Iterator[Alert]:
    """More than half of what came was there before."""
    copied, new = outcome.copied_rows or 0, outcome.new_rows or 0
    if copied > new:
        what = f"{copied:,} of {copied + new:,} new rows are copies of rows seen before"
        yield alert("copies", what, DELIVER_WHAT_IS_NEW, copied_rows=copied, new_rows=new)


def _promotion(outcome: Outcome, settings: Settings) -> Iterator[Alert]:
    old, new, comparison = outcome.previous_version, outcome.challenger_version, outcome.comparison
    numbers = {
        "improvement": comparison.improvement if comparison else None,
        "interval": comparison.interval if comparison else None,
        "test_rows": comparison.rows if comparison else None,
    }
    if outcome.ending == "promoted":
        yield alert(
            "promotion",
            f"v{new} replaced v{old} in production",
            f"Nothing needs to be done; `{settings.command} rollback` undoes it.",
            **numbers,
        )
    if outcome.ending == "awaiting_approval":
        remedy = (
            f"Approve it by moving the alias {settings.production_alias} to version {new} in the"
            " MLflow UI, or leave it as it is."
        )
        yield alert("promotion", f"v{new} beat v{old} and waits for approval", remedy, **numbers)


def _rollback(outcome: Outcome, settings: Settings) -> Iterator[Alert]:
    if outcome.ending == "rolled_back":
        left, restored = outcome.previous_version, outcome.production_version
        what = f"v{left} failed its probation; v{restored} is back in production"
        remedy = (
            f"`{settings.command} explain v{left}` shows the numbers. The next attempt waits for"
            " more files; nothing needs to be done."
        )
        yield alert(
            "rollback",
            what,
            remedy,
            score=_served(outcome),
            rows=outcome.new_rows,
        )


def _served(outcome: Outcome) -> float | None:
    """What production scored on the new rows; None where it was not scored."""
    served = outcome.production_on_new
    return None if served is None else served.value
