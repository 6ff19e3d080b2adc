"""What has to be installed where a version is loaded, read from the recipe's imports (MLflow's own
inference takes seconds).
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
    from collections.abc import Iterator

    from retraining.trainer.loading import Recipe

# what any version is made of and fed with
ALWAYS = ("cloudpickle", "numpy", "pandas", "scikit-learn")
IN_ALWAYS = {"cloudpickle", "numpy", "pandas", "sklearn"}


def pip_requirements(recipe: Recipe) -> list[str]:
    """Return `name==version` lines, sorted, for the packages that the recipe and its helpers
    import, anywhere in their code.

    A package that is imported but not installed is left out: the recipe evidently did without.
    """
    files = [Path(module.__file__) for module in recipe.helpers.values() if module.__file__]
    texts = [
        recipe.text,
        *(
            decode_source(file.read_bytes())
            for file in files
            if file.suffix == ".py" and file.exists()
        ),
    ]
    imported = (
        {name for text in texts for name in _imported(text)}
        - set(recipe.helpers)
        - sys.stdlib_module_names
    )
    return requirements_of_packages(frozenset(imported))


def requirements_of_packages(imported: frozenset[str]) -> list[str]:
    """Return `name==version` lines, sorted, for the packages that bring these top-level modules,
    and for those of any version.
    """
    packages = {*ALWAYS, *_distributions_of(imported - IN_ALWAYS)}
    return [f"{name}=={metadata.version(name)}" for name in sorted(packages, key=str.lower)]


@functools.cache  # it opens the records of every package there is
def _distributions_of(imported: frozenset[str]) -> frozenset[str]:
    """Names of the distributions that brought these modules.

    Importlib.metadata takes every record apart, five times as slow.
    """
    if not imported:
        return frozenset()
    brings = re.compile(
        rf"^(?:{'|'.join(map(re.escape, imported))})(?:/|\.py,|\.[^/,]+\.so,|$)", re.MULTILINE
    )
    records = (
        (one, one.read_text("RECORD") or one.read_text("top_level.txt") or "")
        for one in metadata.distributions()
    )
    return frozenset(one.name for one, text in records if brings.search(text))


def _imported(text: str) -> Iterator[str]:
    """Yield the top-level names of the modules imported by absolute imports."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]
