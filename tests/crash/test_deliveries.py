"""What is delivered is judged, refused, left or waited for, each file exactly as it should be, by a whole cycle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.crash.deliveries import groups, judged_as_they_should, registered_for
from tests.crash.forked import RECIPE
from tests.projects import REGISTER, Project, tables

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("of_schema", sorted({group[0].label_kind for group in groups(huge=False)}))
def test_every_file_of_the_corpus_ends_where_it_should(tmp_path: Path, empty_store: Path, of_schema: str) -> None:
    chosen = [group for group in groups(huge=False) if group[0].label_kind == of_schema]
    project = Project.made(tmp_path / "project")
    project.take_store(empty_store)
    registered_for(project, chosen[0][0])
    wrong = [one for _, settings, cases in chosen for one in judged_as_they_should(project, settings, cases)]
    assert wrong == []


def test_a_file_that_production_cannot_predict_stops_the_others_for_one_start_only(registered: Project) -> None:
    """1e300 is a number, and more than a tree of 32-bit floats takes."""
    (registered.folder / "train_classification_model.py").write_text(RECIPE)
    registered.start("--train-from", "used_data", "--set-alias", script=REGISTER).expect(0)
    registered.deliver(*tables(4, seed=2), "speed,load,city,target\n1e300,1,north,1\n")
    assert "batch" in registered.start("run").expect(1).error[0]
    assert registered.cycle()["files"] == {"waiting": 0, "judged": 4, "archived": 0, "quarantined": 0}
    (note,) = registered.folder.glob("quarantine/*.reason.json")
    assert "float32" in note.read_text()
