"""The object that `--json` prints, `decision.json` holds and a webhook receives. Standard library only."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from retraining.records import Outcome, Score

SCHEMA_VERSION = 1


def outcome_to_json(outcome: Outcome) -> dict[str, Any]:
    """The contract's `--json` object: every key always there, null where it does not apply.

    Holds nothing but dicts, lists, str, int, finite float, bool and None, whatever numbers the outcome was made from.
    """
    told: dict[str, Any] = {"schema_version": SCHEMA_VERSION}
    told |= {
        name: getattr(outcome, name)
        for name in (
            "ending",
            "reason",
            "exit_code",
            "dry_run",
            "cycle_id",
            "run_id",
            "run_url",
            "trigger",
        )
    }
    told |= {
        "verdict": outcome.comparison.verdict if outcome.comparison else None,
        "production_version": outcome.production_version,
        "previous_version": outcome.previous_version,
        "challenger_version": outcome.challenger_version,
        "metric": outcome.metric,
        "threshold": outcome.threshold,
        **_scores(outcome),
        "new_rows": outcome.new_rows,
        "test_rows": outcome.comparison.rows if outcome.comparison else None,
        "files": {
            name: getattr(outcome.files, name)
            for name in ("waiting", "judged", "archived", "quarantined")
        },
        "drift": {
            "detected": outcome.drift.detected,
            "material": outcome.drift.material,
            "features": outcome.drift.features,
        },
        "seconds": outcome.seconds,
    }
    return {name: plain(value) for name, value in told.items()}


def _scores(outcome: Outcome) -> dict[str, Any]:
    comparison = outcome.comparison
    return {
        "scores": {
            "production_on_new": _value(outcome.production_on_new),
            "production_on_test": _value(comparison.champion) if comparison else None,
            "challenger_on_test": _value(comparison.challenger) if comparison else None,
        },
        "improvement": comparison.improvement if comparison else None,
        "interval": comparison.interval if comparison else None,
        "confidence": comparison.confidence if comparison else None,
    }


def _value(score: Score | None) -> float | None:
    return None if score is None else score.value


def plain(value: Any) -> Any:
    """`value` as JSON can hold it: tuples as lists, numpy scalars and arrays as Python's, times as ISO 8601, NaN and inf as null."""
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if hasattr(value, "items"):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, (tuple, list, set, frozenset)):
        return [plain(inner) for inner in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
