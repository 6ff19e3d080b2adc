"""The reading corpus as deliveries: many files in one inbox, and how a whole cycle deals with each
of them.
"""

from __future__ import annotations

import io
import json
import random
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
from pyarrow import csv

from tests.datasets.corpus import CASES, Case

if TYPE_CHECKING:
    from collections.abc import Iterable

    from retraining.records import Schema
    from tests.projects import Project

RECIPE = """
from sklearn.dummy import DummyClassifier

def train_model(X_train, y_train):
    return DummyClassifier(strategy="prior").fit(X_train, y_train)
"""
HUGE = 10_000_000  # bytes; such files are for `make soak`
READ_ENDINGS = (".csv", ".csv.gz", ".parquet")
CELLS = {"number": ("1.5", "2.5", "-3"), "boolean": ("true", "false"), "string": ("Oslo", "Rome")}

Group = tuple["Schema", dict[str, str], list[Case]]


def groups(*, huge: bool) -> list[Group]:
    """Cases that one cycle can deal with: read by one schema, under one set of settings."""
    found: dict[str, Group] = {}
    for case in CASES:
        if huge or len(case.content) < HUGE:
            settings = {
                name.upper(): str(value).replace("\t", r"\t")
                for name, value in case.settings.items()
            }
            found.setdefault(f"{case.schema} {settings}", (case.schema, settings, []))[2].append(
                case
            )
    return list(found.values())


def registered_for(project: Project, schema: Schema) -> Project:
    """Version 1 takes rows of that schema, whatever stands in them.

    It is never bad enough to be replaced.
    """
    dice = random.Random(1)
    rows = [",".join((*(column.name for column in schema.columns), schema.target))]
    for place in range(60):
        label = schema.classes[place % len(schema.classes)]
        rows.append(
            ",".join((*(dice.choice(CELLS[column.kind]) for column in schema.columns), str(label)))
        )
    settings = {
        "TARGET_COLUMN": schema.target,
        "IGNORE_COLUMNS": ",".join(schema.ignored),
        "RETRAIN_THRESHOLD": "0",
        "MIN_NEW_FILES": "1",
    }
    project.configure(**{name: value for name, value in settings.items() if value})
    (project.folder / "train_classification_model.py").write_text(RECIPE)
    text = "\n".join(rows) + "\n"
    # Parquet: the archive is read again under whatever CSV_* settings the cases have
    pq.write_table(csv.read_csv(io.BytesIO(text.encode())), packed := io.BytesIO())
    project.put("first.parquet", packed.getvalue(), to="used_data", age=7200)
    project.register()
    return project


def judged_as_they_should(
    project: Project, settings: dict[str, str], cases: Iterable[Case]
) -> list[str]:
    """Deliver all, run one cycle, and say of which files it made something else than the corpus
    demands; the inbox is empty afterwards.
    """
    project.configure(**settings)
    names = {f"{place:03d} {case.name}": case for place, case in enumerate(cases)}
    for place, (name, case) in enumerate(names.items()):
        project.put(name, case.content, age=3600 - place)
    expected = _expected(names)
    ended = project.start("run", "--json")
    told = ended.json
    accepted = [case for name, case in names.items() if expected[name] == "accepted"]
    rows = sum(1 for case in accepted for row in case.rows or () if row[-1] is not None)
    wrong = [] if ended.code == (0 if accepted else 3) else [f"exit code {ended.code}: {ended}"]
    if accepted and (told["new_rows"], told["files"]["judged"]) != (rows, len(accepted)):
        wrong.append(
            f"{told['new_rows']} rows of {told['files']['judged']} files were judged, {rows} of"
            f" {len(accepted)} expected"
        )
    wrong += [
        f"{names[name].title}: {what}, {expected[name]} expected"
        for name, what in _made_of(project, names)
        if what != expected[name]
    ]
    for path in [*project.folder.glob("new_data/*"), *project.folder.glob("quarantine/*")]:
        path.unlink()
    project.settings.update(dict.fromkeys(settings, ""))
    for name in settings:
        del project.settings[name]
    return wrong


def _expected(names: dict[str, Case]) -> dict[str, str]:
    seen: set[bytes] = set()
    found = {}
    for name, case in names.items():
        is_read = name.lower().endswith(READ_ENDINGS)
        found[name] = (
            "left"
            if not is_read
            else (
                "duplicate"
                if case.content in seen
                else "accepted"
                if case.rows is not None
                else "refused"
            )
        )
        # nothing is no copy of nothing
        seen |= {case.content} if is_read and case.content else set()
    return found


def _made_of(project: Project, names: dict[str, Case]) -> Iterable[tuple[str, str]]:
    for name, case in names.items():
        note = project.folder / "quarantine" / f"{name}.reason.json"
        here, there = (project.folder / "new_data" / name).is_file(), note.with_name(name).is_file()
        if here == there:
            yield name, "in both folders" if here else "in neither folder"
        elif here:
            yield name, "accepted" if name.lower().endswith(READ_ENDINGS) else "left"
        else:
            reason = json.loads(note.read_text())["reason"]
            missing = [word for word in case.refused if word not in reason]
            yield (
                name,
                (
                    "duplicate"
                    if reason.startswith("duplicate")
                    else f"refused without {missing}: {reason}"
                    if missing
                    else "refused"
                ),
            )
