"""The example that feeds Evidently: its README's lines, typed, in a virtual environment of its
own.
"""

from __future__ import annotations

import re
import subprocess
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from retraining.prediction_log.connection import JOB, open_database
from retraining.prediction_log.layout import ensure_layout
from tests.prediction_log.material import append, asked
from tests.projects import CLONE, Project

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EXAMPLE = CLONE / "examples" / "evidently"


def lines_of_the_readme() -> Iterator[str]:
    (block,) = re.findall(r"```sh\n(.*?)```", (EXAMPLE / "README.md").read_text(), re.S)
    yield from block.strip().splitlines()


@pytest.mark.timeout(3600)
@pytest.mark.soak  # it downloads Evidently and what it brings
def test_the_readme_makes_a_report_of_exported_traffic(tmp_path: Path, empty_store: Path) -> None:
    project = Project.with_first_model(tmp_path / "project", empty_store)
    log = open_database(f"sqlite:///{project.folder}/predictions/predictions.db", JOB)
    ensure_layout(log)
    for request in range(20):
        at = datetime.now(UTC) - timedelta(minutes=request)
        features = {"speed": [request / 10] * 5, "load": [1.0] * 5, "city": ["north"] * 5}
        append(log, asked(*(f"{request}-{row}" for row in range(5)), at=at, features=features))
    log.close()
    for line in lines_of_the_readme():
        here = line.replace("build/", f"{tmp_path}/")
        if "pipeline_orchestrator.py" in here:
            here += f" --project {project.folder}"
        done = subprocess.run(
            here, shell=True, cwd=CLONE, capture_output=True, text=True, check=False, timeout=1200
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    page = (tmp_path / "traffic.html").read_text()
    assert "<html" in page
    assert "speed" in page
