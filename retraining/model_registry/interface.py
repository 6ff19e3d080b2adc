"""What a cycle asks of a model registry: implemented on MLflow, and in memory for replay.

Reading verbs change nothing; writing verbs say what they write. Nothing is decided here. Every
call may raise `UnreachableError` (the store or server cannot be reached; after the first no further
call is made) or `StoreError` (it answered with an error).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from retraining.records import (
        AliasMove,
        Candidate,
        CycleRecord,
        Left,
        Manifest,
        Marks,
        RegistryFacts,
        Status,
        Version,
    )

EndStatus = Literal["FINISHED", "FAILED"]


class Registry(Protocol):
    """The system of record: versions, aliases, marks and cycle records of one registered model."""

    # --- reading ----------------------------------------------------------------------------------
    def facts(self) -> RegistryFacts:
        """The registered model, read afresh."""

    def version(self, number: int) -> Version | None:
        """One version, or None where there is none of that number."""

    def versions(
        self, status: Status | None = None, *, attempt_key: str | None = None
    ) -> tuple[Version, ...]:
        """All versions, oldest first, or those of one state, of one attempt, or both."""

    def models_of_this_job(self) -> tuple[str, ...]:
        """The names of all registered models in the store that this job made versions of, in this
        project or in another.
        """

    def manifest(self, version: Version) -> Manifest:
        """What a version was made from.

        Raises `DamagedModelError` where its digest is not the one registered.
        """

    def model(self, version: Version) -> Any:
        """A version's estimator.

        Its files' digests are compared with those registered before anything is deserialised.

        Raises:
            DamagedModelError: files are missing or are not those that were registered.
        """

    def model_of_another(self, version: Version) -> Any:
        """The estimator of a version that somebody else registered, which names no digests yet.

        Loading runs its code: only where a person asks to adopt it.

        Raises:
            DamagedModelError: files are missing, or cannot be loaded here.
        """

    def run_in_bin(self, version: Version) -> str | None:
        """The id of the run that holds a version's manifest, where it lies in MLflow's bin;
        else None.
        """

    def model_in_bin(self, version: Version) -> str | None:
        """The id of the logged model that holds a version's model files, where a person deleted it
        and `mlflow gc` has not come yet; else None.
        """

    def recipe(self, version: Version) -> str | None:
        """The text of the recipe that made a version; None where it was trained elsewhere."""

    def requirements(self, version: Version) -> str:
        """The packages that a version was made with, as a `requirements.txt`."""

    def sketches(self, version: Version) -> Mapping[str, Any] | None:
        """The drift reference that the version carries."""

    def calibration(self, version: Version) -> Mapping[str, Any] | None:
        """What turns the version's probabilities into an estimated score.

        None where it carries nothing.
        """

    def metrics(self, version: Version) -> Mapping[str, float]:
        """The metrics that a version was registered with."""

    def cycle_records(self) -> tuple[CycleRecord, ...]:
        """Every ended cycle and registration, oldest first, from `decision.json` of their runs
        (slow; for a lost cache).
        """

    def cycle_record(self, run_id: str) -> CycleRecord | None:
        """The record in one run's `decision.json`, ended or not."""

    def open_runs(self) -> int:
        """How many of our runs are RUNNING."""

    def read_text(self, run_id: str, name: str) -> str | None:
        """A small text artifact of a run, or None where there is none."""

    def run_url(self, run_id: str) -> str | None:
        """Where a browser shows the run, or None on a bare store."""

    # --- writing: runs ----------------------------------------------------------------------------
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
        """Add a nested, FINISHED run such as `ModelMonitoring`.

        `dataset` = name, digest, rows of what it read.
        """

    def save_files(self, run_id: str, texts: Mapping[str, str]) -> None:
        """Save small text artifacts (name -> content) on a run."""

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
        """Mark the parent run with what the record tells, rename and end it, draw its point on the
        timeline.

        The cycle counts as ended once this returns.

        Args:
            record: kept as `decision.json`.
            name: of the run.
            status: of the run.
            metrics: those of the timeline.
            batch_digest: of the files that the cycle judged first.
            note: shown on the run's page, Markdown.
        """

    # --- writing: versions ------------------------------------------------------------------------
    def register(self, candidate: Candidate, *, parent: str, run_name: str) -> int:
        """Log the model on a nested run and create its version with all its marks in one call.

        The version's number.

        After an ambiguous error the version is looked up by its cycle before anything is said:
        never two versions.
        """

    def adopt(self, version: Version, manifest: Manifest, marks: Marks) -> None:
        """Put a manifest on a version that somebody else registered, so that it becomes one of
        ours.
        """

    def log_model_metrics(self, version: int, metrics: Mapping[str, float]) -> None:
        """Put bare metrics on the version's logged model, for the Models page."""

    def mark(self, version: int, marks: Marks, description: str | None = None) -> None:
        """Write marks on a version in their order.

        Before them its description, where one is given.
        """

    def set_alias(self, alias: str, version: int) -> None:
        """Move an alias, or create it."""

    def drop_alias(self, alias: str) -> None:
        """Remove an alias; nothing where it is not there."""

    # --- writing: the registered model ------------------------------------------------------------
    def hold(self, why: str) -> None:
        """Hold promotions: `why` tells by whom, when and why."""

    def lift_hold(self) -> None:
        """Lift the hold on promotions; nothing where they are not held."""

    def withdraw(self, reasons: Mapping[str, str]) -> None:
        """Withdraw files from all later training: SHA-256 -> why."""

    def note_move(self, move: AliasMove) -> None:
        """Keep on record that a person moved the production alias; the alias stays where it is."""

    def leave(self, left: Left) -> None:
        """Note what a cycle leaves for the next one."""
