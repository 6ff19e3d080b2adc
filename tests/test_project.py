"""A project at work: its parts, opened when they are asked for.

And the same parts where they only read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from retraining import settings as settings_module
from retraining.cycle.job import Job
from retraining.folders.local_state import ReadOnlyState
from retraining.model_registry.dry_run import ReadOnlyRegistry
from retraining.project import Project
from tests import projects

if TYPE_CHECKING:
    from pathlib import Path

    from retraining.settings import Settings

MONGODB = {"MONGO_URI": "mongodb://127.0.0.1:1", "DATABASE_NAME": "shop", "COLLECTION_NAME": "rows"}


def settings_of(folder: Path, **more: str) -> Settings:
    made = projects.Project.made(folder, **more)
    return settings_module.load(made.folder, {})


def test_opening_one_opens_neither_registry_nor_tables(tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "project")
    Project.open(settings)
    assert not (settings.project / "mlflow_server").exists()
    assert not settings.state_dir.exists()


def test_each_part_is_opened_once(tmp_path: Path) -> None:
    project = Project.open(settings_of(tmp_path / "project"))
    assert project.tables is project.tables
    assert project.registry is project.registry


def test_what_only_reads_has_no_source_to_export_from(tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "project", **MONGODB)
    assert len(Project.open(settings).sources) == 1
    assert Project.open(settings, read_only=True).sources == ()


def test_a_dry_run_is_a_job_whose_every_part_only_reads(tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "project")
    job = Job.open(settings, read_only=True, dry_run=True)
    assert isinstance(job.state, ReadOnlyState)
    assert isinstance(job.registry, ReadOnlyRegistry)
    job.begin()
    job.state.write("gate", {"judged": {}})
    job.state.mark_clean()
    assert job.inbox.claims.is_relative_to(settings.state_dir)
    assert not job.state.is_clean
    assert job.state.read("gate") is None


def test_the_deciding_digest_follows_settings_and_recipe(tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "project")
    before = Project.open(settings).deciding
    assert Project.open(settings).deciding == before
    (settings.project / "train_classification_model.py").write_text("# another recipe\n")
    assert Project.open(settings).deciding != before
