"""`reproduce` on real histories: versions of the demo and of both examples are made again to the
last bit.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from examples.electricity import demo
from tests.examples.test_end_to_end import Example
from tests.projects import Project

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600)]
HEADINGS = {
    "adas": "From nothing to a promoted model",
    "diabetes": "A first model, a floor, a promotion",
}


def assert_made_again(project: Project, version: int) -> None:
    told = project.start("reproduce", f"v{version}", "--json").expect(0).json
    assert (told["version"], told["same"]) == (version, True)
    assert (told["agreement"], told["largest_difference"]) == (1.0, 0.0)
    assert told["missing_files"] == []
    assert told["rows"]


@pytest.mark.parametrize("name", HEADINGS)
def test_versions_of_an_example_are_made_again(
    name: str, tmp_path: Path, empty_store: Path
) -> None:
    example = Example.shipped(name, tmp_path, empty_store)
    promoted = example.play(HEADINGS[name])[-1]
    assert promoted["ending"] == "promoted"
    for version in (1, promoted["production_version"]):
        assert_made_again(example.project, version)


def test_versions_of_the_demo_are_made_again(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    week = demo.weeks(demo.days_of_the_market())
    demo.prepare(folder, week)
    demo.start(folder, "register_first_model.py", "--train-from", "used_data", "--set-alias")
    assert "promoted" in demo.play(folder, week, until=time.monotonic())
    project = Project(folder)
    newest = project.start("status", "--json").expect(0).json["production_version"]
    assert newest > 1
    for version in range(1, newest + 1):
        assert_made_again(project, version)
