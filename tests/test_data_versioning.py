"""docs/data-versioning.md, typed with a real DVC: the archive goes to a local remote, and a version
is made again on a fresh clone.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.projects import CLONE, Project, environment_of_cron, tables

if TYPE_CHECKING:
    from pathlib import Path

DVC = CLONE / ".cache" / "dvc" / "bin" / "dvc"
PAGE = (CLONE / "docs" / "data-versioning.md").read_text()

pytestmark = [
    pytest.mark.dvc,
    pytest.mark.skipif(not DVC.exists(), reason="tools/build_dvc.sh was not run: no DVC"),
]


def block(kind: str) -> str:
    """The commands of one block of the page."""
    found = re.search(rf"^```sh {kind}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None, kind
    return found[1]


def type_in(commands: str, folder: Path) -> None:
    """Type the commands in a folder; each must end well."""
    environment = environment_of_cron(folder) | {
        "PATH": f"{DVC.parent}{os.pathsep}/usr/bin:/bin",
        "GIT_AUTHOR_NAME": "a person",
        "GIT_AUTHOR_EMAIL": "a@example.org",
        "GIT_COMMITTER_NAME": "a person",
        "GIT_COMMITTER_EMAIL": "a@example.org",
        "DVC_NO_ANALYTICS": "1",
    }
    done = subprocess.run(
        ["sh", "-eu"],
        input=commands,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_version_is_made_again_on_a_fresh_clone_after_dvc_pull(
    registered: Project, tmp_path: Path
) -> None:
    shutil.copy(CLONE / "train_classification_model.py", registered.folder)
    type_in(block("dvc"), registered.folder)
    registered.configure(RETRAIN_WHEN="always", MIN_IMPROVEMENT="-1")
    registered.deliver(*tables(3, seed=2, turned=True))
    assert registered.cycle()["ending"] == "promoted"
    type_in(block("dvc after"), registered.folder)

    type_in(block("dvc clone"), tmp_path)
    clone = Project(tmp_path / "elsewhere", dict(registered.settings))
    store = registered.folder / "mlflow_server" / "backend_db" / "mlflow.db"
    clone.configure(MLFLOW_TRACKING_URI=f"sqlite:///{store}")
    assert clone.names("used_data") == registered.names("used_data")
    told = clone.start("reproduce", "v2", "--json").expect(0).json
    assert (told["same"], told["missing_files"]) == (True, [])
