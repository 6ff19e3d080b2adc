"""What no answer can save, part by part, by CPU in one thread: `python -m bench.answer_floor`.

Each line is microseconds for a row, in requests of 1, 64 and 1,000 rows; the best of three times.
What a service adds (HTTP, threads that hand over, memory that others have used meanwhile) is not
in it: `bench.serving` has that.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from bench import data
from bench.serving import OWN_RECIPE, body_of
from retraining.prediction_log.appending import append_all
from retraining.prediction_log.connection import SERVICE, open_database
from retraining.prediction_log.layout import ensure_layout
from retraining.prediction_log.rows import AnsweredRequest
from retraining.prediction_log.times import text_of
from retraining.records import Column, Schema
from retraining.serving.model import ServedModel, TellingFacts
from retraining.serving.rows import frame_of
from retraining.serving.service import new_ids, read_question
from train_classification_model import train_model

if TYPE_CHECKING:
    from collections.abc import Callable

    from retraining.serving.model import Answers
    from retraining.serving.service import Question

SIZES = (1, 64, 1000)
SECONDS = 0.2  # of CPU, each time
MODEL = "classifier"


def main() -> None:
    """Print a table."""
    everything = data.rows(20_000, seed=1).to_pandas()
    X, y = everything.drop(columns="target"), everything["target"]
    schema = schema_of(X.dtypes.to_dict())
    own: dict[str, Any] = {}
    exec(OWN_RECIPE, own)
    shipped, brought = (
        ServedModel(MODEL, 1, "production", schema, train(X, y), datetime.now(UTC), TellingFacts())
        for train in (train_model, own["train_model"])
    )
    found: dict[str, list[float]] = {}
    for size in SIZES:
        for what, part in parts_of(size, shipped, brought).items():
            found.setdefault(what, []).append(cpu_of(part) / size * 1e6)
    print("microseconds of CPU a row, in requests of 1, 64 and 1,000 rows")
    for what, values in found.items():
        print(f"{what:<50}" + "".join(f"{value:>10,.1f}" for value in values))


def schema_of(types: dict[str, Any]) -> Schema:
    """The schema of the bench's rows."""
    columns = [
        Column(name, "number" if kind == np.float64 else "string") for name, kind in types.items()
    ]
    return Schema(tuple(columns), "target", "integer", (0, 1))


def parts_of(
    size: int, shipped: ServedModel, brought: ServedModel
) -> dict[str, Callable[[], object]]:
    """What an answer is made of, by name, and what of it nobody can save."""
    body = body_of(size)
    question = read_question(body, shipped.schema, size)
    table = frame_of([question.rows], shipped.schema)
    ready = shipped.estimator[0].transform(table)
    append, insert = log_parts(question, shipped.answers([question.rows]))

    def by_a_table() -> object:
        return shipped.estimator.predict_proba(frame_of([question.rows], shipped.schema))

    return {
        "JSON of the request alone": lambda: orjson.loads(body),
        "rows read, checked and given ids": lambda: read_question(body, shipped.schema, size),
        "shipped recipe: its trees alone": lambda: shipped.estimator[-1].predict_proba(ready),
        "shipped recipe: answered": lambda: shipped.answers([question.rows]),
        "shipped recipe: answered from a DataFrame": by_a_table,
        "another recipe: its pipeline alone": lambda: brought.estimator.predict_proba(table),
        "another recipe: answered": lambda: brought.answers([question.rows]),
        "log: sqlite's INSERT alone": insert,
        "log: committed": append,
    }


def log_parts(
    question: Question, answers: Answers
) -> tuple[Callable[[], object], Callable[[], object]]:
    """Committing an answer to a log of its own, and the INSERT of it alone."""
    assert answers.probabilities is not None
    columns: dict[str, Any] = dict(question.rows.columns)
    request = AnsweredRequest(
        request_id="",
        request_time=datetime.now(UTC),
        model_version=1,
        prediction_ids=question.prediction_ids,
        ids_are_the_callers=False,
        features=columns,
        predictions=[str(label) for label in answers.labels],
        classes=(0, 1),
        probabilities=answers.probabilities.tolist(),
    )
    folder = tempfile.TemporaryDirectory()
    database = open_database(f"sqlite:///{folder.name}/log.db", SERVICE, waits_for_the_disk=False)
    ensure_layout(database)
    count = len(request.prediction_ids)

    def append() -> None:
        assert folder.name  # lives as long as its database
        fresh = replace(request, request_time=datetime.now(UTC), prediction_ids=new_ids(count))
        with database.writing() as connection:
            append_all(connection, MODEL, [fresh])

    own = ("prediction_id", "request_time")  # of each row; the rest is made ready
    rest = [name for name in request.records(MODEL)[0] if name not in own]
    places = ", ".join("?" * (len(own) + len(rest)))
    statement = f"INSERT INTO predictions ({', '.join([*own, *rest])}) VALUES ({places})"
    ready = [tuple(record[name] for name in rest) for record in request.records(MODEL)]

    def insert() -> None:
        moment, ids = text_of(datetime.now(UTC)), new_ids(count)
        rows = [(name, moment, *values) for name, values in zip(ids, ready, strict=True)]
        with database.writing() as connection:
            connection.exec_driver_sql(statement, rows)

    return append, insert


def cpu_of(part: Callable[[], object]) -> float:
    """Seconds of this thread's CPU that a part takes."""
    part()
    best = float("inf")
    for _ in range(3):
        times, began = 0, time.thread_time()
        while time.thread_time() - began < SECONDS:
            part()
            times += 1
        best = min(best, (time.thread_time() - began) / times)
    return best


if __name__ == "__main__":
    main()
