"""A registry in memory, for replay: the same interface, no files, no MLflow.

Estimators are kept as they are.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from retraining.errors import DamagedModelError, StoreError
from retraining.model_registry.names import CHALLENGER, PREVIOUS, run_tags
from retraining.records import RegistryFacts, Version

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from retraining.model_registry.interface import EndStatus
    from retraining.records import (
        AliasMove,
        Candidate,
        CycleRecord,
        Left,
        Manifest,
        Marks,
        Status,
    )


@dataclass
class _Stored:
    """A version and what it carries."""

    facts: Version
    candidate: Candidate
    metrics: dict[str, float] = field(default_factory=dict)
    description: str = ""


@dataclass
class _Run:
    """A cycle's run; RUNNING until it has a record."""

    cycle_id: str
    started: datetime
    status: str = "RUNNING"
    name: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    note: str | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    record: CycleRecord | None = None


class MemoryRegistry:
    """Versions, aliases, tags and cycle records of one registered model, for as long as this object
    lives.
    """

    def __init__(self) -> None:
        self._versions: dict[int, _Stored] = {}
        self._aliases: dict[str, int] = {}
        self._hold: str | None = None
        self._left: Left | None = None
        self._withdrawn: dict[str, str] = {}
        self._moves: list[AliasMove] = []
        self._runs: dict[str, _Run] = {}

    # --- reading ----------------------------------------------------------------------------------
    def facts(self) -> RegistryFacts:
        """The registered model."""
        return RegistryFacts(
            dict(self._aliases),
            challenger=self._aliases.get(CHALLENGER),
            previous_production=self._aliases.get(PREVIOUS),
            hold=self._hold,
            left=self._left,
            withdrawn=dict(self._withdrawn),
            moves=tuple(sorted(self._moves, key=attrgetter("time"))),
        )

    def version(self, number: int) -> Version | None:
        """One version, or None where there is none of that number."""
        stored = self._versions.get(number)
        return None if stored is None else stored.facts

    def versions(
        self, status: Status | None = None, *, attempt_key: str | None = None
    ) -> tuple[Version, ...]:
        """All versions, oldest first, or those of one state, of one attempt, or both."""
        every = (stored.facts for stored in self._versions.values())
        return tuple(
            one
            for one in every
            if status in (None, one.status) and attempt_key in (None, one.attempt_key)
        )

    def models_of_this_job(self) -> tuple[str, ...]:
        """None: a replay has one model, which has no name."""
        return ()

    def manifest(self, version: Version) -> Manifest:
        """What a version was made from."""
        return self._candidate(version).manifest

    def model(self, version: Version) -> Any:
        """A version's estimator."""
        return self._candidate(version).estimator

    def model_of_another(self, version: Version) -> Any:
        """A version's estimator: all versions here are this process's own."""
        return self.model(version)

    def run_in_bin(self, version: Version) -> str | None:
        """None: nobody deletes a replay's runs."""

    def model_in_bin(self, version: Version) -> str | None:
        """None: nobody deletes a replay's models."""

    def sketches(self, version: Version) -> Mapping[str, Any] | None:
        """The drift reference that the version carries."""
        return self._candidate(version).sketches

    def calibration(self, version: Version) -> Mapping[str, Any] | None:
        """What turns the version's probabilities into an estimated score."""
        return self._candidate(version).calibration

    def recipe(self, version: Version) -> str | None:
        """The candidate's recipe."""
        return self._candidate(version).recipe_text or None

    def requirements(self, version: Version) -> str:
        """The candidate's packages, one on each line."""
        return "\n".join(self._candidate(version).pip_requirements)

    def metrics(self, version: Version) -> Mapping[str, float]:
        """The metrics of the candidate."""
        return self._candidate(version).metrics

    def cycle_records(self) -> tuple[CycleRecord, ...]:
        """Every ended cycle and registration, oldest first."""
        return tuple(run.record for run in self._runs.values() if run.record is not None)

    def cycle_record(self, run_id: str) -> CycleRecord | None:
        """The record of one ended cycle."""
        run = self._runs.get(run_id)
        return None if run is None else run.record

    def open_runs(self) -> int:
        """How many runs were begun and not ended."""
        return sum(run.status == "RUNNING" for run in self._runs.values())

    def read_text(self, run_id: str, name: str) -> None:
        """None: nobody looks at a replay's files."""

    def run_url(self, run_id: str) -> str | None:
        """None: no browser shows a replay's runs."""

    def _candidate(self, version: Version) -> Candidate:
        stored = self._versions.get(version.number)
        if stored is None:
            raise DamagedModelError(
                f"Version {version.number} is not in this registry.",
                remedy="Name a version that is there.",
            )
        return stored.candidate

    # --- writing: runs ----------------------------------------------------------------------------
    def end_abandoned_runs(self) -> int:
        """End the runs that were begun and never ended; how many there were."""
        abandoned = [run for run in self._runs.values() if run.status == "RUNNING"]
        for run in abandoned:
            run.status = "KILLED"
        return len(abandoned)

    def begin_cycle(self, cycle_id: str, started: datetime) -> str:
        """Begin a cycle; its run id."""
        run_id = f"run-{len(self._runs) + 1}"
        self._runs[run_id] = _Run(cycle_id, started)
        return run_id

    def log_stage(self, parent: str, name: str, **logged: Any) -> None:
        """Nothing: nobody looks at a replay's stages."""

    def save_files(self, run_id: str, texts: Mapping[str, str]) -> None:
        """Nothing: nobody looks at a replay's files."""

    def end_cycle(
        self,
        record: CycleRecord,
        *,
        name: str,
        status: EndStatus,
        metrics: Mapping[str, float],
        batch_digest: str | None = None,
        note: str | None = None,
    ) -> None:
        """Keep the cycle's record with its run."""
        if record.run_id is not None:
            begun = self._runs[record.run_id]
            tags = run_tags(record, batch_digest)
            self._runs[record.run_id] = _Run(
                begun.cycle_id, begun.started, status, name, tags, note, metrics, record
            )

    # --- writing: versions ------------------------------------------------------------------------
    def register(self, candidate: Candidate, *, parent: str, run_name: str) -> int:
        """Keep an estimator as the next version."""
        number = max(self._versions, default=0) + 1
        made = Version(
            number,
            f"{parent}/{run_name}",
            "memory",
            cycle_id=candidate.manifest.cycle_id,
            manifest_sha256=f"in memory {number}",
        )
        self._versions[number] = _Stored(made, candidate, dict(candidate.metrics))
        self.mark(number, candidate.marks)
        return number

    def adopt(self, version: Version, manifest: Manifest, marks: Marks) -> None:
        """Put a manifest on a version."""
        stored = self._stored(version.number)
        stored.candidate = replace(stored.candidate, manifest=manifest)
        stored.facts = replace(stored.facts, cycle_id=manifest.cycle_id)
        self.mark(version.number, marks)

    def log_model_metrics(self, version: int, metrics: Mapping[str, float]) -> None:
        """Keep metrics of a version."""
        self._stored(version).metrics.update(metrics)

    def mark(self, version: int, marks: Marks, description: str | None = None) -> None:
        """Write marks on a version, and its description where one is given."""
        stored = self._stored(version)
        written = {name: mark for name, mark in asdict(marks).items() if mark is not None}
        stored.facts = replace(stored.facts, **written)
        stored.description = stored.description if description is None else description

    def _stored(self, number: int) -> _Stored:
        if number not in self._versions:
            raise StoreError(
                f"There is no version {number} in this registry.",
                remedy="Name a version that is there.",
            )
        return self._versions[number]

    def set_alias(self, alias: str, version: int) -> None:
        """Move an alias, or create it."""
        self._aliases[alias] = self._stored(version).facts.number

    def drop_alias(self, alias: str) -> None:
        """Remove an alias; nothing where it is not there."""
        self._aliases.pop(alias, None)

    def hold(self, why: str) -> None:
        """Hold promotions."""
        self._hold = why

    def lift_hold(self) -> None:
        """Lift the hold on promotions."""
        self._hold = None

    def withdraw(self, reasons: Mapping[str, str]) -> None:
        """Withdraw files: SHA-256 -> why."""
        self._withdrawn.update(reasons)

    def note_move(self, move: AliasMove) -> None:
        """Keep a move of the alias."""
        self._moves.append(move)

    def leave(self, left: Left) -> None:
        """Note what a cycle leaves for the next one."""
        self._left = left
