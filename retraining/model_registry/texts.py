"""What a person typed or a file contained, cut to what MLflow takes.

A text that was cut ends in an ellipsis.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from mlflow.entities import Metric, Param, RunTag

if TYPE_CHECKING:
    from collections.abc import Mapping

    from retraining.settings import Settings

RUN_TAG, VERSION_TAG, DESCRIPTION, PARAM, KEY = 8000, 5000, 5000, 6000, 250


def cut(text: object, limit: int) -> str:
    """A text of `limit` characters at most."""
    whole = str(text)
    return whole if len(whole) <= limit else whole[: limit - 1] + "…"


def how_to_read(settings: Settings) -> str:
    """The registered model's description: what its aliases mean, and what a person may do here."""
    alias = settings.production_alias
    return (
        f"A retraining job manages this model. The version with the alias `{alias}` serves;"
        " `previous_production` is the one that it replaced. A version with the alias `challenger`"
        f" won its comparison and waits for a person: give it the alias `{alias}` to approve it,"
        " and the next cycle does the rest. Giving that alias back to an older version undoes a"
        " promotion, and holds further ones until the tag `retraining.hold` of this model is"
        " deleted. The description of each version says why it is here. The experiment"
        f" `{settings.mlflow_experiment_name}` has a run for every cycle; its run `timeline` has"
        " the scores over all cycles."
    )


def key(name: str) -> str:
    """A name with the characters that MLflow allows in keys."""
    return cut(re.sub(r"[^\w.\- :/]", "_", name), KEY).replace("…", "_")


def run_tags(tags: Mapping[str, str]) -> list[RunTag]:
    """Tags of a run."""
    return [RunTag(key(name), cut(value, RUN_TAG)) for name, value in tags.items()]


def version_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Tags of a version or a registered model."""
    return {key(name): cut(value, VERSION_TAG) for name, value in tags.items()}


def params(values: Mapping[str, str]) -> list[Param]:
    """Parameters of a run."""
    return [Param(key(name), cut(value, PARAM)) for name, value in values.items()]


def metrics(
    values: Mapping[str, float], at: int, *, step: int = 0, model_id: str | None = None
) -> list[Metric]:
    """Metrics of a run, at a time in milliseconds; what is not finite has no place on a chart."""
    finite = {
        name: float(value)
        for name, value in values.items()
        if value is not None and math.isfinite(value)
    }
    return [Metric(key(name), value, at, step, model_id=model_id) for name, value in finite.items()]
