"""`check` names every broken invariant over settings, store, registry and folders, and what to do.

A sound project has none.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import mlflow
import pytest

from retraining.folders.lock import one_cycle_at_a_time
from tests.projects import Project, tables

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def problems(project: Project, code: int, *flags: str) -> list[str]:
    said = project.start("check", "--json", *flags).expect(code).json
    assert said["ok"] == (code == 0)
    assert all(problem["try"] and problem["where"] for problem in said["problems"])
    return [problem["what"] for problem in said["problems"]]


def archive(project: Project) -> list[str]:
    return sorted(project.names("used_data"))


def remove_a_file(project: Project) -> None:
    (project.folder / "used_data" / archive(project)[0]).unlink()


def alter_a_file_unseen(project: Project) -> None:
    """Other bytes of the same length, with the same times: only reading it again shows it."""
    path = project.folder / "used_data" / archive(project)[0]
    before = path.stat()
    path.write_text(path.read_text().replace("0.", "1.", 1))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def add_a_stranger(project: Project) -> None:
    project.put("stranger.csv", tables(1, seed=99)[0], to="used_data")


def leave_a_claim(project: Project) -> None:
    project.put("0123.csv", "half", to="used_data/.claimed")


def remove_the_inbox(project: Project) -> None:
    (project.folder / "new_data").rmdir()


def break_the_recipe(project: Project) -> None:
    (project.folder / "train_classification_model.py").write_text(
        "def train_model(X):\n    return X\n"
    )


def alter_the_model(project: Project) -> None:
    for path in project.folder.glob("mlflow_server/artifacts/**/model.pkl"):
        path.write_bytes(path.read_bytes()[:-1] + b"!")


def tear_a_line_of_the_tokens(project: Project) -> None:
    (project.folder / "api_tokens.json").write_text('\n{"name": "half')


def write_tokens_that_nobody_can_read(project: Project) -> None:
    (project.folder / "api_tokens.json").write_bytes(b"\xff\xfe")


CASES: list[tuple[Callable[[Project], None], int, str, tuple[str, ...]]] = [
    (remove_a_file, 3, "learned files are missing", ()),
    (alter_a_file_unseen, 3, "or were changed there", ("--deep",)),
    (add_a_stranger, 0, "came by another way", ()),
    (leave_a_claim, 0, "temporary files are left", ()),
    (remove_the_inbox, 3, "is not there", ()),
    (break_the_recipe, 1, "train_model", ()),
    (alter_the_model, 3, "are not those that were registered", ()),
    (tear_a_line_of_the_tokens, 0, "Line 2 of", ()),
    (write_tokens_that_nobody_can_read, 0, "no token opens anything", ()),
]


def test_a_sound_project_has_no_problem_deep_or_not(promoted: Project) -> None:
    assert problems(promoted, 0) == problems(promoted, 0, "--deep") == []


@pytest.mark.parametrize(
    ("damage", "code", "said", "flags"), CASES, ids=[case[0].__name__ for case in CASES]
)
def test_what_is_broken_is_named_with_the_code_that_a_cycle_would_end_with(
    registered: Project,
    damage: Callable[[Project], None],
    code: int,
    said: str,
    flags: tuple[str, ...],
) -> None:
    damage(registered)
    found = problems(registered, code, *flags)
    assert any(said in what for what in found), found


def test_a_damaged_version_that_does_not_serve_stops_no_cycle(promoted: Project) -> None:
    newest = max(
        promoted.folder.glob("mlflow_server/artifacts/**/model.pkl"),
        key=lambda path: path.stat().st_mtime_ns,
    )
    newest.write_bytes(newest.read_bytes()[:-1] + b"!")
    assert any(
        "are not those that were registered" in what for what in problems(promoted, 3, "--deep")
    )
    assert promoted.start("rollback").expect(0)
    told = promoted.start("check", "--deep", "--json").expect(0).json["problems"]
    (damaged,) = (
        problem for problem in told if "are not those that were registered" in problem["what"]
    )
    assert damaged["where"] == "v2"
    assert damaged["try"].startswith("v2 does not serve: no cycle needs it.")
    promoted.deliver(*tables(3, seed=3, rows=120))
    assert promoted.cycle()["ending"] == "kept"


def test_a_disk_that_is_too_full_for_a_cycle_is_a_problem(
    registered: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    registered.deliver(*tables(3, seed=2))
    monkeypatch.setattr("retraining.inbox.inbox.SPARE_BYTES", 1 << 60)
    (found,) = problems(registered, 1)
    assert " bytes free; this cycle needs 1,152," in found
    assert " bytes free; this cycle needs 1,152," in registered.start("run").expect(1).error[0]


def test_a_lock_that_no_start_could_open_is_a_problem(registered: Project) -> None:
    lock = registered.folder / ".retraining" / "lock"
    lock.unlink()
    lock.mkdir()
    (found,) = problems(registered, 3)
    assert found == f"The lock {lock} cannot be opened: Is a directory."
    assert registered.start("run").expect(3).error[0] == found


def test_who_holds_the_lock_is_named_since_a_cycle_that_hangs_lets_no_other_begin(
    registered: Project,
) -> None:
    with one_cycle_at_a_time(registered.folder / ".retraining"):
        (found,) = problems(registered, 0)
        assert registered.start("run").expect(75).error[0] == found
    assert f": process {os.getpid()}, started " in found


def test_a_quarantine_without_room_for_what_would_be_refused_is_a_problem(
    registered: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    registered.deliver(*tables(3, seed=2))
    registered.put("bad.csv", "nothing,like,it\n1,2,3\n")
    monkeypatch.setattr("retraining.inbox.inbox.BYTES_OF_A_REASON", 1 << 60)
    refused, full = problems(registered, 1)
    assert "1 waiting file would be refused: bad.csv" in refused
    assert " bytes free; refusing 1 file needs 1,152," in full


def test_checking_changes_nothing_but_local_notes(promoted: Project) -> None:
    def files() -> dict[str, bytes]:
        found = (
            path
            for path in promoted.folder.rglob("*")
            if path.is_file() and ".retraining" not in path.parts
        )
        return {
            str(path): path.read_bytes()
            for path in found
            if "backend_db" not in path.parts and "__pycache__" not in path.parts
        }

    before = files()
    promoted.start("check", "--deep").expect(0)
    assert files() == before


def test_a_gain_that_no_challenger_can_have_is_a_warning(registered: Project) -> None:
    registered.configure(MIN_IMPROVEMENT="2")
    (what,) = problems(registered, 0)
    assert what.startswith("No challenger can gain MIN_IMPROVEMENT=2: accuracy lies between 0 and")
    registered.configure(PROMOTE_WHEN="significant")  # which does not ask for it
    assert problems(registered, 0) == []


def test_a_column_without_any_value_is_a_warning(tmp_path: Path, empty_store: Path) -> None:
    project = Project.made(tmp_path / "project")
    for place, text in enumerate(tables(8, seed=1)):
        head, *rows = text.splitlines()
        project.put(
            f"{place}.csv",
            "\n".join([f"spare,{head}", *(f",{row}" for row in rows)]) + "\n",
            to="used_data",
        )
    project.take_store(empty_store)
    project.register()
    (found,) = problems(project, 0)
    assert "column 'spare' has no value in any row (first in 0.csv, row 1)" in found


def test_files_that_a_cycle_would_refuse_are_to_be_mended_where_they_lie(
    registered: Project,
) -> None:
    registered.put("a.csv", "speed,load\n1,2\n")
    (problem,) = registered.start("check", "--json").expect(0).json["problems"]
    assert "Every file that waited" in problem["what"]
    assert "where they lie" in problem["try"]
    assert "requeue" not in problem["try"]  # nothing is in quarantine yet


def test_reasons_of_refused_files_are_kept_apart_by_semicolons(registered: Project) -> None:
    registered.deliver(*tables(3, seed=2))
    for name in ("a.csv", "b.csv"):
        registered.put(name, f"speed,load\n1,{ord(name[0])}\n")
    (what,) = problems(registered, 0)
    assert "; b.csv: " in what


def test_a_closed_gate_looks_at_no_alias_and_check_says_which_cycle_would(
    registered: Project,
) -> None:
    store = registered.folder / "mlflow_server" / "backend_db" / "mlflow.db"
    client = mlflow.MlflowClient(f"sqlite:///{store}")
    client.delete_registered_model_alias("classifier", "production")
    assert registered.cycle()["ending"] == "unchanged"
    said = registered.start("check").expect(3).out
    assert "1 to be mended; a cycle that opens would end with exit code 3." in said
    registered.deliver(*tables(3, seed=2))
    registered.start("run").expect(3)
