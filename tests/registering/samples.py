"""Pickles for tests of registrations."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING
from unittest import mock

import pandas as pd

from train_classification_model import train_model

if TYPE_CHECKING:
    from tests.projects import Project


def pickle_of_version(project: Project, version: str) -> None:
    """Write `own.pkl` as another scikit-learn would say that it had written it."""
    rows = pd.concat(map(pd.read_csv, sorted(project.folder.glob("used_data/*.csv"))))
    model = train_model(rows.drop(columns="target"), rows["target"])
    with mock.patch("sklearn.base.__version__", version):
        (project.folder / "own.pkl").write_bytes(pickle.dumps(model))
