"""What is said of a registration."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from retraining.command_lines import spelled_out
from retraining.cycle.preflight import how_to_assign, public_uri
from retraining.scoring import coding

if TYPE_CHECKING:
    from retraining.cycle.job import Job
    from retraining.records import Score
    from retraining.registering.papers import Papers


def reason_of(baseline: Score | None) -> str:
    """Why the version is there."""
    if baseline is None or baseline.value is None:
        return "a first model; there were no rows that it had not seen to score it on"
    return f"a first model; {baseline.metric} {_with_interval(baseline)} on {baseline.rows:,} rows that it had not seen"


def _with_interval(baseline: Score) -> str:
    low_high = (
        f" [{baseline.interval[0]:.4f}, {baseline.interval[1]:.4f}]" if baseline.interval else ""
    )
    return f"{baseline.value:.4f}{low_high}"


def description_of(papers: Papers, baseline: Score | None) -> str:
    """The version's description in the UI."""
    learned = f"Registered by a person; it learned from {len(papers.manifest.files)} files."
    return f"{learned} It is {reason_of(baseline)}. Undo: move the production alias to another version in the MLflow UI."


def in_words(
    job: Job, papers: Papers, version: int, baseline: Score | None, *, set_alias: bool
) -> str:
    """What a person reads after a registration."""
    settings = job.settings
    lines = [
        f"Registered v{version} of {settings.model_name!r} in {public_uri(settings.mlflow_tracking_uri)}: {reason_of(baseline)}."
    ]
    kinds = {
        kind: [c.name for c in papers.schema.columns if c.kind == kind]
        for kind in ("number", "boolean", "string")
    }
    counted = "; ".join(
        f"{len(names)} {kind} ({', '.join(names)})" for kind, names in kinds.items() if names
    )
    lines.append(
        f"Columns: {counted}; classes of {papers.schema.target!r}: {', '.join(map(str, coding(papers.schema)))}."
    )
    if baseline is not None and baseline.value is not None:
        lines.append(
            f"Suggested: RETRAIN_THRESHOLD={suggested_threshold(baseline, greater_is_better=settings.greater_is_better):g}"
        )
    if papers.left_out:
        count, first = len(papers.left_out), next(iter(papers.left_out.values()))
        lines.append(
            f"Left out, by this version and those after it: {count} files of the archive that lack something, such as {first}."
        )
    if set_alias:
        before = (
            f"; v{papers.manifest.champion} held it before"
            if papers.manifest.champion is not None
            else ""
        )
        lines.append(f"It holds the alias {settings.production_alias!r}{before}.")
    else:
        advice = spelled_out(
            how_to_assign(settings.production_alias, settings.model_name), settings
        )
        lines.append(f"It does not hold the alias {settings.production_alias!r} yet. {advice}")
    return "\n".join(lines)


def suggested_threshold(baseline: Score, *, greater_is_better: bool) -> float:
    """The worse end of the baseline's interval, rounded to two decimals: a fall below it is more than chance.

    With too few blocks for an interval, a share's rows are taken as independent (Wald's 95 % interval).
    """
    value = float(baseline.value or 0.0)
    margin = (
        1.96 * math.sqrt(value * (1 - value) / baseline.rows)
        if 0 <= value <= 1 and baseline.rows
        else 0.0
    )
    low, high = baseline.interval or (value - margin, value + margin)
    return round(low if greater_is_better else high, 2)
