"""Files that are not those that were registered are refused before anything in them is run."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import cloudpickle
import numpy as np
import pytest

from retraining.errors import DamagedModelError, RecipeError, StoreError
from retraining.model_registry.artifacts import folder_digest, local_folder
from retraining.model_registry.mlflow_registry import MlflowRegistry
from retraining.records import Marks
from tests.model_registry.samples import ROWS, STARTED, candidate, project, project_on

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from retraining.records import VersionFacts
    from retraining.settings import Settings


class Hostile:
    """A pickle that leaves a trace when it is loaded."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.trace,)


def two_versions(settings: Settings) -> MlflowRegistry:
    """A registry whose second version replaced the first."""
    registry = MlflowRegistry(settings)
    run_id = registry.begin_cycle("cycle-1", STARTED)
    registry.register(candidate("cycle-1"), parent=run_id, run_name="ModelRetraining")
    second = candidate(
        "cycle-2",
        labels=(1, 1, 0, 0),
        marks=Marks(status="approved", previous=1),
    )
    registry.register(second, parent=run_id, run_name="ModelRetraining")
    return registry


@pytest.fixture
def registry(on_sqlite: Settings) -> MlflowRegistry:
    return two_versions(on_sqlite)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Settings:
    """A project with two versions, made once; `damaged` puts its artifacts back."""
    settings = project_on(empty_store, tmp_path_factory.mktemp("shelf"))
    two_versions(settings)
    shutil.copytree(settings.project / "mlflow_server" / "artifacts", settings.project / "backup")
    return settings


@pytest.fixture
def damaged(shelf: Settings) -> Iterator[MlflowRegistry]:
    yield MlflowRegistry(shelf)
    shutil.rmtree(shelf.project / "mlflow_server" / "artifacts")
    shutil.copytree(shelf.project / "backup", shelf.project / "mlflow_server" / "artifacts")


def version(registry: MlflowRegistry, number: int) -> VersionFacts:
    found = registry.version(number)
    assert found is not None
    return found


def files_of(registry: MlflowRegistry, number: int) -> Path:
    folder = local_folder(version(registry, number).source)
    assert folder is not None
    return folder


def truncate(model: Path, trace: Path) -> None:
    model.write_bytes(model.read_bytes()[:-100])


def flip_a_bit(model: Path, trace: Path) -> None:
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(content)


def swap_in_a_hostile_pickle(model: Path, trace: Path) -> None:
    model.write_bytes(cloudpickle.dumps(Hostile(trace)))


def swap_in_the_other_version(model: Path, trace: Path) -> None:
    other = next(path for path in model.parents[2].glob("*/artifacts/model.pkl") if path != model)
    shutil.copy(other, model)


def delete_the_model(model: Path, trace: Path) -> None:
    model.unlink()


def delete_the_folder(model: Path, trace: Path) -> None:
    shutil.rmtree(model.parent)


def rename_a_file(model: Path, trace: Path) -> None:
    (model.parent / "conda.yaml").rename(model.parent / "conda.yml")


def add_a_file(model: Path, trace: Path) -> None:
    (model.parent / "sitecustomize.py").write_text("print('hello')")


def let_mlmodel_name_other_code(model: Path, trace: Path) -> None:
    path = model.parent / "MLmodel"
    path.write_text(path.read_text().replace("mlflow.sklearn", "antigravity"))


@pytest.mark.parametrize(
    "damage",
    [
        truncate,
        flip_a_bit,
        swap_in_a_hostile_pickle,
        swap_in_the_other_version,
        delete_the_model,
        delete_the_folder,
        rename_a_file,
        add_a_file,
        let_mlmodel_name_other_code,
    ],
)
def test_damaged_files_are_refused_before_they_are_loaded(
    damage: Callable[[Path, Path], None], damaged: MlflowRegistry, tmp_path: Path
) -> None:
    trace = tmp_path / "loaded"
    damage(files_of(damaged, 2) / "model.pkl", trace)
    with pytest.raises(DamagedModelError) as caught:
        damaged.model(version(damaged, 2))
    what, _, remedy = caught.value.lines()
    assert "version 2" in what
    assert "python pipeline_orchestrator.py rollback --to 1" in remedy
    assert not trace.exists()
    np.testing.assert_array_equal(damaged.model(version(damaged, 1)).predict(ROWS), [0, 1, 0, 1])


def test_the_hostile_pickle_would_leave_its_trace(tmp_path: Path) -> None:
    cloudpickle.loads(cloudpickle.dumps(Hostile(tmp_path / "loaded")))
    assert (tmp_path / "loaded").exists()


def test_what_loading_leaves_beside_a_model_is_no_damage(damaged: MlflowRegistry) -> None:
    (files_of(damaged, 2) / "registered_model_meta").write_text("model_name: classifier\n")
    (files_of(damaged, 2) / "code" / "__pycache__").mkdir(parents=True)
    (files_of(damaged, 2) / "code" / "__pycache__" / "x.pyc").write_bytes(b"compiled")
    damaged.model(version(damaged, 2))


def test_loading_leaves_nothing_behind(damaged: MlflowRegistry, shelf: Settings) -> None:
    before = sorted(shelf.project.rglob("*"))
    damaged.model(version(damaged, 2))
    assert sorted(shelf.project.rglob("*")) == before


@pytest.mark.parametrize("content", [None, b"", b'{"files": []}'])
def test_a_manifest_that_is_missing_or_changed_is_refused(
    content: bytes | None, damaged: MlflowRegistry, shelf: Settings
) -> None:
    run_id = version(damaged, 2).run_id
    path = next((shelf.project / "mlflow_server").rglob(f"{run_id}/artifacts/manifest.json"))
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    with pytest.raises(DamagedModelError, match=r"manifest.json of version 2"):
        damaged.manifest(version(damaged, 2))


def test_a_version_that_was_deleted_meanwhile_is_told(
    registry: MlflowRegistry, on_sqlite: Settings
) -> None:
    from mlflow import MlflowClient

    gone = version(registry, 2)
    MlflowClient(on_sqlite.mlflow_tracking_uri, on_sqlite.mlflow_tracking_uri).delete_model_version(
        "classifier", "2"
    )
    assert registry.version(2) is None
    with pytest.raises(StoreError, match="not in the registry any more"):
        registry.model(gone)


def test_a_version_that_cannot_be_loaded_here_needs_a_person(
    damaged: MlflowRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sklearn.tree", None)
    monkeypatch.setitem(__import__("sys").modules, "sklearn.tree._classes", None)
    with pytest.raises(DamagedModelError, match="cannot be loaded here"):
        damaged.model(version(damaged, 2))


def test_an_estimator_that_cannot_be_saved_is_the_recipes_fault(
    registry: MlflowRegistry, tmp_path: Path
) -> None:
    broken = candidate("cycle-3").estimator
    with (tmp_path / "file").open("w") as open_file:
        broken.handle = open_file
        with pytest.raises(RecipeError, match="cannot be saved"):
            registry.register(
                candidate("cycle-3", estimator=broken),
                parent=registry.begin_cycle("cycle-3", STARTED),
                run_name="ModelRetraining",
            )
    assert len(registry.versions()) == 2


def test_a_full_disk_is_an_error_of_the_store(
    registry: MlflowRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("retraining.model_registry.registration.save_estimator", no_space)
    with pytest.raises(StoreError, match="No space left") as caught:
        registry.register(
            candidate("cycle-3"),
            parent=registry.begin_cycle("cycle-3", STARTED),
            run_name="ModelRetraining",
        )
    assert "Free space" in caught.value.remedy


def test_the_digest_depends_on_names_and_contents_only(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "sub").mkdir(parents=True)
        (tmp_path / name / "sub" / "file").write_bytes(b"content")
    assert folder_digest(tmp_path / "one") == folder_digest(tmp_path / "two")
    (tmp_path / "two" / "sub" / "file").rename(tmp_path / "two" / "file")
    assert folder_digest(tmp_path / "one") != folder_digest(tmp_path / "two")


def test_a_project_without_a_store_stays_without_one(tmp_path: Path) -> None:
    registry = MlflowRegistry(project(tmp_path))
    assert registry.facts().aliases == {}
    assert registry.versions() == ()
    assert registry.cycle_records() == ()
    assert registry.open_runs() == 0
    assert list(tmp_path.iterdir()) == []
