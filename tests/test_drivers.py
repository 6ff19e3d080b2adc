"""A driver that is not installed is named with the line that installs it."""

from __future__ import annotations

import pytest

from retraining.drivers import missing_driver
from tests.projects import CLONE


@pytest.mark.parametrize(
    ("package", "installs", "address"),
    [
        ("psycopg", "requirements-postgres.txt", "postgresql+psycopg://"),
        ("psycopg2", "requirements-postgres.txt", "postgresql+psycopg://"),
        ("MySQLdb", "pip install pymysql", "mysql+pymysql://"),
        ("pymysql", "pip install pymysql", "mysql+pymysql://"),
        ("pyodbc", "pip install pyodbc", "mssql+pyodbc://"),
    ],
)
def test_a_missing_driver_is_named_with_the_line_and_the_address(
    package: str, installs: str, address: str
) -> None:
    found = missing_driver(ModuleNotFoundError(f"No module named '{package}'", name=package))
    assert found is not None
    assert found.package == package
    assert installs in found.remedy
    assert address in found.remedy


def test_it_is_found_behind_the_error_that_it_caused_too() -> None:
    error = RuntimeError("cannot make an engine")
    error.__cause__ = ImportError("no pq wrapper available.\nAttempts made: ...")
    found = missing_driver(error)
    assert found is not None
    assert found.package == "psycopg"


def test_a_package_that_is_no_driver_is_none() -> None:
    assert missing_driver(ModuleNotFoundError("No module named 'xgboost'", name="xgboost")) is None
    assert missing_driver(ValueError("psycopg")) is None


def test_the_file_that_the_line_names_is_there_and_pins_psycopg_3() -> None:
    text = (CLONE / "requirements-postgres.txt").read_text()
    assert "psycopg[binary]==3." in text
