"""The examples in docstrings are true."""

from __future__ import annotations

import doctest
from importlib import import_module

import pytest

from tests.projects import CLONE

FOLDERS = ("retraining", "bench")
MODULES = sorted(
    ".".join(path.relative_to(CLONE).with_suffix("").parts)
    for folder in FOLDERS
    for path in CLONE.glob(f"{folder}/**/*.py")
    if ">>>" in path.read_text()
)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_do_what_they_show(name: str) -> None:
    told = doctest.testmod(import_module(name))
    assert told.attempted
    assert told.failed == 0
