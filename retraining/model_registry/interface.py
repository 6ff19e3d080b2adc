"""What a cycle asks of a model registry: implemented on MLflow, and in memory for replay.

Reading verbs change nothing; writing verbs say what they write. No verb decides anything. Every call may raise `UnreachableError`
(the store or server cannot be reached; after the first no further call is made) or `StoreError` (it answered with an error).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from retraining.records import Candidate, CycleRecord, Manifest, RegistryFacts, VersionFacts


class Registry(Protocol):
    """The system of record: versions, aliases, tags and cycle records of one registered model."""

    # --- reading -----------------------------------------------------------------------------------------------
    def facts(self) -> RegistryFacts:
        """Aliases and tags of the registered model, read afresh."""

    def version(self, number: int) -> VersionFacts | None:
        """One version, or None where there is none of that number."""

    def versions(
        self, status: str | None = None, *, attempt_key: str | None = None
    ) -> tuple[VersionFacts, ...]:
        """All versions, oldest first, or those of one `validation_status`, of one attempt, or both."""

    def manifest(self, version: VersionFacts) -> Manifest:
        """What a version was made from. Raises `DamagedModelError` where its digest is not the one registered."""

    def model(self, version: VersionFacts) -> Any:
        """A version's estimator. Its files' digests are compared with those registered before anything is deserialised.

        Raises:
            DamagedModelError: files are missing or are not those that were registered.
        """

    def sketches(self, version: VersionFacts) -> Mapping[str, Any] | None:
        """The drift reference that the version carries."""

    def cycle_records(self) -> tuple[CycleRecord, ...]:
        """Every ended cycle and registration, oldest first, from `decision.json` of their runs (slow; for a lost cache)."""

    def cycle_record(self, run_id: str) -> CycleRecord | None:
        """The record in one run's `decision.json`, ended or not."""

    def open_runs(self) -> int:
        """How many of our runs are RUNNING."""

    def read_text(self, run_id: str, name: str) -> str | None:
        """A small text artifact of a run, or None where there is none."""

    def run_url(self, run_id: str) -> str | None:
        """Where a browser shows the run, or None on a bare store."""

    # --- writing: runs ------------------------------------------------------------------------------------------
    def end_abandoned_runs(self) -> int:
        """End our runs that a dead cycle left RUNNING as KILLED; how many there were."""

    def begin_cycle(self, cycle_id: str, started: datetime) -> str:
        """Create the cycle's parent run, RUNNING; its run id."""

    def log_stage(
        self,
        parent: str,
        name: str,
        *,
        metrics: Mapping[str, float] | None = None,
        params: Mapping[str, str] | None = None,
        dataset: tuple[str, str, int] | None = None,
    ) -> None:
        """Add a nested, FINISHED run such as `ModelMonitoring`; `dataset` = name, digest, rows of what it read."""

    def save_files(self, run_id: str, texts: Mapping[str, str]) -> None:
        """Save small text artifacts (name -> content) on a run."""

    def end_cycle(
        self,
        record: CycleRecord,
        *,
        name: str,
        status: str,
        tags: Mapping[str, str],
        metrics: Mapping[str, float],
    ) -> None:
        """Tag, rename and end the parent run (`FINISHED` or `FAILED`), draw its point on the timeline.

        The cycle counts as ended once this returns.
        """

    # --- writing: versions --------------------------------------------------------------------------------------
    def register(self, candidate: Candidate, *, parent: str, run_name: str) -> int:
        """Log the model on a nested run and create its version with all its tags in one call; the version's number.

        After an ambiguous error the version is looked up by its `retraining.cycle_id` before anything is said: never two versions.
        """

    def adopt(self, version: VersionFacts, manifest: Manifest, tags: Mapping[str, str]) -> None:
        """Put a manifest on a version that somebody else registered, so that it becomes one of ours."""

    def log_model_metrics(self, version: int, metrics: Mapping[str, float]) -> None:
        """Put bare metrics on the version's logged model, for the Models page."""

    def tag_version(
        self, version: int, tags: Mapping[str, str], description: str | None = None
    ) -> None:
        """Set tags, and the description where given."""

    def set_alias(self, alias: str, version: int) -> None:
        """Move an alias, or create it."""

    def drop_alias(self, alias: str) -> None:
        """Remove an alias; nothing where it is not there."""

    def tag_model(self, tags: Mapping[str, str]) -> None:
        """Set tags of the registered model."""

    def untag_model(self, keys: Sequence[str]) -> None:
        """Remove tags of the registered model; nothing where they are not there."""
