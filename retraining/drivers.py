"""Database drivers that are installed only where a store needs them: which is missing, and the line
that installs it.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import NamedTuple

CLONE = Path(__file__).resolve().parent.parent
_PINNED = CLONE / "requirements-postgres.txt"
POSTGRES = (
    ("-c", str(CLONE / "constraints.txt"), "-r", str(_PINNED))
    if _PINNED.is_file()
    else ("psycopg[binary]",)  # installed from a wheel, which has no clone beside it
)


class MissingDriver(NamedTuple):
    """A package that a database address needs: its name, and what to do about it."""

    package: str
    remedy: str


class _Driver(NamedTuple):
    """What pip is told to install, and the beginning of the addresses that then work."""

    wanted: tuple[str, ...]
    address: str


_DRIVERS = {
    "psycopg": _Driver(POSTGRES, "postgresql+psycopg://"),
    "psycopg2": _Driver(POSTGRES, "postgresql+psycopg://"),
    "pymysql": _Driver(("pymysql",), "mysql+pymysql://"),
    "MySQLdb": _Driver(("pymysql",), "mysql+pymysql://"),
    "pyodbc": _Driver(("pyodbc",), "mssql+pyodbc://"),
    "pymssql": _Driver(("pymssql",), "mssql+pymssql://"),
}
_WITHOUT_ITS_LIBRARY = "no pq wrapper available"  # psycopg says so where libpq is not installed


def missing_driver(error: BaseException) -> MissingDriver | None:
    """The driver that an error, or what caused it, says cannot be imported.

    None where it says something else.
    """
    cause: BaseException | None = error
    while cause is not None:
        package = _package_named_by(cause)
        if package is not None:
            return MissingDriver(package, _how_to_install(package))
        cause = cause.__cause__ or cause.__context__
    return None


def _package_named_by(error: BaseException) -> str | None:
    if not isinstance(error, ImportError):
        return None
    if _WITHOUT_ITS_LIBRARY in str(error):
        return "psycopg"
    package = (error.name or "").partition(".")[0]
    return package if package in _DRIVERS else None


def _how_to_install(package: str) -> str:
    driver = _DRIVERS[package]
    line = shlex.join([sys.executable or "python3", "-m", "pip", "install", *driver.wanted])
    return f"Install it with `{line}`, and begin the address with {driver.address}"
