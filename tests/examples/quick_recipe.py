"""The clinic's recipe without the families that take longest, for tests that do not depend on what
is searched.
"""

from __future__ import annotations


def without_the_slowest_models(recipe: str) -> str:
    """The text of the recipe with gradient boosting alone."""
    start = recipe.index('        {\n            "model": [RandomForest')
    slow = recipe[start : recipe.index("    if find_spec")]
    return recipe.replace(slow, "    ]\n").replace('find_spec("xgboost") is None', "True")
