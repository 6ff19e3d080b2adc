"""A version that answers: its estimator with what a request and `model/info` need of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from retraining.serving.forms import sent_rows
from retraining.serving.rows import (
    TypedRows,
    columns_of,
    example_row,
    frame_of,
    odd_rows,
    typed_rows,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from retraining.records import Column, Label, Schema

MOST_APART = 1e-6  # two ways to the same probability


@dataclass(frozen=True)
class Answers:
    """What a version answers.

    A label a row and, where it has them, a row of probabilities in the order of its classes.
    """

    labels: Sequence[Label]
    probabilities: NDArray[np.float64] | None

    def part(self, start: int, stop: int) -> Answers:
        """The answers for the rows `[start, stop)`."""
        probabilities = None if self.probabilities is None else self.probabilities[start:stop]
        return Answers(self.labels[start:stop], probabilities)


class ModelFailedError(Exception):
    """The estimator raised, or gave something that is no answer.

    Args:
        version: that was asked.
        what: the kind of error; no value of a row.
        absent: columns of the schema that the rows did not have.
    """

    def __init__(self, version: int, what: str, absent: tuple[Column, ...] = ()) -> None:
        super().__init__(f"version {version}: {what}")
        self.version = version
        self.absent = absent


@dataclass(frozen=True)
class TellingFacts:
    """What a person wants to know of a version.

    Attributes:
        why: what it was made for, and why it is in production.
        metrics: the scores that it was registered with.
        links: by name, addresses of its pages; empty on a bare store.
    """

    why: str = ""
    previous_version: int | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class ServedModel:
    """A version of the registered model, loaded and ready to answer.

    Attributes:
        since: when it took over.
        facts: what the registry told when it was loaded.
    """

    name: str
    version: int
    alias: str
    schema: Schema
    estimator: Any
    since: datetime
    facts: TellingFacts

    @cached_property
    def classes(self) -> tuple[Label, ...]:
        """The classes in the order of the probabilities."""
        known = getattr(self.estimator, "classes_", None)
        return self.schema.classes if known is None else tuple(self._plain(np.asarray(known)))

    def answers(self, parts: Sequence[TypedRows]) -> Answers:
        """Answer the rows of several requests at once, one after the other.

        Raises:
            ModelFailedError: the estimator raised, or gave something that is no answer.
        """
        try:
            labels, probabilities = self._answered(parts)
        except Exception as error:
            # an estimator may raise anything, with values of rows in its words
            absent = tuple(c for c in self.schema.columns if c.name not in parts[0].columns)
            raise ModelFailedError(self.version, type(error).__name__, absent) from error
        return Answers(labels, probabilities)

    def _answered(
        self, parts: Sequence[TypedRows]
    ) -> tuple[list[Label], NDArray[np.float64] | None]:
        """Labels and probabilities of the rows, which are made ready for the estimator once."""
        ready, last = self._ready(parts), self._steps[1]
        count = sum(part.count for part in parts)
        if not hasattr(last, "predict_proba"):
            return self._labels(last.predict(ready), count), None
        given = last.predict_proba(ready)
        labels = last.labels_of(given) if self._labels_follow else last.predict(ready)
        probabilities = np.asarray(given, np.float64, order="C").reshape(count, len(self.classes))
        return self._labels(labels, count), probabilities

    def _ready(self, parts: Sequence[TypedRows]) -> Any:
        """The rows as the pipeline's last step takes them."""
        head, _ = self._steps
        if self._takes_columns and parts[0].frame is None:
            return head[0].transform_columns(columns_of(parts, self.schema))
        X = frame_of(parts, self.schema)
        return X if head is None else head.transform(X)

    @cached_property
    def _steps(self) -> tuple[Any, Any]:
        """A pipeline's transformers, where there are any, and what answers behind them.

        `predict` and `predict_proba` of a pipeline would each transform the rows.
        """
        from sklearn.pipeline import Pipeline

        whole = self.estimator
        if type(whole) is not Pipeline or len(whole.steps) == 1:
            return None, whole
        return whole[:-1], whole[-1]

    @cached_property
    def _takes_columns(self) -> bool:
        """Whether the one transformer wants no table: docs/recipe.md."""
        head, _ = self._steps
        return head is not None and len(head) == 1 and hasattr(head[0], "transform_columns")

    @cached_property
    def _labels_follow(self) -> bool:
        """Whether the estimator tells labels by probabilities: docs/recipe.md."""
        return hasattr(self._steps[1], "labels_of")

    def _labels(self, given: Any, count: int) -> list[Label]:
        return self._plain(np.asarray(given).reshape(count, -1)[:, 0])

    def _plain(self, labels: NDArray[Any]) -> list[Label]:
        """Labels as Python's own int, bool or str.

        An adopted model may give whole numbers as floats.
        """
        kind = type(self.schema.classes[0])
        plain: list[Label] = labels.tolist()
        return plain if type(plain[0]) is kind else [kind(label) for label in plain]

    def try_out(self, logged: Sequence[Mapping[str, Any]] = ()) -> None:
        """Answer one row made from the signature, and rows as they were logged.

        A version with a short cut of its own must answer by it as it does without.

        Raises:
            ModelFailedError: it cannot.
        """
        example = [example_row(self.schema)]
        if self._takes_columns:
            example += odd_rows(self.schema)
        for rows in (example, list(logged)):
            if rows:
                parts = [self._typed(rows)]
                answered = self.answers(parts)
                if self._takes_columns or self._labels_follow:
                    self._compare(parts, answered)

    def _typed(self, rows: Sequence[Mapping[str, Any]]) -> TypedRows:
        filled = [{name: row.get(name) for name in self.schema.names} for row in rows]
        sent = sent_rows({"dataframe_records": filled}, self.schema.names, at_most=len(rows))
        return typed_rows(sent, self.schema)

    def _compare(self, parts: Sequence[TypedRows], answered: Answers) -> None:
        """Ask the whole estimator by a table too: a short cut must change nothing."""
        X = frame_of(parts, self.schema)
        same = answered.labels == self._labels(self.estimator.predict(X), len(X))
        if same and answered.probabilities is not None:
            expected = self.estimator.predict_proba(X)
            same = np.allclose(answered.probabilities, expected, rtol=0, atol=MOST_APART)
        if not same:
            what = "predict answers differently than labels_of or transform_columns"
            raise ModelFailedError(self.version, what)
