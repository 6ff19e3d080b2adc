"""A file in another separator or decimal mark than the settings say is told to be that, before
anything else.
"""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

import pytest

from retraining.datasets import TableStore, read_schema_from
from retraining.errors import SettingsError, UnreadableFileError
from tests.datasets.files import put, settings

if TYPE_CHECKING:
    from pathlib import Path

EXCEL = "Menge;Preis;target\n1;12,50;0\n2;13,75;1\n"
BY_SEMICOLONS = "the columns are separated by semicolons, not by commas: CSV_SEPARATOR=;"


def said_at_registration(folder: Path, content: bytes, name: str, **changed: Any) -> str:
    file = put(folder, content, name)
    with pytest.raises(SettingsError) as error:
        read_schema_from([file], settings(folder, **changed))
    return str(error.value)


@pytest.mark.parametrize(
    ("content", "told", "changed"),
    [
        (EXCEL, f"{BY_SEMICOLONS} and CSV_DECIMAL=,?", {}),
        (EXCEL.replace(",", "."), f"{BY_SEMICOLONS}?", {}),
        (f"\ufeff{EXCEL}".replace("\n", "\r\n"), f"{BY_SEMICOLONS} and CSV_DECIMAL=,?", {}),
        ('"Preis, EUR";"target"\n"1";"0"\n', f"{BY_SEMICOLONS}?", {}),
        ("Preis, EUR;target\n1;0\n", f"{BY_SEMICOLONS}?", {}),
        ('a;target\n"x";0\n"y;z";1\n', f"{BY_SEMICOLONS}?", {}),
        ("a;label\n1;0\n", f"{BY_SEMICOLONS}?", {}),
        ("a\ttarget\n1\t0\n", "separated by tabs, not by commas: CSV_SEPARATOR=\\t?", {}),
        ("a|target\n1|0\n", "separated by bars, not by commas: CSV_SEPARATOR=|?", {}),
        (
            "a,target\n1,0\n",
            "separated by commas, not by semicolons: CSV_SEPARATOR=,?",
            {"csv_separator": ";"},
        ),
        (f"sep=;\n{EXCEL}", "a hint for Excel and no header: deliver the file without it", {}),
    ],
)
def test_at_registration_it_is_a_setting_to_correct(
    content: str, told: str, changed: dict[str, Any], tmp_path: Path
) -> None:
    said = said_at_registration(tmp_path, content.encode(), "u0.csv", **changed)
    assert "CSV_SEPARATOR: 'u0.csv'" in said
    assert told in said
    assert "quote" not in said
    assert "missing" not in said


def test_it_is_seen_in_another_encoding_and_inside_gzip(tmp_path: Path) -> None:
    utf_16 = said_at_registration(tmp_path, EXCEL.encode("utf-16"), "0.csv", csv_encoding="utf-16")
    packed = said_at_registration(tmp_path, gzip.compress(EXCEL.encode()), "1.csv.gz")
    assert BY_SEMICOLONS in utf_16
    assert BY_SEMICOLONS in packed


@pytest.mark.parametrize(
    "content",
    [
        EXCEL,
        "Menge;Preis, EUR;target\n1;12,50;0\n2;13,75;1\n",
        "a;b;target\n1;x,y;0\n2;z|t;1\n",
    ],
)
def test_a_file_that_is_as_the_settings_say_is_read(content: str, tmp_path: Path) -> None:
    chosen = settings(tmp_path, csv_separator=";", csv_decimal=",")
    schema = read_schema_from([put(tmp_path, content.encode(), "0.csv")], chosen)
    assert len(schema.columns) == 2


def test_a_later_file_is_refused_for_the_same_reason(tmp_path: Path) -> None:
    chosen = settings(tmp_path)
    schema = read_schema_from(
        [put(tmp_path, b"Menge,Preis,target\n1,2,0\n2,3,1\n", "0.csv")], chosen
    )
    tables = TableStore(tmp_path / "tables", chosen)
    with pytest.raises(UnreadableFileError, match="separated by semicolons, not by commas"):
        tables.validate(put(tmp_path, EXCEL.encode(), "1.csv"), schema)


@pytest.mark.parametrize(
    ("content", "told", "changed"),
    [
        (
            'a,target\n"12,50",0\n',
            "'12,50' in column 'a' is not a number (CSV_DECIMAL=, if every file is written so)",
            {},
        ),
        (
            "a;target\n12.50;0\n",
            "'12.50' in column 'a' is not a number (CSV_DECIMAL=. if every file is written so)",
            {"csv_separator": ";", "csv_decimal": ","},
        ),
        ("a,target\ntwelve,0\n", "'twelve' in column 'a' is not a number", {}),
    ],
)
def test_a_number_in_another_decimal_mark_is_refused_with_the_setting_that_reads_it(
    content: str, told: str, changed: dict[str, Any], tmp_path: Path
) -> None:
    chosen = settings(tmp_path, **changed)
    separator = chosen.csv_separator
    known = f"a{separator}target\n1{separator}0\n2{separator}1\n"
    schema = read_schema_from([put(tmp_path, known.encode(), "0.csv")], chosen)
    with pytest.raises(UnreadableFileError) as refusal:
        TableStore(tmp_path / "tables", chosen).validate(
            put(tmp_path, content.encode(), "1.csv"), schema
        )
    assert str(refusal.value).endswith(told)
