"""Sends what a recipe prints to the log: stdout is for the job's own results."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from contextlib import contextmanager, redirect_stdout
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

LOG = logging.getLogger(__name__)
STDOUT = 1  # its file descriptor
MOST_LINES = 1_000
LONGEST_LINE = 500  # characters


@contextmanager
def stdout_to_log() -> Iterator[None]:
    """Send to the log what is printed meanwhile, by Python, by compiled code or by a child process.

    The log has it at the end.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as spool:
        try:
            with _descriptor_on(spool), redirect_stdout(spool):
                yield
        finally:
            _log_lines_of(spool)


@contextmanager
def _descriptor_on(spool: TextIO) -> Iterator[None]:
    """Let the descriptor lead to the spool: compiled code and children write to no `sys.stdout`."""
    if sys.stdout is not None:  # None where the job was started with stdout closed
        sys.stdout.flush()
    before = os.dup(STDOUT)
    os.dup2(spool.fileno(), STDOUT)
    try:
        yield
    finally:
        spool.flush()
        os.dup2(before, STDOUT)
        os.close(before)


def _log_lines_of(spool: TextIO) -> None:
    spool.seek(0)
    for line in islice(spool, MOST_LINES):
        LOG.info("the recipe printed: %s", printable_only(line[:LONGEST_LINE]).strip())
    if spool.readline():
        LOG.info("the recipe printed more than %d lines: the rest is left out", MOST_LINES)


def printable_only(text: str) -> str:
    """A recipe's text with a space for each character that a terminal might obey, not show."""
    return "".join(c if c.isprintable() else " " for c in text)
