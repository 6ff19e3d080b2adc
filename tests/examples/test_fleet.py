"""The simulated fleet: what its scenarios claim to be true is true of the rows that they write."""

from __future__ import annotations

import csv
import hashlib
import runpy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score

from retraining.trainer import check_recipe, load_recipe, train

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "adas"
FLEET = SimpleNamespace(**runpy.run_path(str(FOLDER / "data_simulator.py"), run_name="fleet"))
COLUMNS = [
    "record_id", "timestamp", "vehicle_speed_kmh", "distance_to_obstacle_m",
    "lane_departure_warning", "front_collision_warning",
    "driver_attention_level", "weather_conditions", "road_type", "light_conditions",
    "steering_angle_degrees", "accelerator_pedal_position",
    "brake_pedal_position", "gps_latitude", "gps_longitude", "intervention_needed",
]  # fmt: skip


def simulated(scenario: str, batch: int, rows: int = 4_000, **flags: object) -> pd.DataFrame:
    words = [
        word
        for name, value in flags.items()
        for word in (f"--{name.replace('_', '-')}", str(value))
    ]
    return FLEET.simulate(batch, rows, FLEET.parser().parse_args(["--scenario", scenario, *words]))


def as_read(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series]:
    """The columns that are learned, typed as the job hands them to a recipe."""
    X = table.drop(columns=["record_id", "timestamp", FLEET.TARGET])
    booleans = [name for name in X if X[name].dtype == bool]
    words = ["weather_conditions", "road_type", "light_conditions"]
    return (
        X.astype({**dict.fromkeys(booleans, float), **dict.fromkeys(words, "str")}),
        table[FLEET.TARGET],
    )


def disagreement(table: pd.DataFrame, rule: dict[str, object]) -> float:
    """The share of labels that a rule does not explain, over the readings whose sensors lost
    nothing.
    """
    whole = table.dropna()
    return float(np.mean(FLEET.needs_intervention(whole, rule, 0.25) != whole[FLEET.TARGET]))


def written(folder: Path, *flags: str) -> dict[str, str]:
    FLEET.main(["--into", str(folder), *flags])
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_a_batch_has_the_columns_values_and_share_that_were_asked_for() -> None:
    table = simulated("none", 0, rows=20_000)
    assert list(table) == COLUMNS
    assert set(table["weather_conditions"].dropna()) == {"Clear", "Rainy", "Foggy", "Snowy"}
    assert set(table["road_type"]) == {"Highway", "Urban", "Rural"}
    assert set(table["light_conditions"]) == {"Daylight", "Night", "Dusk/Dawn"}
    assert set(table[FLEET.TARGET]) == {0, 1}
    assert table["vehicle_speed_kmh"].between(0, 180).all()
    assert table["driver_attention_level"].dropna().between(0, 1).all()
    assert table[FLEET.TARGET].mean() == pytest.approx(0.25 * 0.95 + 0.75 * 0.05, abs=0.01)
    rare = simulated("none", 0, rows=20_000, imbalance=0.02, flip_probability=0)
    assert rare[FLEET.TARGET].mean() == pytest.approx(0.02, abs=0.005)


def test_some_values_are_lost_and_some_readings_are_sent_twice() -> None:
    table = simulated("none", 0, rows=20_000)
    assert table["driver_attention_level"].isna().mean() == pytest.approx(0.02, abs=0.005)
    repeated = table.duplicated()
    assert repeated.mean() == pytest.approx(0.005, abs=0.002)
    assert table["record_id"].duplicated().equals(repeated)


@pytest.mark.parametrize("flip", [0.0, 0.05, 0.2])
def test_labels_are_flipped_with_the_probability_given(flip: float) -> None:
    table = simulated("none", 3, rows=20_000, flip_probability=flip)
    assert disagreement(table, FLEET.OLD_RULE) == pytest.approx(flip, abs=0.01)


@pytest.mark.parametrize("scenario", FLEET.SCENARIOS)
def test_the_truth_about_the_rule_holds_for_the_labels_of_every_batch(scenario: str) -> None:
    for batch in (0, 5, 9, 10, 12, 30):
        table = simulated(scenario, batch, rows=4_000, flip_probability=0)
        share = FLEET.truth(scenario, batch).new_rule
        rules_differ = np.mean(
            FLEET.needs_intervention(table.dropna(), FLEET.OLD_RULE, 0.25)
            != FLEET.needs_intervention(table.dropna(), FLEET.NEW_RULE, 0.25)
        )
        assert disagreement(table, FLEET.OLD_RULE) == pytest.approx(
            share * rules_differ, abs=0.03
        ), batch
        assert disagreement(table, FLEET.NEW_RULE) == pytest.approx(
            (1 - share) * rules_differ, abs=0.03
        ), batch


@pytest.mark.parametrize(
    ("scenario", "shares"),
    [
        ("none", [0, 0, 0, 0, 0, 0]),
        ("covariate-only", [0, 0, 0, 0, 0, 0]),
        ("sudden", [0, 0, 1, 1, 1, 1]),
        ("gradual", [0, 0, 0.2, 0.6, 1, 1]),
        ("recurring", [0, 1, 0, 0, 0, 1]),
    ],
)
def test_scenarios_drift_when_they_say(scenario: str, shares: list[float]) -> None:
    assert [
        FLEET.truth(scenario, batch).new_rule for batch in (4, 9, 10, 12, 14, 15)
    ] == pytest.approx(shares)


def test_only_covariate_drift_changes_the_traffic() -> None:
    for scenario in FLEET.SCENARIOS:
        snow = [
            float(np.mean(simulated(scenario, batch)["weather_conditions"] == "Snowy"))
            for batch in (9, 10)
        ]
        assert snow[0] == pytest.approx(0.08, abs=0.02), scenario
        assert snow[1] == pytest.approx(0.35 if scenario == "covariate-only" else 0.08, abs=0.03), (
            scenario
        )


def test_the_same_arguments_write_the_same_bytes_whatever_came_before(tmp_path: Path) -> None:
    flags = ("--scenario", "gradual", "--rows", "150", "--files", "3")
    series = written(tmp_path / "series", *flags, "--batches", "13")
    assert len(series) == 39
    assert written(tmp_path / "last", *flags, "--first-batch", "12").items() <= series.items()
    other = written(tmp_path / "other", *flags, "--first-batch", "12", "--seed", "1")
    assert not set(other.values()) & set(series.values())


def test_files_are_plain_csv_and_nothing_else_is_left(tmp_path: Path) -> None:
    written(tmp_path / "files", "--rows", "100", "--files", "7")
    rows = 0
    for path in sorted((tmp_path / "files").iterdir()):
        assert path.suffix == ".csv"
        with path.open(newline="", encoding="utf-8") as file:
            header, *records = csv.reader(file, strict=True)
        assert header == COLUMNS
        assert {len(record) for record in records} == {len(COLUMNS)}
        rows += len(records)
    assert rows == 100


def test_documents_hold_plain_values_and_leave_out_what_was_lost() -> None:
    table = simulated("none", 0, rows=500)
    documents = FLEET.documents(table)
    assert {type(value) for document in documents for value in document.values()} == {
        str,
        float,
        bool,
        int,
    }
    assert sum(map(len, documents)) == table.notna().to_numpy().sum()


def test_a_wrong_flag_is_refused_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    for flags in (["--flip-probability", "1.5"], ["--files", "0"], ["--scenario", "earthquake"]):
        with pytest.raises(SystemExit):
            FLEET.parser().parse_args(flags)
        assert flags[0] in capsys.readouterr().err


def test_flip_probability_is_read_from_the_environment(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-B",
        FOLDER / "data_simulator.py",
        "--into",
        tmp_path,
        "--imbalance",
        "0",
        "--rows",
        "20000",
    ]
    done = subprocess.run(
        command, env={"FLIP_PROBABILITY": "0.3"}, capture_output=True, text=True, check=True
    )
    assert "30% positive" in done.stdout


def test_the_recipe_keeps_its_contract() -> None:
    X, y = as_read(simulated("none", 0, rows=600))
    assert (
        check_recipe(
            load_recipe(FOLDER / "train_classification_model.py"), X, y, needs_probabilities=True
        )
        == ()
    )


@pytest.mark.parametrize("resampling", ["smote", "none"])
@pytest.mark.parametrize("classifier", ["random_forest", "boosting"])
def test_every_choice_that_the_recipe_offers_keeps_the_contract(
    tmp_path: Path, classifier: str, resampling: str
) -> None:
    if resampling == "smote":
        pytest.importorskip("imblearn", reason="imbalanced-learn, an extra, is not installed")
    text = (FOLDER / "train_classification_model.py").read_text(encoding="utf-8")
    text = text.replace(
        'CLASSIFIER = "logistic_regression"', f'CLASSIFIER = "{classifier}"'
    ).replace("RandomForestClassifier(200", "RandomForestClassifier(10")
    text = text.replace('RESAMPLING = "undersample"', f'RESAMPLING = "{resampling}"')
    (tmp_path / "recipe.py").write_text(text, encoding="utf-8")
    X, y = as_read(simulated("none", 0, rows=300))
    assert check_recipe(load_recipe(tmp_path / "recipe.py"), X, y) == ()


def test_smote_without_its_package_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (FOLDER / "train_classification_model.py").read_text(encoding="utf-8")
    (tmp_path / "recipe.py").write_text(
        text.replace('RESAMPLING = "undersample"', 'RESAMPLING = "smote"'), encoding="utf-8"
    )
    monkeypatch.setitem(sys.modules, "imblearn.over_sampling", None)
    X, y = as_read(simulated("none", 0, rows=300))
    problems = check_recipe(load_recipe(tmp_path / "recipe.py"), X, y)
    assert len(problems) == 1
    assert "pip install -r requirements-extras.txt" in problems[0]


def test_a_model_of_the_old_rule_decays_under_sudden_drift_only_and_a_new_one_recovers() -> None:
    recipe = load_recipe(FOLDER / "train_classification_model.py")

    def learned(scenario: str, *batches: int) -> tuple[pd.DataFrame, pd.Series]:
        return as_read(
            pd.concat(
                [simulated(scenario, batch, rows=1_500) for batch in batches], ignore_index=True
            )
        )

    def score(estimator: object, scenario: str) -> float:
        X, y = as_read(simulated(scenario, 20))
        return float(balanced_accuracy_score(y, estimator.predict(X)))

    first = train(recipe, *learned("sudden", 0, 1)).estimator
    assert score(first, "none") > 0.84
    assert score(first, "covariate-only") > 0.83
    assert score(first, "sudden") < 0.6
    assert score(train(recipe, *learned("sudden", 8, 9, 10, 11)).estimator, "sudden") > 0.84
