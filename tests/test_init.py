"""`init`: a new project, its settings proposed from the files that are brought."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from retraining import settings
from retraining.new_project.env_text import env_text
from retraining.new_project.proposal import Proposal
from tests.projects import CLONE, Project, table, tables

if TYPE_CHECKING:
    from pathlib import Path


def brought(folder: Path, name: str, content: str | bytes) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def init(tmp_path: Path, *words: str | Path) -> dict[str, str]:
    """Make a project of some files.

    The settings of its `.env` that are not those of the example.
    """
    project = Project(tmp_path / "new")
    told = project.start("init", str(project.folder), "--json", *map(str, words)).expect(0).json
    return {one["name"]: one["value"] for one in told["settings"]}


def test_a_project_has_folders_a_recipe_every_setting_and_the_files(tmp_path: Path) -> None:
    files = [
        brought(tmp_path, f"u{number}.csv", text) for number, text in enumerate(tables(2, seed=1))
    ]
    assert init(tmp_path, *files) == {"TARGET_COLUMN": "target"}
    new = tmp_path / "new"
    assert {path.name for path in (new / "used_data").iterdir()} == {"u0.csv", "u1.csv"}
    assert (new / "new_data").is_dir()
    assert (new / "train_classification_model.py").is_file()
    assert ".env" in (new / ".gitignore").read_text()
    text = (new / ".env").read_text()
    assert [name for name in settings.SETTING_NAMES if f"{name}=" not in text] == []
    settings.load(new, {})
    assert "Copy this file" in (CLONE / ".env.example").read_text()
    assert "Copy this file" not in text


def test_it_never_overwrites(tmp_path: Path) -> None:
    new = tmp_path / "new"
    brought(new, ".env", "TARGET_COLUMN=mine\n")
    brought(new, "train_classification_model.py", "# mine\n")
    init(tmp_path, brought(tmp_path, "u.csv", table(seed=1)))
    assert (new / ".env").read_text() == "TARGET_COLUMN=mine\n"
    assert (new / "train_classification_model.py").read_text() == "# mine\n"
    other = brought(tmp_path / "elsewhere", "u.csv", table(seed=2))
    words = ("init", str(new), str(other))
    assert "with other content" in Project(new).start(*words).expect(2).error[0]


def test_a_refused_start_leaves_no_folder_that_it_made(tmp_path: Path) -> None:
    new = Project(tmp_path / "teams" / "churn")
    new.start("init", str(new.folder), str(tmp_path / "nowhere.csv")).expect(2)
    assert not (tmp_path / "teams").exists()


def test_two_files_of_one_name_are_refused_unless_they_are_copies(tmp_path: Path) -> None:
    one = brought(tmp_path / "a", "day.csv", table(seed=1))
    other = brought(tmp_path / "b", "day.csv", table(seed=2))
    copy = brought(tmp_path / "c", "day.csv", one.read_bytes())
    project = Project(tmp_path / "new")
    words = ("init", str(project.folder), str(one))
    said = project.start(*words, str(other)).expect(2).error[0]
    assert str(one) in said
    assert str(other) in said
    assert not (project.folder / "used_data").exists()
    assert not (project.folder / ".env").exists()
    said = project.start(*words, str(copy)).expect(0).out
    assert "used_data/ holds 1 file of yours." in said
    new_files = "If a version serves already, put new files into new_data/."
    assert new_files not in said
    assert new_files in project.start(*words).expect(0).out


def test_how_excel_writes_is_recognised(tmp_path: Path) -> None:
    drawn = random.Random(1)
    rows = [
        f"{drawn.gauss(0, 1):.3f};Köln;{drawn.randint(0, 1)}".replace(".", ",") for _ in range(99)
    ]
    text = "\r\n".join(["größe;stadt;klasse", *rows])
    file = brought(tmp_path, "u.csv", text.encode("cp1252"))
    assert init(tmp_path, file, "--target", "klasse") == {
        "TARGET_COLUMN": "klasse",
        "CSV_ENCODING": "cp1252",
        "CSV_SEPARATOR": ";",
        "CSV_DECIMAL": ",",
    }
    loaded = settings.load(tmp_path / "new", {})
    assert (loaded.csv_separator, loaded.csv_decimal) == (";", ",")


def test_ids_times_and_what_tells_the_label_are_left_alone_with_the_reason(tmp_path: Path) -> None:
    drawn = random.Random(2)
    labels = [int(drawn.random() < 0.4) for _ in range(400)]
    frame = pd.DataFrame(
        {
            "customer": range(1000, 1400),
            "seen": pd.date_range("2026-01-01", periods=400, freq="h").strftime("%Y-%m-%d %H:%M"),
            "amount": [round(drawn.gauss(label, 2), 2) for label in labels],
            "refunded": ["yes" if label else "no" for label in labels],
            "label": labels,
        }
    )
    file = brought(tmp_path, "u.csv", frame.to_csv(index=False))
    proposed = init(tmp_path, file)
    assert proposed["TARGET_COLUMN"] == "label"
    assert set(proposed["IGNORE_COLUMNS"].split(",")) == {"customer", "seen", "refunded"}
    text = (tmp_path / "new" / ".env").read_text()
    assert "customer looks like an id" in text


def test_a_rare_class_is_not_measured_by_accuracy(tmp_path: Path) -> None:
    drawn = random.Random(3)
    rows = [f"{drawn.gauss(0, 1):.3f},{int(number % 50 == 0)}" for number in range(500)]
    file = brought(tmp_path, "u.csv", "\n".join(["x,y", *rows]))
    assert init(tmp_path, file)["METRIC"] == "average_precision"


def test_a_parquet_file_is_looked_at_too(tmp_path: Path) -> None:
    drawn = random.Random(4)
    frame = pd.DataFrame({"x": [drawn.gauss(0, 1) for _ in range(60)], "won": [True, False] * 30})
    (tmp_path / "u.parquet").write_bytes(frame.sample(frac=1, random_state=1).to_parquet())
    assert init(tmp_path, tmp_path / "u.parquet") == {"TARGET_COLUMN": "won"}


def test_neither_the_index_of_pandas_nor_an_id_is_proposed_as_the_label(tmp_path: Path) -> None:
    drawn = random.Random(7)
    frame = pd.DataFrame(
        {
            "won": [drawn.random() < 0.4 for _ in range(60)],
            "amount": [drawn.gauss(0, 1) for _ in range(60)],
            "ticket": range(60),
        },
        index=pd.Index([number % 3 for number in range(60)], name="day"),
    )
    frame.to_parquet(tmp_path / "u.parquet")
    assert init(tmp_path, tmp_path / "u.parquet")["TARGET_COLUMN"] == "won"


def test_a_table_without_a_label_is_told_so(tmp_path: Path) -> None:
    file = brought(tmp_path, "u.csv", "\n".join(["a,b", *(f"{n},{n}.5" for n in range(40))]))
    project = Project(tmp_path / "new")
    said = project.start("init", str(project.folder), str(file)).expect(0).out
    assert "No column looks like a label" in said
    assert "TARGET_COLUMN=" not in said


def test_time_stamps_in_parquet_are_ignored_and_the_other_columns_are_looked_at(
    tmp_path: Path,
) -> None:
    drawn = random.Random(5)
    hours = pd.date_range("2026-01-01", periods=400, freq="h")
    frame = pd.DataFrame(
        {
            "x": [drawn.gauss(0, 1) for _ in hours],
            "customer": range(400),
            "since": hours,
            "won": [int(number % 50 == 0) for number in range(400)],
        },
        index=hours.rename("seen"),
    )
    frame.to_parquet(tmp_path / "u.parquet")
    proposed = init(tmp_path, "--target", "won", tmp_path / "u.parquet")
    assert proposed == {
        "TARGET_COLUMN": "won",
        "METRIC": "average_precision",
        "IGNORE_COLUMNS": "since,customer",
    }
    text = (tmp_path / "new" / ".env").read_text()
    assert "since is of type timestamp" in text


@pytest.mark.filterwarnings("error:Do not expect")
def test_the_target_may_stand_before_the_files_and_nothing_is_warned_of(tmp_path: Path) -> None:
    file = brought(tmp_path, "u.csv", table(seed=1))
    project = Project(tmp_path / "new")
    words = ("init", str(project.folder), "--target", "target", str(file))
    assert project.start(*words).expect(0).err == ""
    assert (project.folder / "used_data" / "u.csv").is_file()


def test_files_that_cannot_be_looked_at_are_kept_and_the_reason_is_told(tmp_path: Path) -> None:
    file = brought(tmp_path, "u.csv", "a,b\n1,2\n3\n")
    project = Project(tmp_path / "new")
    said = project.start("init", str(project.folder), str(file)).expect(0).out
    assert "could not be looked at" in said
    assert (project.folder / ".env").is_file()


def test_a_target_that_no_file_has_is_refused_and_a_second_try_writes_the_settings(
    tmp_path: Path,
) -> None:
    rows = "".join(f"{place * 7 % 40};{place % 2}\n" for place in range(40))
    file = brought(tmp_path, "u.csv", f"'load';'vote'\n{rows}")
    project = Project(tmp_path / "new")
    refused = project.start("init", str(project.folder), "--target", "vote", str(file)).expect(2)
    what = """--target: the data has no column 'vote'; it has "'load'", "'vote'\""""
    assert refused.error[0] == what
    assert """Did you mean "'vote'"?""" in refused.error[2]
    assert not (project.folder / ".env").exists()
    assert not (project.folder / "used_data").exists()
    told = init(tmp_path, file, "--target", "'vote'")
    assert told["TARGET_COLUMN"] == "'vote'"
    assert told["CSV_SEPARATOR"] == ";"


def test_another_target_for_an_env_that_is_there_is_told_to_change_nothing(tmp_path: Path) -> None:
    file = brought(tmp_path, "u.csv", table(seed=1))
    project = Project(tmp_path / "new")
    words = ("init", str(project.folder), str(file), "--target")
    project.start(*words, "target").expect(0)
    before = (project.folder / ".env").read_text()
    said = project.start(*words, "f0").expect(0).out
    assert "--target f0 was not written, TARGET_COLUMN is still target." in said
    assert (project.folder / ".env").read_text() == before


@pytest.mark.parametrize("bad", ["x,label\n1,0\n2\n", "", "x,other\n1,2\n"])
def test_one_file_that_cannot_be_looked_at_is_named_and_the_others_speak(
    tmp_path: Path, bad: str
) -> None:
    drawn = random.Random(6)
    rows = [f"{drawn.gauss(0, 1):.3f},{number % 50 == 0:d}" for number in range(500)]
    good = brought(tmp_path, "good.csv", "\n".join(["x,label", *rows]))
    project = Project(tmp_path / "new")
    words = ("init", str(project.folder), "--target", "label")
    said = project.start(*words, str(brought(tmp_path, "bad.csv", bad)), str(good)).expect(0).out
    assert "METRIC=average_precision" in said
    [note] = [line for line in said.splitlines() if "could not be looked at" in line]
    assert "bad.csv" in note
    assert "used_data/ holds 2 files of yours." in said


def test_rows_longer_than_their_header_are_told_by_that_and_not_by_a_separator(
    tmp_path: Path,
) -> None:
    rows = [f"{place},{place % 7},{place % 2}" for place in range(40)]
    counts_for_names = brought(tmp_path, "u.csv", "\n".join(["40,2", *rows]) + "\n")
    project = Project(tmp_path / "new")
    said = project.start("init", str(project.folder), str(counts_for_names)).expect(0).out
    assert "'u.csv': row 1 (line 2) has 3 cells where the header has 2 (40 rows" in said
    assert "CSV_SEPARATOR" not in said
    assert "used_data/ holds 1 file of yours." in said


@pytest.mark.parametrize(
    ("words", "said"),
    [(["nowhere.csv"], "is not there"), (["README.md"], "neither"), (["docs"], "is a folder")],
)
def test_a_wrong_file_is_named_before_anything_is_made(
    tmp_path: Path, words: list[str], said: str
) -> None:
    project = Project(tmp_path / "new")
    files = [str(CLONE / word) for word in words]
    assert said in project.start("init", str(project.folder), *files).expect(2).error[0]
    assert not (project.folder / ".env").exists()


def test_a_value_is_quoted_where_env_would_read_it_otherwise(tmp_path: Path) -> None:
    written = env_text("# TARGET_COLUMN=target\n", [Proposal("TARGET_COLUMN", 'a "b" #c', "why")])
    assert written == '# why\nTARGET_COLUMN="a \\"b\\" #c"\n'
    (tmp_path / ".env").write_text(written)
    assert settings.load(tmp_path, {}).target_column == 'a "b" #c'
