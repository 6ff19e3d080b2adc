"""The first lines of a service's log say what its folder lacks: a mistyped --project looks well."""

from __future__ import annotations

from typing import TYPE_CHECKING

import prediction_service
from retraining.settings import load

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.projects import Project


def test_a_folder_without_settings_and_store_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    prediction_service.say_what_is_missing(load(tmp_path, {}))
    no_env, no_store = (record.getMessage() for record in caplog.records)
    assert f"{tmp_path} has no .env" in no_env
    assert "no version holds the alias 'production'" in no_store
    assert "--set-alias`" in no_store


def test_a_project_with_a_model_is_told_nothing(
    registered: Project, caplog: pytest.LogCaptureFixture
) -> None:
    prediction_service.say_what_is_missing(load(registered.folder, {}))
    assert not caplog.records
