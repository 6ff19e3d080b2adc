"""Production: who holds the alias, whether it is ours, and whether its files are all there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from retraining.cycle.production import find_production, how_to_assign, public_uri
from retraining.cycle.recovery import finish_what_a_dead_cycle_left
from retraining.errors import (
    ArchiveMismatchError,
    DamagedModelError,
    NoProductionModelError,
    SettingsError,
)
from retraining.model_registry.production import load_model
from tests.projects import tables

if TYPE_CHECKING:
    from retraining.model_registry.production import Model
    from retraining.records import Version
    from tests.cycle.desk import Desk


def found(desk: Desk, **settings: str) -> Model:
    job = desk.job(**settings)
    return find_production(job, finish_what_a_dead_cycle_left(job))


def test_the_holder_of_the_alias_brings_its_schema_and_what_it_learned(desk: Desk) -> None:
    model = found(desk)
    assert model.number == 1
    assert model.schema.names == ("speed", "load", "city")
    assert len(model.exposed) == 12
    assert set(model.learned) < model.exposed, "some files are reserved whole"


def test_without_a_holder_the_one_from_before_is_named_first(desk: Desk) -> None:
    desk.registry.drop_alias("production")
    with pytest.raises(NoProductionModelError) as error:
        found(desk)
    assert "version 1 (it held the alias last)" in error.value.remedy


def test_a_version_that_cannot_be_loaded_is_never_advised(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(version: Version) -> object:
        raise DamagedModelError(f"v{version.number} is cut short", remedy="Restore it.")

    desk.registry.drop_alias("production")
    monkeypatch.setattr(desk.registry, "model", damaged)
    with pytest.raises(NoProductionModelError) as error:
        found(desk)
    assert "version 1" not in error.value.remedy
    assert "--set-alias" in error.value.remedy


def test_a_store_file_that_is_not_there_is_said(desk: Desk) -> None:
    desk.registry.drop_alias("production")
    job = desk.job()
    recovered = finish_what_a_dead_cycle_left(job)
    empty = recovered._replace(facts=replace(recovered.facts, left=None))
    with pytest.raises(NoProductionModelError, match=r"a file that is not there: .*\?$") as error:
        find_production(job, empty)
    assert error.value.remedy.startswith("Bring it back")


def test_a_column_or_class_that_is_nowhere_is_a_settings_problem_with_the_nearest(
    desk: Desk,
) -> None:
    with pytest.raises(SettingsError) as error:
        found(desk, SLICE_COLUMNS="City", POSITIVE_CLASS="yes")
    columns, classes = error.value.problems
    assert columns == "SLICE_COLUMNS: 'City' is no column of v1; did you mean 'city'?"
    assert classes.startswith("POSITIVE_CLASS: 'yes' is no class of v1")


def test_a_missing_learned_file_is_named(desk: Desk) -> None:
    lost = min(desk.project.names("used_data"))
    (desk.project.folder / "used_data" / lost).unlink()
    with pytest.raises(ArchiveMismatchError, match=f"1 learned files.*{lost}"):
        found(desk)


def test_where_no_learned_file_is_here_another_project_is_suspected_and_forget_not_advised(
    desk: Desk,
) -> None:
    for path in (desk.project.folder / "used_data").iterdir():
        path.unlink()
    desk.project.deliver(*tables(3, seed=9), to="used_data", age=7200)
    with pytest.raises(ArchiveMismatchError) as error:
        found(desk)
    assert error.value.what.startswith("The registered model 'classifier' in sqlite:")
    assert "may belong to another project: not one of its 12 learned files" in error.value.what
    assert "set MODEL_NAME to a name of this project's own" in error.value.remedy
    assert "forget" not in error.value.remedy


def test_another_target_than_the_version_s_is_a_setting_s_problem(desk: Desk) -> None:
    with pytest.raises(SettingsError, match="TARGET_COLUMN: 'load', but v1 predicts 'target'"):
        found(desk, TARGET_COLUMN="load")


def test_a_metric_that_does_not_fit_the_classes_is_a_setting_s_problem(desk: Desk) -> None:
    with pytest.raises(SettingsError, match="METRIC"):
        found(desk, METRIC="top_k_accuracy", RETRAIN_THRESHOLD="0.7")


def test_a_version_that_is_not_there_is_no_model(desk: Desk) -> None:
    assert load_model(desk.job().registry, 7) is None


def test_the_advice_names_a_version_where_there_is_one() -> None:
    assert "version 3 (it served)" in how_to_assign("production", "classifier", 3, "it served")
    assert "--set-alias" in how_to_assign("production", "classifier")


def test_an_address_is_shown_without_its_password() -> None:
    assert public_uri("http://me:secret@host:5000/x") == "http://host:5000/x"
    assert public_uri("sqlite:////srv/a@b.db") == "sqlite:////srv/a@b.db"
