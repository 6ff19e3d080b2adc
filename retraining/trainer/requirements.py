"""The packages that must be installed where a version is loaded, read from the recipe's imports.

MLflow's own inference would take seconds.
"""

from __future__ import annotations

import ast
import functools
import re
import sys
from importlib import metadata
from importlib.util import decode_source
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retraining.trainer.loading import Recipe

# that each version needs, whatever its recipe imports: distributions, then their modules
ALWAYS = ("cloudpickle", "numpy", "pandas", "scikit-learn")
IN_ALWAYS = {"cloudpickle", "numpy", "pandas", "sklearn"}


def pip_requirements(recipe: Recipe) -> list[str]:
    """The packages that the recipe and its helpers import, anywhere in their code.

    A package that is imported but not installed is left out: the recipe ran without it.

    Returns:
        Lines `name==version`, sorted by name.
    """
    imported = imported_modules(recipe.text)
    for helper in recipe.helpers.values():
        file = Path(helper.__file__ or "")
        if file.suffix == ".py" and file.exists():
            imported |= imported_modules(decode_source(file.read_bytes()))
    imported -= sys.stdlib_module_names | recipe.helpers.keys()
    return requirements_of_packages(frozenset(imported))


def requirements_of_packages(imported: frozenset[str]) -> list[str]:
    """The packages that bring these top-level modules, and those that each version needs.

    Returns:
        Lines `name==version`, sorted by name.
    """
    packages = {*ALWAYS, *_distributions_of(imported - IN_ALWAYS)}
    return [f"{name}=={metadata.version(name)}" for name in sorted(packages, key=str.lower)]


@functools.cache  # it opens the records of every package there is
def _distributions_of(imported: frozenset[str]) -> frozenset[str]:
    """Names of the distributions that brought these modules.

    `importlib.metadata.packages_distributions` would parse every line of every record, which takes
    longer than one search in its text.
    """
    if not imported:
        return frozenset()
    names = "|".join(map(re.escape, imported))
    brings = re.compile(rf"^(?:{names})(?:/|\.py,|\.[^/,]+\.so,|$)", re.MULTILINE)
    found = set()
    for one in metadata.distributions():
        record = one.read_text("RECORD") or one.read_text("top_level.txt") or ""
        if brings.search(record):
            found.add(one.name)
    return frozenset(found)


def imported_modules(text: str) -> set[str]:
    """Top-level names of the modules that Python code imports by absolute imports.

    >>> sorted(imported_modules("import os.path, sys; from . import beside"))
    ['os', 'sys']
    """
    modules: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            modules.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            modules.add(node.module)
    return {name.split(".")[0] for name in modules}
