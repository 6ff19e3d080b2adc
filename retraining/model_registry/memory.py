"""A registry in memory, for replay: the same interface, no files, no MLflow. Estimators are kept as they are."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from retraining.errors import DamagedModelError, StoreError
from retraining.records import RegistryFacts, VersionFacts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from retraining.records import Candidate, CycleRecord, Manifest


@dataclass
class _Stored:
    """A version and what it carries."""

    facts: VersionFacts
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
    metrics: Mapping[str, float] = field(default_factory=dict)
    record: CycleRecord | None = None


class MemoryRegistry:
    """Versions, aliases, tags and cycle records of one registered model, for as long as this object lives."""

    def __init__(self) -> None:
        self._versions: dict[int, _Stored] = {}
        self._aliases: dict[str, int] = {}
        self._tags: dict[str, str] = {}
        self._runs: dict[str, _Run] = {}

    # --- reading ------------------------------------------------------------------------------------------------
    def facts(self) -> RegistryFacts:
        """Aliases and tags of the registered model."""
        return RegistryFacts(dict(self._aliases), dict(self._tags))

    def version(self, number: int) -> VersionFacts | None:
        """One version, or None where there is none of that number."""
        stored = self._versions.get(number)
        return None if stored is None else stored.facts

    def versions(
        self, status: str | None = None, *, attempt_key: str | None = None
    ) -> tuple[VersionFacts, ...]:
        """All versions, oldest first, or those of one `validation_status`, of one attempt, or both."""
        every = (stored.facts for stored in self._versions.values())
        return tuple(
            one
            for one in every
            if status in (None, one.status)
            and attempt_key in (None, one.tags.get("retraining.attempt_key"))
        )

    def manifest(self, version: VersionFacts) -> Manifest:
        """What a version was made from."""
        return self._candidate(version).manifest

    def model(self, version: VersionFacts) -> Any:
        """A version's estimator."""
        return self._candidate(version).estimator

    def sketches(self, version: VersionFacts) -> Mapping[str, Any] | None:
        """The drift reference that the version carries."""
        return self._candidate(version).sketches

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

    def _candidate(self, version: VersionFacts) -> Candidate:
        stored = self._versions.get(version.number)
        if stored is None:
            raise DamagedModelError(
                f"Version {version.number} is not in this registry.",
                remedy="Name a version that is there.",
            )
        return stored.candidate

    # --- writing: runs ------------------------------------------------------------------------------------------
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
        status: str,
        tags: Mapping[str, str],
        metrics: Mapping[str, float],
    ) -> None:
        """Keep the cycle's record with its run."""
        if record.run_id is not None:
            begun = self._runs[record.run_id]
            self._runs[record.run_id] = _Run(
                begun.cycle_id, begun.started, status, name, tags, metrics, record
            )

    # --- writing: versions --------------------------------------------------------------------------------------
    def register(self, candidate: Candidate, *, parent: str, run_name: str) -> int:
        """Keep an estimator as the next version."""
        number = max(self._versions, default=0) + 1
        digests = {
            "retraining.cycle_id": candidate.manifest.cycle_id,
            "retraining.manifest_sha256": f"in memory {number}",
        }
        facts = VersionFacts(
            number, f"{parent}/{run_name}", "memory", {**candidate.tags, **digests}
        )
        self._versions[number] = _Stored(facts, candidate, dict(candidate.metrics))
        return number

    def adopt(self, version: VersionFacts, manifest: Manifest, tags: Mapping[str, str]) -> None:
        """Put a manifest on a version."""
        stored = self._stored(version.number)
        stored.candidate = replace(stored.candidate, manifest=manifest)
        self.tag_version(version.number, {**tags, "retraining.cycle_id": manifest.cycle_id})

    def log_model_metrics(self, version: int, metrics: Mapping[str, float]) -> None:
        """Keep metrics of a version."""
        self._stored(version).metrics.update(metrics)

    def tag_version(
        self, version: int, tags: Mapping[str, str], description: str | None = None
    ) -> None:
        """Set tags, and the description where given."""
        stored = self._stored(version)
        stored.facts = replace(stored.facts, tags={**stored.facts.tags, **tags})
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

    def tag_model(self, tags: Mapping[str, str]) -> None:
        """Set tags of the registered model."""
        self._tags.update(tags)

    def untag_model(self, keys: Sequence[str]) -> None:
        """Remove tags of the registered model; nothing where they are not there."""
        for key in keys:
            self._tags.pop(key, None)
