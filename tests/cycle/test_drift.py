"""Drift: the reference that a version carries, and what is found against it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from retraining.cycle.drift import LABELS, SCORES, Sketch, judge_drift
from retraining.cycle.rows import predictions, whole_files
from retraining.statistics import CategoryBins, NumberBins

if TYPE_CHECKING:
    from retraining.records import Drift
    from tests.cycle.desk import Desk


def judged(desk: Desk) -> Drift:
    with desk.opened() as cycle:
        sections = whole_files(cycle.claimed.files)
        answers = predictions(cycle.job, cycle.production, sections)
        content = desk.registry.sketches(cycle.production.version)
        assert content is not None
        reference = Sketch.from_json(content)
        schema = cycle.production.schema
        return judge_drift(cycle.job, reference, sections, schema, answers)[0]


def test_a_sketch_survives_json() -> None:
    counts = np.array([[1, 2, 3], [4, 5, 6]])
    bins = {"age": NumberBins((0.5,)), "city": CategoryBins(("north",))}
    sketch = Sketch(bins, {"age": counts, "city": counts})
    again = Sketch.from_json(json.loads(json.dumps(sketch.to_json())))
    assert again.bins == sketch.bins
    assert all((again.histograms[name] == counts).all() for name in bins)


def test_features_labels_and_answers_are_looked_at(desk: Desk) -> None:
    desk.deliver(6)
    found = judged(desk)
    names = {one.name for one in found.features}
    assert names == {"speed", "load", "city", LABELS, SCORES}
    assert found.detected is False


def test_inputs_that_moved_are_found_the_worst_first(desk: Desk) -> None:
    names = desk.deliver(6, rows=80)
    for name in names:
        path = desk.project.folder / "new_data" / name
        head, *rows = path.read_text().splitlines()
        moved = [row.replace("north", "south") for row in rows]
        desk.project.put(name, "\n".join([head, *moved]) + "\n")
    found = judged(desk)
    assert found.material
    assert found.moved == ["city (material)"]
    assert found.features[0].name == "city"
