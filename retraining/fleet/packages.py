"""Loads what a cycle needs, so that children forked later have it.

It opens nothing and starts nothing.
"""

from __future__ import annotations

import gc
import os
from contextlib import suppress
from functools import cache
from importlib import import_module
from pkgutil import walk_packages

ROOMS = (
    "cycle",
    "datasets",
    "inbox",
    "model_registry",
    "notices",
    "report",
    "statistics",
    "trainer",
)


@cache
def load_packages(environment: tuple[tuple[str, str], ...]) -> None:
    """Import every module that a cycle may use, at the first call, with these names set.

    What cannot be loaded is left to the children: each meets the same error and says it in its
    three lines.
    """
    os.environ.update(environment)
    with suppress(Exception):
        for room in ROOMS:
            package = import_module(f"retraining.{room}")
            for module in walk_packages(package.__path__, f"{package.__name__}."):
                import_module(module.name)
    gc.collect()
    gc.freeze()  # a child's collector would otherwise touch, and so copy, every page
