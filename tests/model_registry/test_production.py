"""A version with its manifest and model, as cycles and services take it: shown on the registry in
memory.
"""

from __future__ import annotations

import numpy as np
import pytest

from retraining.errors import DamagedModelError
from retraining.model_registry.memory import MemoryRegistry
from retraining.model_registry.production import Model, load_model
from retraining.records import Marks, Version
from tests.model_registry.samples import FILE, ROWS, STARTED, candidate


@pytest.fixture
def registry() -> MemoryRegistry:
    """With one version of ours."""
    registry = MemoryRegistry()
    run_id = registry.begin_cycle("cycle-1", STARTED)
    registry.register(candidate(), parent=run_id, run_name="FirstModel")
    return registry


def test_a_model_knows_its_schema_at_once_and_loads_when_it_is_asked(
    registry: MemoryRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[int] = []
    load = registry.model

    def noted(version: Version) -> object:
        loaded.append(version.number)
        return load(version)

    monkeypatch.setattr(registry, "model", noted)
    model = load_model(registry, 1)
    assert model is not None
    assert (model.number, model.schema.names) == (1, ("speed", "rain", "road"))
    assert loaded == []
    np.testing.assert_array_equal(model.estimator.predict(ROWS), [0, 1, 0, 1])
    assert model.estimator is model.estimator
    assert loaded == [1]


def test_a_model_knows_what_it_learned_and_which_files_were_there(registry: MemoryRegistry) -> None:
    model = load_model(registry, 1)
    assert model is not None
    assert model.learned == {FILE.sha256: ((1, 4),)}  # the first row was held out
    assert model.exposed == {FILE.sha256}


def test_a_version_of_somebody_else_and_one_that_is_not_there_are_no_models_of_ours(
    registry: MemoryRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load_model(registry, 2) is None
    monkeypatch.setattr(registry, "version", lambda number: Version(number, "run", "source"))
    assert load_model(registry, 1) is None


def test_a_version_that_was_deleted_cannot_be_taken(registry: MemoryRegistry) -> None:
    gone = Version(9, "run", "source", manifest_sha256="ab" * 32)
    with pytest.raises(DamagedModelError):
        Model.of(gone, registry)


def test_why_a_version_is_there_is_told_after_a_roll_back_too(registry: MemoryRegistry) -> None:
    def why() -> str:
        version = registry.version(1)
        assert version is not None
        return version.why

    assert why() == "it looked good"
    registry.mark(1, Marks(made_for="it looked good", reason="it failed", status="rolled_back"))
    assert why() == "it looked good"
    registry.mark(1, Marks(put_back="put back in place of v2 (v2 failed)"))
    assert why() == "put back in place of v2 (v2 failed); it had come as: it looked good"
    assert Version(1, "", "").why == ""
