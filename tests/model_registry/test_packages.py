"""Which packages a version was made with, and what is installed here."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from retraining.model_registry.packages import packages_then_and_now, what_differs

if TYPE_CHECKING:
    from pathlib import Path


def test_each_pinned_package_comes_with_the_version_then_and_the_one_now() -> None:
    found = packages_then_and_now("scikit-learn==1.0\nno-such-package==3\nmlflow\n# numpy==1\n")
    assert found == {
        "scikit-learn": ("1.0", version("scikit-learn")),
        "no-such-package": ("3", None),
    }


def test_only_what_differs_is_told(tmp_path: Path) -> None:
    assert what_differs(tmp_path) == ""
    same = f"numpy=={version('numpy')}\n"
    (tmp_path / "requirements.txt").write_text(same + "scikit-learn==1.0\nnothing==2\n")
    expected = f"scikit-learn 1.0 (here {version('scikit-learn')}), nothing 2 (here none)"
    assert what_differs(tmp_path) == expected
