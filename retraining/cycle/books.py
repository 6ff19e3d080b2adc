"""The books of a cycle: what its run is called and carries, whoever ends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from retraining.records import CycleRecord


def name_of_run(record: CycleRecord) -> str:
    """What an ended run is called: its ending first, since MLflow's list cuts long names, then the version and the start."""
    outcome = record.outcome
    challenger, holder = outcome.challenger_version, outcome.production_version
    version = holder if challenger is None else challenger
    about = "" if version is None else f" v{version}"
    return f"{outcome.ending}{about}, {record.started:%Y-%m-%d %H:%M} UTC"


def tags_of_run(record: CycleRecord, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The tags of an ended run: those of the contract that apply, and some more."""
    outcome = record.outcome
    tags = {
        "retraining.ending": outcome.ending,
        "retraining.reason": outcome.reason,
        "retraining.trigger": outcome.trigger,
        "retraining.cycle_id": record.cycle_id,
        "retraining.production_version": outcome.production_version,
        "retraining.challenger_version": outcome.challenger_version,
        **(more or {}),
    }
    return {key: str(value) for key, value in tags.items() if value is not None}
