"""Shared by the commands with which people decide on a version (`approve`, `reject`, `rollback`).

How a version is named on the command line, which one waits, and who decided.
"""

from __future__ import annotations

import argparse
import getpass
from typing import TYPE_CHECKING

from retraining.errors import UsageError

if TYPE_CHECKING:
    from retraining.cycle.job import Recovered


def version_number(text: str) -> int:
    """The number of a version that was typed as `v7` or `7`; a type for argparse."""
    number = text.removeprefix("v")
    if not (number.isascii() and number.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is no version; name one as v7 or 7")
    return int(number)


def add_version_that_waits(command: argparse.ArgumentParser) -> None:
    """The version that waits may be named, so that no other one is approved or rejected by
    mistake.
    """
    command.add_argument(
        "version",
        nargs="?",
        type=version_number,
        metavar="vN",
        help="the version that you mean; an error if another one waits",
    )


def the_one_that_waits(recovered: Recovered, named: int | None) -> int:
    """The number of the version that waits for a person, which must be the one they named, if any.

    Raises:
        UsageError: no version waits, or it is another one.
    """
    waiting = recovered.facts.challenger
    if waiting is None:
        raise UsageError(
            "No version waits for approval.",
            remedy="`python pipeline_orchestrator.py explain` says how the last cycle ended.",
        )
    if named is not None and named != waiting:
        raise UsageError(
            f"v{named} does not wait for approval; v{waiting} does.",
            remedy="Name that one, or move the alias to another version in the MLflow UI.",
        )
    return waiting


def user_name() -> str:
    """The name of the user who started this process; `somebody` where the system has none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"
