"""Frozen records that travel between the steps. Facts, never behaviour.

Label values are plain Python `int`, `bool` or `str`. Times are aware datetimes in UTC. A *block* is
a contiguous range of rows of one file. Row ranges are half-open, `[start, stop)`, counted over all
rows of the file, labelled or not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from retraining.outcomes import (
    Decision,
    Drift,
    EndingName,
    FileCounts,
    Outcome,
    ProbationResult,
    Verdict,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

__all__ = [
    "MISSING_TEXTS",
    "NO_COPIES",
    "AliasMove",
    "Batch",
    "BatchFile",
    "Candidate",
    "ClassResult",
    "Column",
    "Comparison",
    "Copies",
    "CycleRecord",
    "DataFile",
    "Decision",
    "Drift",
    "EndingName",
    "FeatureDrift",
    "FileCounts",
    "Hindsight",
    "Kind",
    "Label",
    "LabelKind",
    "Left",
    "Manifest",
    "Marks",
    "Outcome",
    "ProbationResult",
    "RegistryFacts",
    "RowRange",
    "Schema",
    "Score",
    "Shape",
    "SliceResult",
    "Status",
    "Verdict",
    "Version",
    "VersionFacts",
]

# a column that is carried along where a file has it, and never a feature
PREDICTION_ID = "prediction_id"
Label = int | bool | str
Kind = Literal["number", "boolean", "string"]
LabelKind = Literal["integer", "boolean", "string"]
RowRange = tuple[int, int]
# Texts that stand for a missing number, boolean or label in a file; who writes files must not write
# them for anything else.
MISSING_TEXTS = ("", "NaN", "nan", "NULL", "null", "NA", "N/A")
Status = Literal["", "pending", "approved", "rejected", "superseded", "rolled_back"]


@dataclass(frozen=True)
class Column:
    """A feature column of the schema.

    `categories` are the string values seen, or None where too many to list.
    """

    name: str
    kind: Kind
    categories: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Schema:
    """How files are read: the production version's columns, label and classes."""

    columns: tuple[Column, ...]
    target: str
    label_kind: LabelKind
    classes: tuple[Label, ...]
    positive_class: Label | None = None
    ignored: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The feature columns' names, in the order in which a model takes them."""
        return tuple(column.name for column in self.columns)


@dataclass(frozen=True)
class DataFile:
    """A whole data file whose bytes are known.

    `path` is where those bytes can be read during this cycle.
    """

    name: str
    sha256: str
    path: Path
    rows: int = 0  # 0 until the file was read


@dataclass(frozen=True)
class BatchFile:
    """A file as it was judged first: its rows, and those of them that are reserved for testing."""

    name: str
    sha256: str
    rows: int
    reserved: tuple[RowRange, ...] = ()


@dataclass(frozen=True)
class Batch:
    """The files that were judged first in one cycle, in order of arrival.

    Batch 0 is what version 1 found in the archive.
    """

    number: int
    files: tuple[BatchFile, ...]


@dataclass(frozen=True)
class Score:
    """A metric over rows, with an interval over blocks (None where there are too few of them).

    `value` None: undefined on these rows.
    """

    metric: str
    value: float | None
    rows: int
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class FeatureDrift:
    """How far one feature moved.

    Attributes:
        name: the feature's.
        distance: largest difference of the cumulative shares (a histogram's Kolmogorov-Smirnov
            distance), or for unordered categories half the sum of all differences (total
            variation); 0..1.
        p: by permutation of blocks; None where not judged: under eight blocks, or a side without
            rows.
        q: p corrected for the number of features.
        psi: population stability index, with half a row added to every bin.
        psi_corrected: PSI minus its expectation without drift, (bins - 1)(1/n + 1/m), where n and m
            are how many independent rows the two sides are worth.
        detected: q is at most alpha; None where not judged.
        material: detected, and `psi_corrected` reaches the threshold; None where not judged.
    """

    name: str
    distance: float
    p: float | None
    q: float | None
    psi: float
    psi_corrected: float
    detected: bool | None
    material: bool | None


@dataclass(frozen=True)
class ClassResult:
    """One class on the test rows.

    A share is None where it has no rows to stand on (never predicted, or no row of the class).
    """

    name: Label
    support: int
    champion_recall: float | None
    champion_precision: float | None
    champion_f1: float | None
    challenger_recall: float | None
    challenger_precision: float | None
    challenger_f1: float | None


@dataclass(frozen=True)
class SliceResult:
    """What one slice of the test rows loses with the challenger.

    Attributes:
        name: as the caller calls it, such as `region = north`.
        rows: of the slice; under 100 it is shown and not judged.
        blocks: in which those rows lie; under two it is not judged.
        loss: champion minus challenger in points of the metric, > 0 where the challenger is worse;
            None where undefined.
        p: one-sided, of the slice losing nothing, corrected for the number of slices judged; None
            where not judged.
        vetoes: whether it loses more than allowed, and significantly.
    """

    name: str
    rows: int
    blocks: int
    loss: float | None
    p: float | None
    vetoes: bool


@dataclass(frozen=True)
class Copies:
    """Rows that a score leaves out because a model learned them, of so many, in so many files.

    `relabelled` are copies with another label: a score of news counts them.
    """

    rows: int = 0
    of: int = 0
    files: int = 0
    relabelled: int = 0

    @property
    def share(self) -> float:
        """The part of the rows that is left out."""
        return self.rows / self.of if self.of else 0.0

    @property
    def most(self) -> bool:
        """Whether more than half is left out, which calls for a warning."""
        return self.share > 0.5


NO_COPIES = Copies()


@dataclass(frozen=True)
class Comparison:
    """Champion and challenger on the same rows.

    `improvement` > 0 means that the challenger is better, whatever the metric's direction.
    """

    champion: Score
    challenger: Score
    improvement: float | None
    interval: tuple[float, float] | None
    confidence: float
    verdict: Verdict
    rows: int
    blocks: int
    rows_dropped: int = (
        0  # reserved rows left out because a training set holds their feature values
    )
    standard_error: float | None = None
    per_class: tuple[ClassResult, ...] = ()
    slices: tuple[SliceResult, ...] = ()


@dataclass(frozen=True)
class Hindsight:
    """A past decision graded on rows that came after it: `gain` > 0 means that the challenger of
    that decision was better.
    """

    challenger: int
    rival: int
    promoted: bool
    gain: float
    interval: tuple[float, float] | None
    rows: int
    standard_error: float | None = None
    blocks: int = 0
    batches: int = 1  # fresh batches that the gain was seen on


@dataclass(frozen=True)
class Version:
    """A registered version as the registry tells it.

    `model_registry/names.py` has the table of its states.

    Attributes:
        number, run_id, source: as MLflow has them.
        status: empty for a version that is not of this job.
        reason: why it is as it is: why it was trained, then why it won, lost, or had to go.
        previous: the version that it replaced, or would replace.
        verdict: of its comparison.
        probation: `open`, `passed`, `failed`, or `not held: ` and why.
        cycle_id, parent_run_id: of the cycle that made it.
        attempt_key: digest of what it was made from; the same attempt has the same key.
        made_for: its reason before a roll-back.
        put_back: in place of which version it came back, and why.
        rolled_back_to, rolled_back_in: which version took its place, by which run.
        manifest_sha256, model_sha256: of its manifest, and of its model's files.
        manifest_run: the run that holds its manifest, where that is not its own.
        logged_model: MLflow's id of its model.
    """

    number: int
    run_id: str
    source: str
    status: Status = ""
    reason: str | None = None
    previous: int | None = None
    verdict: str | None = None
    probation: str | None = None
    cycle_id: str | None = None
    parent_run_id: str | None = None
    attempt_key: str | None = None
    made_for: str | None = None
    put_back: str | None = None
    rolled_back_to: int | None = None
    rolled_back_in: str | None = None
    manifest_sha256: str | None = None
    manifest_run: str | None = None
    model_sha256: str | None = None
    logged_model: str | None = None

    @property
    def is_ours(self) -> bool:
        """Whether this job registered the version, or a person adopted it."""
        return self.manifest_sha256 is not None

    @property
    def why(self) -> str:
        """Why it is there: what it was made for and, where it came back, in place of which one.

        Empty if no reason was given.
        """
        made = self.made_for or self.reason or ""
        return made if self.put_back is None else f"{self.put_back}; it had come as: {made}"


@dataclass(frozen=True)
class Marks:
    """What is written on a version, in this order; None leaves a mark as it is.

    `Version` says what each means.

    The state is written after what explains it. The probation comes last: a version that is marked
    as failed, but not yet as rolled back, would never be looked at again.
    """

    parent_run_id: str | None = None
    attempt_key: str | None = None
    verdict: str | None = None
    previous: int | None = None
    made_for: str | None = None
    put_back: str | None = None
    rolled_back_to: int | None = None
    rolled_back_in: str | None = None
    reason: str | None = None
    status: Status | None = None
    probation: str | None = None


@dataclass(frozen=True)
class Left:
    """What the last cycle left: its number, its run, and the version that held the production
    alias.
    """

    number: int = 0
    run_id: str | None = None
    production_version: int | None = None


@dataclass(frozen=True)
class AliasMove:
    """The production alias, moved by a person.

    Attributes:
        time: when it was moved, or, in the MLflow UI, when a start saw it.
        before: the version that held it; None where none did.
        to: the version that got it.
        why: by whom, and what they said.
    """

    time: datetime
    before: int | None
    to: int
    why: str


@dataclass(frozen=True)
class RegistryFacts:
    """The registered model as the registry tells it; all empty where there is no such model yet.

    Attributes:
        aliases: alias -> version; of the two that are not a setting, `challenger` and
            `previous_production` are the holders.
        hold: who held promotions, when and why; None while they are not held.
        left: what the last cycle left; None before the first registration.
        withdrawn: SHA-256 of a withdrawn file -> why.
        moves: of the production alias by people, oldest first.
    """

    aliases: Mapping[str, int] = field(default_factory=dict)
    challenger: int | None = None
    previous_production: int | None = None
    hold: str | None = None
    left: Left | None = None
    withdrawn: Mapping[str, str] = field(default_factory=dict)
    moves: tuple[AliasMove, ...] = ()


VersionFacts = Version


@dataclass(frozen=True)
class Shape:
    """The settings that a version was made with, as far as another value would have made another
    one.

    `recipe_sha256` is of all code that trained it, None where no recipe did: a pickle, an adopted
    version.
    """

    target_column: str
    ignore_columns: tuple[str, ...]
    positive_class: str | None
    csv_separator: str
    csv_decimal: str
    csv_encoding: str
    holdout_fraction: float
    recipe_sha256: str | None


@dataclass(frozen=True)
class Manifest:
    """What a version learned from and what it was kept from, in order of arrival.

    Stored as `manifest.json`.

    `files` holds every file of which some row was learned, `held_out` every file of which some rows
    were reserved (a file may be in both); in `held_out` a file's `reserved` ranges are those that
    this version was kept from. `consumed` are the SHA-256 digests that the version's promotion
    moves to the archive. `left_out` are digests of archived files that this version's schema cannot
    read: neither it nor those that replace it learn them. Where `sampled`, `shares` (SHA-256 ->
    share of the file's rows) and `row_limit` (MAX_TRAINING_ROWS) say which rows were drawn;
    versions of 0.1.0 do not. `in_parts` says that the recipe got its rows in parts.
    """

    files: tuple[BatchFile, ...]
    held_out: tuple[BatchFile, ...]
    consumed: tuple[str, ...]
    schema: Schema
    recipe_sha256: str
    cycle_id: str
    origin: Literal["cycle", "registered", "adopted"] = "cycle"
    champion: int | None = None  # the production version when this one was made
    attempt_key: str | None = None
    training_rows: int = 0
    sampled: bool = False
    left_out: tuple[str, ...] = ()
    shape: Shape | None = None  # None: made before shapes were kept
    shares: Mapping[str, float] = field(default_factory=dict)
    row_limit: int | None = None
    in_parts: bool = False


@dataclass(frozen=True)
class Candidate:
    """A fitted estimator with everything that its version will carry: registered in one call."""

    estimator: Any
    manifest: Manifest
    recipe_text: str
    pip_requirements: tuple[str, ...]
    marks: Marks
    sketches: Mapping[str, Any] | None = None  # the drift reference, JSON-able
    calibration: Mapping[str, Any] | None = None  # of its probabilities, JSON-able
    search_results: Mapping[str, Any] | None = None  # the recipe's `cv_results_`, where it searched
    metrics: Mapping[str, float] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class CycleRecord:
    """What `decision.json` keeps of a cycle, so that a later one can go on from the registry alone.

    `outcome` is what `--json` printed; read back, it has what JSON holds of it (`serialisation`).
    `judged` are the digests that this cycle judged under the deciding settings and recipe digested
    in `deciding`. `batch` holds the files judged first here.
    A registration leaves a record too (`ending` = `registered`).
    """

    number: int
    cycle_id: str
    run_id: str | None
    started: datetime
    outcome: Outcome
    deciding: str = ""
    judged: tuple[str, ...] = ()
    batch: Batch | None = None
    served: Score | None = None  # the production version's score on this cycle's fresh rows
    served_error: float | None = None  # its standard error over blocks
    served_blocks: int = 0
    hindsight: Hindsight | None = None
    probation: ProbationResult | None = None  # where this cycle ended one

    @property
    def ending(self) -> EndingName:
        """How the cycle ended."""
        return self.outcome.ending
