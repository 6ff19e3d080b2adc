"""Settings: the environment beats `.env`, which beats the defaults.

Everything wrong is named at once, secrets never.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retraining import cli
from retraining.errors import SettingsError, UsageError
from retraining.metrics import METRICS
from retraining.settings import (
    CLONE,
    READINGS,
    SETTING_NAMES,
    Settings,
    deciding_digest,
    load,
    spelled_out,
)

EXAMPLE = CLONE / ".env.example"
ABSENT_BY_DEFAULT = {
    "POSITIVE_CLASS", "MAX_TRAINING_ROWS", "MIN_MODEL_ACCURACY", "MIN_MODEL_ROC_AUC",
    "MIN_MODEL_F1", "SLICE_COLUMNS", "IGNORE_COLUMNS",
    "MONGO_URI", "DATABASE_NAME", "COLLECTION_NAME", "HEALTHCHECK_URL", "WEBHOOK_URL",
    "WEBHOOK_SECRET", "METRICS_TEXTFILE",
    "CYCLE_EVERY_SECONDS", "RATE_LIMIT", "ALLOWED_HOSTS", "JWT_SECRET", "JWT_PUBLIC_KEY_FILE",
    "JWT_AUDIENCE",
    "PREDICTION_RETENTION_DAYS", "LABEL_IF_SILENT", "MAX_TRAINING_MEMORY", "ENGINE",
}  # fmt: skip
DECIDING = {
    "TARGET_COLUMN", "IGNORE_COLUMNS", "POSITIVE_CLASS", "CSV_SEPARATOR", "CSV_DECIMAL",
    "CSV_ENCODING", "METRIC", "RETRAIN_THRESHOLD",
    "RETRAIN_WHEN", "RETRAIN_INTERVAL_DAYS", "PROMOTE_WHEN", "MIN_IMPROVEMENT", "CONFIDENCE",
    "MIN_TEST_ROWS", "HOLDOUT_FRACTION",
    "TRAIN_WINDOW", "MAX_TRAINING_ROWS", "MIN_MODEL_ACCURACY", "MIN_MODEL_ROC_AUC", "MIN_MODEL_F1",
    "SLICE_COLUMNS", "SLICE_MAX_LOSS",
}  # fmt: skip


def problems(project: Path, **environment: str) -> str:
    with pytest.raises(SettingsError) as raised:
        load(project, environment)
    return "\n".join(raised.value.problems)


def example_lines(pattern: str) -> dict[str, str]:
    return dict(re.findall(pattern, EXAMPLE.read_text(), re.MULTILINE))


# --- where values come from -----------------------------------------------------------------------


def test_the_environment_beats_the_file_which_beats_the_defaults(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("MIN_NEW_FILES=4\nMODEL_NAME=from-file\n")
    settings = load(tmp_path, {"MODEL_NAME": "from-environment"})
    assert (settings.model_name, settings.min_new_files, settings.production_alias) == (
        "from-environment",
        4,
        "production",
    )


def test_a_wrong_value_of_the_environment_is_told_to_stand_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("MIN_NEW_FILES=3\nCONFIDENCE=2\n")
    monkeypatch.setenv("MIN_NEW_FILES", "many")
    monkeypatch.delenv("CONFIDENCE", raising=False)
    with pytest.raises(SettingsError) as raised:
        load(tmp_path, {"MIN_NEW_FILES": "many"})
    told = {problem.split(":")[0]: problem for problem in raised.value.problems}
    from_there = "(MIN_NEW_FILES is set in the environment, which beats .env)"
    assert told["MIN_NEW_FILES"].endswith(from_there)
    assert "environment" not in told["CONFIDENCE"]


def test_an_empty_value_counts_as_absent(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("MIN_NEW_FILES=\nPOSITIVE_CLASS=\n")
    settings = load(tmp_path, {"METRIC": " "})
    assert (settings.min_new_files, settings.positive_class, settings.metric) == (
        15,
        None,
        "accuracy",
    )


def test_an_empty_value_in_the_environment_leaves_the_one_in_the_file(tmp_path: Path) -> None:
    """A workflow hands on each secret that is not set as an empty text."""
    (tmp_path / ".env").write_text("MLFLOW_TRACKING_URI=http://mlflow.example:5000\n")
    settings = load(tmp_path, {"MLFLOW_TRACKING_URI": ""})
    assert settings.mlflow_tracking_uri == "http://mlflow.example:5000"


def test_an_empty_line_of_a_policy_asks_for_the_default(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("MIN_NEW_FILES=7\n")
    settings = load(tmp_path, {"MIN_NEW_FILES": "9"}, policy={"MIN_NEW_FILES": ""})
    assert settings.min_new_files == 15


def test_an_empty_name_that_is_not_ours_takes_the_files_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("MLFLOW_TRACKING_USERNAME=job\n")
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "")
    for name, value in cli.ENVIRONMENT_DEFAULTS.items():
        monkeypatch.setenv(name, value)
    asked = argparse.Namespace(project=tmp_path, env_file=None, command="status")
    cli._settings(asked)
    assert os.environ["MLFLOW_TRACKING_USERNAME"] == "job"


def test_paths_and_the_default_store_are_the_projects_wherever_the_job_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    settings = load(tmp_path, {"NEW_DATA_DIR": "in", "USED_DATA_DIR": "/archive"})
    assert settings.new_data_dir == tmp_path / "in"
    assert settings.used_data_dir == Path("/archive")
    assert (
        settings.mlflow_tracking_uri == f"sqlite:///{tmp_path}/mlflow_server/backend_db/mlflow.db"
    )


@pytest.mark.parametrize(
    ("value", "typed"),
    [("", "used_data"), ("rows/old", "rows/old"), ("/mnt/my rows/used", "'/mnt/my rows/used'")],
)
def test_advice_names_the_archive_where_it_is(tmp_path: Path, value: str, typed: str) -> None:
    settings = load(tmp_path, {"USED_DATA_DIR": value, "RETRAIN_THRESHOLD": "0.8"})
    advice = "`python register_first_model.py --train-from used_data --set-alias`"
    told = spelled_out(advice, settings)
    assert f"--train-from {typed} --set-alias" in told
    assert spelled_out(told, settings) == told


def test_a_relative_sqlite_store_lies_in_the_project(tmp_path: Path) -> None:
    assert (
        load(tmp_path, {"MLFLOW_TRACKING_URI": "sqlite:///x.db"}).mlflow_tracking_uri
        == f"sqlite:///{tmp_path}/x.db"
    )
    assert (
        load(tmp_path, {"MLFLOW_TRACKING_URI": "sqlite:////srv/x.db"}).mlflow_tracking_uri
        == "sqlite:////srv/x.db"
    )


def test_the_prediction_log_is_a_sqlite_file_of_the_project_or_a_database_servers(
    tmp_path: Path,
) -> None:
    assert load(tmp_path).prediction_log_file == tmp_path / "predictions/predictions.db"
    odd = tmp_path / "50 %? of all"
    odd.mkdir()
    assert load(odd).prediction_log_file == odd / "predictions/predictions.db"
    elsewhere = load(tmp_path, {"PREDICTION_LOG_URI": "postgresql://me:hunter22@db/log"})
    assert elsewhere.prediction_log_file is None
    assert "hunter22" in elsewhere.secrets()


@pytest.mark.parametrize(
    ("text", "window"),
    [("all", None), ("ALL", None), ("8", (8, 0)), ("8+16", (8, 16)), ("4+8", (4, 8))],
)
def test_a_training_window_is_a_number_of_batches_with_or_without_a_sample_of_older_ones(
    tmp_path: Path, text: str, window: tuple[int, int] | None
) -> None:
    assert load(tmp_path, {"TRAIN_WINDOW": text}).train_window == window


@pytest.mark.parametrize("seed_name", ["MIN_DATA_FOR_TRAINING", "MIN_NEW_DATA_THRESHOLD"])
def test_the_older_names_of_the_row_gate_are_read(tmp_path: Path, seed_name: str) -> None:
    (tmp_path / ".env").write_text(f"{seed_name}=700\n")
    assert load(tmp_path).min_new_rows == 700


def test_another_settings_file_may_be_named_and_must_be_there(tmp_path: Path) -> None:
    (tmp_path / "night.env").write_text("MIN_NEW_FILES=9\n")
    assert load(tmp_path, env_file=tmp_path / "night.env").min_new_files == 9
    with pytest.raises(UsageError, match=r"absent\.env is not there"):
        load(tmp_path, env_file=tmp_path / "absent.env")


def test_a_project_that_is_not_there_is_an_error_of_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere is not there"):
        load(tmp_path / "nowhere")


def test_a_project_without_a_recipe_uses_the_shipped_one(tmp_path: Path) -> None:
    assert load(tmp_path).recipe_path == CLONE / "train_classification_model.py"
    (tmp_path / "train_classification_model.py").touch()
    assert load(tmp_path).recipe_path == tmp_path / "train_classification_model.py"


# --- what is wrong --------------------------------------------------------------------------------


def test_everything_wrong_is_named_at_once_with_what_was_expected(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("RETRAIN_TRESHOLD=0.7\nHOLDOUT_FRACTION=seven\nnot a setting\n")
    said = problems(tmp_path, MIN_NEW_FILES="-1", PROMOTE_WHEN="perhaps")
    assert "RETRAIN_TRESHOLD: unknown; did you mean RETRAIN_THRESHOLD?" in said
    assert "HOLDOUT_FRACTION: 'seven' is not a number between 0 and 1" in said
    assert "MIN_NEW_FILES: '-1' is not a whole number of 1 or more" in said
    assert "PROMOTE_WHEN: 'perhaps' is not one of better, unless_worse, significant, manual" in said
    assert ".env line 3: not NAME=value" in said


def test_a_slip_in_a_word_is_named_with_what_it_may_have_meant(tmp_path: Path) -> None:
    said = problems(tmp_path, METRIC="rocauc", RETRAIN_WHEN="treshold,drift,often")
    assert "(did you mean roc_auc?)" in said
    assert "(did you mean threshold?)" in said
    assert said.count("did you mean") == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MIN_NEW_FILES", "0"), ("MIN_NEW_FILES", "1.5"), ("MIN_NEW_FILES", "\u0661\u0665"),
        ("MIN_NEW_FILES", "1_000"),
        ("MIN_FILE_AGE_SECONDS", "-1"), ("MIN_FILE_AGE_SECONDS", "nan"),
        ("MIN_FILE_AGE_SECONDS", "inf"),
        ("HOLDOUT_FRACTION", "0"), ("HOLDOUT_FRACTION", "1"), ("CONFIDENCE", "1"),
        ("CONFIDENCE", "0.5"), ("CONFIDENCE", "95"),
        ("METRIC", "acuracy"), ("RETRAIN_WHEN", "threshold,now"), ("RETRAIN_WHEN", ","),
        ("TRAIN_WINDOW", "0"),
        ("TRAIN_WINDOW", "8+"), ("TRAIN_WINDOW", "8+0"), ("TRAIN_WINDOW", "none"),
        ("CSV_SEPARATOR", ";;"), ("CSV_SEPARATOR", '"'), ("CSV_ENCODING", "utf-9"),
        ("AUTO_RETRAIN_ENABLED", "perhaps"),
        ("MLFLOW_TRACKING_URI", "file:///tmp/mlruns"), ("MLFLOW_TRACKING_URI", "./mlruns"),
        ("MLFLOW_TRACKING_URI", "foo://x"),
        ("MLFLOW_TRACKING_URI", "databricks"), ("MLFLOW_TRACKING_URI", "sqlite://mlflow.db"),
        ("PRODUCTION_ALIAS", "latest"),
        ("PRODUCTION_ALIAS", "v1"), ("PRODUCTION_ALIAS", "challenger"), ("MODEL_NAME", "a/b"),
        ("MAX_TRAINING_ROWS", "0"),
        ("MAX_TRAINING_MEMORY", "0"), ("MAX_TRAINING_MEMORY", "8 gigabytes"),
        ("MAX_TRAINING_MEMORY", "-1G"), ("MAX_TRAINING_MEMORY", "1,5G"),
        ("MAX_TRAINING_MEMORY", "0.5"),
        ("MIN_MODEL_ACCURACY", "70"), ("MAX_UNLABELLED_SHARE", "5"),
        ("WEBHOOK_URL", "example.org"), ("LOG_FORMAT", "xml"),
        ("PREDICTION_LOG_URI", "mysql://db/log"), ("PREDICTION_LOG_WHEN_FULL", "wait"),
        ("RELOAD_SECONDS", "0"),
        ("MAX_REQUEST_ROWS", "0"), ("RATE_LIMIT", "0"), ("LABEL_WAIT_DAYS", "-1"),
        ("JWT_SECRET", "short"),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_used_is_named(tmp_path: Path, name: str, value: str) -> None:
    assert problems(tmp_path, **{name: value}).startswith(f"{name}: ")


def test_a_misspelt_metric_is_one_problem(tmp_path: Path) -> None:
    said = problems(tmp_path, METRIC="accurracy")
    assert "METRIC: 'accurracy'" in said
    assert "RETRAIN_THRESHOLD" not in said


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        (
            {"METRIC": "f1"},
            "RETRAIN_THRESHOLD: required, since RETRAIN_WHEN has threshold and METRIC",
        ),
        ({"METRIC": "f1", "RETRAIN_WHEN": "drop,adaptive"}, None),
        ({"METRIC": "f1", "RETRAIN_THRESHOLD": "80"}, "80 is not between 0 and 1"),
        (
            {"METRIC": "neg_log_loss", "RETRAIN_THRESHOLD": "0.5"},
            "0.5 is not between -inf and 0, as neg_log_loss is",
        ),
        ({"CSV_SEPARATOR": ";", "CSV_DECIMAL": ","}, None),
        ({"CSV_DECIMAL": ","}, "CSV_SEPARATOR and CSV_DECIMAL"),
        ({"IGNORE_COLUMNS": "id,target"}, "IGNORE_COLUMNS: names the target column"),
        ({"MONGO_URI": "mongodb://db"}, "set all three or none; set now: MONGO_URI"),
        ({"USED_DATA_DIR": "./new_data/"}, "must be three different folders"),
        ({"METRIC": "neg_log_loss", "RETRAIN_THRESHOLD": "-0.7"}, None),
        ({"JWT_SECRET": "s" * 32}, "JWT_AUDIENCE: required, since JWT_SECRET is set"),
        ({"JWT_AUDIENCE": "us"}, "JWT_AUDIENCE: needs JWT_SECRET or JWT_PUBLIC_KEY_FILE"),
        ({"JWT_SECRET": "s" * 32, "JWT_PUBLIC_KEY_FILE": "k", "JWT_AUDIENCE": "us"}, "set one of"),
        ({"LABEL_IF_SILENT": "ok"}, None),
        (
            {
                "LABEL_IF_SILENT": "ok",
                "LABEL_WAIT_DAYS": "30",
                "PREDICTION_RETENTION_DAYS": "29",
            },
            "PREDICTION_RETENTION_DAYS: 29 is less than LABEL_WAIT_DAYS=30",
        ),
        ({"LABEL_WAIT_DAYS": "30", "PREDICTION_RETENTION_DAYS": "29"}, None),
    ],
)
def test_settings_that_contradict_each_other_are_named(
    tmp_path: Path, environment: dict[str, str], said: str | None
) -> None:
    if said is None:
        load(tmp_path, environment)
    else:
        assert said in problems(tmp_path, **environment)


def test_who_decides_nothing_is_asked_for_no_threshold(tmp_path: Path) -> None:
    settings = load(tmp_path, {"METRIC": "f1"}, decides=False)
    assert settings.retrain_when == ("threshold", "drop", "adaptive")


def test_a_threshold_is_shown_only_where_it_decides(tmp_path: Path) -> None:
    given = {"RETRAIN_THRESHOLD": "0.7"}
    assert load(tmp_path, given).threshold_that_decides == 0.7
    assert load(tmp_path, {**given, "RETRAIN_WHEN": "drop"}).threshold_that_decides is None


@pytest.mark.parametrize("name", ["MLFLOW_TRACKING_URI", "PREDICTION_LOG_URI"])
def test_postgresql_is_spoken_to_by_psycopg_3(tmp_path: Path, name: str) -> None:
    settings = load(tmp_path, {name: "postgresql://me@db/x"})
    assert getattr(settings, name.lower()) == "postgresql+psycopg://me@db/x"


def test_the_value_of_a_secret_is_never_shown(tmp_path: Path) -> None:
    assert "s3cret" not in problems(tmp_path, WEBHOOK_URL="s3cret", HEALTHCHECK_URL="s3cret")
    settings = load(
        tmp_path,
        {
            "MLFLOW_TRACKING_URI": "https://me:hunter22@mlflow.example.org",
            "WEBHOOK_SECRET": "s3cret",
        },
    )
    assert {"hunter22", "s3cret"} <= set(settings.secrets())


def test_names_that_are_not_ours_are_passed_on_and_misspelt_ones_are_not(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("AWS_REGION=eu-1\nMLFLOW_TRACKING_USERNAME=me\nPATH=/opt\n")
    assert dict(load(tmp_path).passed_on) == {
        "AWS_REGION": "eu-1",
        "MLFLOW_TRACKING_USERNAME": "me",
        "PATH": "/opt",
    }


@given(
    values=st.dictionaries(
        st.sampled_from(SETTING_NAMES),
        st.text(st.characters(exclude_characters="\0"), max_size=12),
        max_size=5,
    )
)
def test_no_value_ends_in_anything_but_settings_or_a_list_of_problems(
    values: dict[str, str],
) -> None:
    with contextlib.suppress(SettingsError):
        assert isinstance(load(CLONE / "retraining", values), Settings)


@pytest.mark.parametrize(
    "text",
    ["spark", "dask://host", "dask:8786", "tcp://host:1", "dask://host:99999", "tls://host:0"],
)
def test_an_engine_is_dask_here_or_at_an_address(tmp_path: Path, text: str) -> None:
    assert "ENGINE" in problems(tmp_path, ENGINE=text)


def test_an_engine_without_its_package_is_refused_with_the_line_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load(tmp_path, {"ENGINE": "tls://host:8786"}).engine == "tls://host:8786"
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    said = problems(tmp_path, ENGINE="dask")
    assert "pip install" in said
    assert "requirements-scale.txt" in said


@pytest.mark.parametrize(
    ("text", "size"),
    [("4096", 4096), ("2K", 2048), ("3m", 3 * 2**20), ("8G", 2**33), ("1.5GB", 3 * 2**29)],
)
def test_memory_is_told_in_bytes_or_with_a_unit(tmp_path: Path, text: str, size: int) -> None:
    assert load(tmp_path, {"MAX_TRAINING_MEMORY": text}).max_training_memory == size


# --- what decides ---------------------------------------------------------------------------------


def test_the_deciding_settings_are_those_of_the_contract() -> None:
    assert {name.upper() for name, reading in READINGS.items() if reading.deciding} == DECIDING


def test_the_deciding_digest_follows_deciding_settings_and_the_recipe_and_nothing_else(
    tmp_path: Path,
) -> None:
    recipe = tmp_path / "train_classification_model.py"
    recipe.write_text("one")
    before = deciding_digest(load(tmp_path))
    assert deciding_digest(load(tmp_path, {"MIN_NEW_FILES": "3", "LOG_LEVEL": "debug"})) == before
    assert deciding_digest(load(tmp_path, {"RETRAIN_THRESHOLD": "0.81"})) != before
    recipe.write_text("two")
    assert deciding_digest(load(tmp_path)) != before


# --- .env.example ---------------------------------------------------------------------------------


def test_the_example_names_every_setting_and_no_other() -> None:
    assert sorted(example_lines(r"^(?:# )?([A-Z][A-Z0-9_]+)=(.*)$")) == sorted(SETTING_NAMES)


def test_the_example_can_be_used_as_it_is(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(EXAMPLE.read_text())
    assert load(tmp_path).metric in METRICS


def test_what_the_example_comments_out_are_the_defaults_or_else_examples_that_load(
    tmp_path: Path,
) -> None:
    commented = example_lines(r"^# ([A-Z][A-Z0-9_]+)=(.*)$")
    del commented["JWT_PUBLIC_KEY_FILE"]  # the other way to sign; both together are refused
    (tmp_path / ".env").write_text(
        "".join(f"{name}={value}\n" for name, value in commented.items())
    )
    told = load(tmp_path)
    (tmp_path / ".env").unlink()
    default = load(tmp_path)
    for name in commented.keys() - ABSENT_BY_DEFAULT:
        assert getattr(told, name.lower()) == getattr(default, name.lower()), name
    for name in ABSENT_BY_DEFAULT:
        assert not getattr(default, name.lower()), name
