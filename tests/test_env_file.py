"""Reading `.env` files: one table of lines with what they hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retraining.env_file import nearest_name, read_env_file

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ("METRIC", "MODEL_NAME", "RETRAIN_THRESHOLD", "MIN_NEW_FILES", "MIN_NEW_ROWS")


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=1", "1"), ("A = 1 ", "1"), ("  A=1", "1"), ("export A=1", "1"), ("A=", ""),
        ("A=one two", "one two"),
        ("A=1 # why", "1"), ("A=a#b", "a#b"), ("A=#b", ""), ('A="1 # 2"', "1 # 2"),
        ("A='1 # 2' # why", "1 # 2"),
        (r'A="tab\there"', "tab\there"), (r'A="say \"yes\""', 'say "yes"'), (r"A='\t'", r"\t"),
        (r"A=\t", r"\t"),
        ("A=x=y", "x=y"), ("A=mongodb://u:p@h/?a=b&c=d", "mongodb://u:p@h/?a=b&c=d"), ("A=ü", "ü"),
    ],
)  # fmt: skip
def test_a_line_holds_this_value(tmp_path: Path, line: str, value: str) -> None:
    path = tmp_path / ".env"
    path.write_text(f"# first\n\n{line}\r\nB=2\n", encoding="utf-8")
    assert read_env_file(path) == ({"A": value, "B": "2"}, [])


@pytest.mark.parametrize("line", ["A", "A 1", "=1", "1A=2", 'A="open', "A='open", "<<<<<<< HEAD"])
def test_a_line_that_is_no_setting_is_named_by_its_number(tmp_path: Path, line: str) -> None:
    path = tmp_path / ".env"
    path.write_text(f"# first\n{line}\nB=2\n")
    assert read_env_file(path) == (
        {"B": "2"},
        [".env line 2: not NAME=value, or a quote that is not closed"],
    )


def test_no_file_is_no_setting(tmp_path: Path) -> None:
    assert read_env_file(tmp_path / ".env") == ({}, [])


def test_a_folder_of_that_name_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / ".env").mkdir()
    assert read_env_file(tmp_path / ".env") == ({}, [".env: not a file"])


def test_a_byte_order_mark_is_skipped_and_other_encodings_are_a_problem(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_bytes(b"\xef\xbb\xbfA=1\n")
    assert read_env_file(path) == ({"A": "1"}, [])
    path.write_bytes("A=ü".encode("latin-1"))
    values, problems = read_env_file(path)
    assert values == {}
    assert problems[0].startswith(".env: cannot be read")


@given(text=st.text(max_size=60))
def test_no_text_can_break_the_reader(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.env"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    values, problems = read_env_file(path)
    assert all(isinstance(value, str) for value in values.values())
    assert len(values) + len(problems) <= max(1, len(text.splitlines()))


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("METRICS", "METRIC"),
        ("RETRAIN_TRESHOLD", "RETRAIN_THRESHOLD"),
        ("model_nam", "MODEL_NAME"),
        ("RETRAIN_TRESHLD", "RETRAIN_THRESHOLD"),
        ("MIN_NEW_FILE", "MIN_NEW_FILES"),
    ],
)
def test_a_name_one_or_two_letters_off_is_a_problem_that_names_the_right_one(
    name: str, meant: str
) -> None:
    assert nearest_name(name, NAMES) == [f"{name}: unknown; did you mean {meant}?"]


@pytest.mark.parametrize("name", ["AWS_REGION", "PATH", "METRIC_NAMES", "X"])
def test_a_name_further_off_is_somebody_elses(name: str) -> None:
    assert nearest_name(name, NAMES) == []
