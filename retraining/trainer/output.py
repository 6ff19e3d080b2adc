"""Keeps what a recipe prints away from stdout, which belongs to the job's own results."""

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
STDOUT = 1
MOST_LINES = 1_000
LONGEST_LINE = 500


@contextmanager
def stdout_to_log() -> Iterator[None]:
    """Send to the log what is printed meanwhile, by Python, by compiled code or by a child process
    alike.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as spool:
        try:
            with _descriptor_on(spool), redirect_stdout(spool):
                yield
        finally:
            _log_lines_of(spool)


@contextmanager
def _descriptor_on(spool: TextIO) -> Iterator[None]:
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
        LOG.info(
            "the recipe printed: %s",
            "".join(c if c.isprintable() else " " for c in line[:LONGEST_LINE]).strip(),
        )
    if spool.readline():
        LOG.info("the recipe printed more than %d lines: the rest is left out", MOST_LINES)
