"""`replay`: what is played, in which shape it is told, and that it is the job's own cycle."""

from __future__ import annotations

import gzip
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from sklearn.tree import DecisionTreeClassifier

import pipeline_orchestrator
from retraining import settings as settings_module
from retraining.model_registry.memory import MemoryRegistry
from retraining.model_registry.mlflow_registry import MlflowRegistry
from retraining.replay.history import cut_at_offsets, read_history
from retraining.replay.playing import Player
from retraining.replay.scratch import Deliveries, project_for
from tests.replay.histories import NUMBERS_ONLY, Replaying, drifting, made

if TYPE_CHECKING:
    from pathlib import Path

    from retraining.records import Outcome

ALWAYS = {"RETRAIN_WHEN": "always", "PROMOTE_WHEN": "unless_worse"}
PLAY_KEYS = {
    "offset",
    "rows",
    "served",
    "version",
    "rows_fitted",
    "fits",
    "promotions",
    "wrong_promotions",
    "harmful_promotions",
    "rollbacks",
}


@pytest.fixture
def replaying(tmp_path: Path) -> Replaying:
    return made(tmp_path, drifting(480))


def only(told: dict[str, Any], name: str) -> dict[str, Any]:
    (play,) = told["policies"][name]
    return dict(play)


# --- the same cycle -------------------------------------------------------------------------------


@pytest.mark.slow
def test_ten_cycles_in_memory_and_on_sqlite_decide_the_same(tmp_path: Path) -> None:
    endings = {}
    for name, open_registry in {
        "memory": lambda _settings: MemoryRegistry(),
        "sqlite": MlflowRegistry,
    }.items():
        endings[name] = decisions_of_ten_cycles(tmp_path / name, open_registry)
    assert endings["memory"] == endings["sqlite"]
    assert {ending for ending, *_ in endings["memory"]} >= {"kept", "promoted", "rejected"}


def decisions_of_ten_cycles(folder: Path, open_registry: Any) -> list[tuple[Any, ...]]:
    there = made(
        folder,
        drifting(720, turn_at=0.4),
        PROMOTE_WHEN="significant",
        RETRAIN_WHEN="threshold,drop",
    )
    policy = settings_module.load(there.project.folder, {})
    history = read_history([there.stream], policy, folder / "sources")
    (cut,) = cut_at_offsets(history, initial=120, per_cycle=60, offsets=1)
    seen: list[tuple[Any, ...]] = []

    def noting(job: Any) -> Outcome:
        outcome = pipeline_orchestrator.run_cycle(job)
        compared = outcome.comparison
        scores = (
            (compared.improvement, compared.interval, compared.rows_dropped) if compared else ()
        )
        versions = (
            outcome.previous_version,
            outcome.production_version,
            outcome.challenger_version,
        )
        seen.append(
            (
                outcome.ending,
                outcome.reason,
                outcome.trigger,
                versions,
                outcome.production_on_new,
                scores,
                outcome.hindsight,
            )
        )
        return outcome

    deliveries = Deliveries(folder / "deliveries", history, cut, files_per_cycle=10)
    settings = project_for(folder / "scratch", policy, policy.recipe_path, files_per_cycle=10)
    Player(noting, folder / "tables", 1.0, open_registry).play(settings, deliveries)
    assert len(seen) == 10
    return seen


# --- the answer -----------------------------------------------------------------------------------


def test_the_answer_has_the_contract_s_shape(replaying: Replaying) -> None:
    told = replaying.replay("--policy", "current,always,static", "--offsets", "2")
    assert told.keys() == {"cycles", "policies"}
    assert list(told["policies"]) == ["current", "always", "static"]
    assert told["cycles"] == 6
    for plays in told["policies"].values():
        assert [play.keys() for play in plays] == [PLAY_KEYS] * 2
        assert [(play["offset"], len(play["served"]), play["rows"]) for play in plays] == [
            (0, 6, [60] * 6),
            (1, 5, [60] * 5),
        ]


def test_equal_inputs_give_equal_output(replaying: Replaying) -> None:
    words = ("--policy", "current,tutorial", "--days-per-cycle", "3.5")
    assert replaying.replay(*words) == replaying.replay(*words)


def test_served_is_the_score_of_the_version_that_served_before_the_batch_was_learned(
    tmp_path: Path,
) -> None:
    table = drifting(480)
    told = made(tmp_path, table).replay("--policy", "always,window:1,static")
    for name, first in {
        "always": lambda stop: 0,
        "window:1": lambda stop: max(0, stop - 60) if stop > 120 else 0,
        "static": None,
    }.items():
        expected = []
        for start in range(120, 480, 60):
            learned = table[:120] if first is None else table[first(start) : start]
            model = DecisionTreeClassifier(max_depth=4, random_state=0).fit(
                learned[["speed", "load"]], learned["target"]
            )
            batch = table[start : start + 60]
            expected.append((model.predict(batch[["speed", "load"]]) == batch["target"]).mean())
        assert only(told, name)["served"] == pytest.approx(expected), name


def test_an_offset_leaves_out_rows_at_the_start_and_a_partial_last_cycle_is_left_out(
    tmp_path: Path,
) -> None:
    table = drifting(480)
    shifted = table[20:].reset_index(drop=True)
    whole = made(tmp_path / "whole", table).replay("--policy", "static", "--offsets", "3")
    later = made(tmp_path / "later", shifted[:460]).replay("--policy", "static")
    assert whole["policies"]["static"][1]["served"] == only(later, "static")["served"]
    assert [len(play["served"]) for play in whole["policies"]["static"]] == [6, 5, 5]


def test_the_policy_that_always_retrains_fits_every_cycle(replaying: Replaying) -> None:
    replaying.project.configure(**ALWAYS)
    told = replaying.replay("--policy", "current,static")
    current, static = only(told, "current"), only(told, "static")
    assert (current["fits"], static["fits"], static["rows_fitted"], static["promotions"]) == (
        6,
        0,
        0,
        0,
    )
    assert current["promotions"] >= 3
    assert current["version"][0] == 1 < current["version"][-1]
    assert set(static["version"]) == {1}


def test_rows_fitted_leave_out_the_first_model_and_what_is_held_out(replaying: Replaying) -> None:
    replaying.project.configure(**ALWAYS, HOLDOUT_FRACTION="0.2", PROBATION_BATCHES="0")
    play = only(replaying.replay("--policy", "current"), "current")
    batches = [120] + [60] * 6
    # of the last three batches a fifth is reserved; older ones are learned whole
    expected = [
        sum(batches[: t + 1]) - sum(round(rows / 5) for rows in batches[max(0, t - 2) : t + 1])
        for t in range(1, 7)
    ]
    assert play["rows_fitted"] == sum(expected)


def test_the_clock_moves_so_many_days_a_cycle(replaying: Replaying) -> None:
    replaying.project.configure(RETRAIN_WHEN="interval", RETRAIN_INTERVAL_DAYS="6")
    fits = {
        days: only(replaying.replay("--policy", "current", "--days-per-cycle", days), "current")[
            "fits"
        ]
        for days in ("1", "2", "6")
    }
    assert fits == {"1": 1, "2": 2, "6": 6}


def test_a_class_that_the_first_rows_lack_is_no_new_class(tmp_path: Path) -> None:
    table = drifting(600)
    table.loc[300:, "target"] = table.loc[300:, "target"] * 2
    told = made(
        tmp_path, table, RETRAIN_WHEN="always", METRIC="balanced_accuracy", RETRAIN_THRESHOLD="0.6"
    ).replay("--policy", "current,window:4")
    assert len(only(told, "current")["served"]) == 8
    assert len(only(told, "window:4")["served"]) == 8


def test_batches_of_equal_rows_are_not_taken_for_copies(tmp_path: Path) -> None:
    table = drifting(40)
    told = made(tmp_path, pd.concat([table] * 12)).replay("--policy", "current")
    assert only(told, "current")["rows"] == [60] * 6


def test_rows_without_a_label_are_left_out(tmp_path: Path) -> None:
    table = drifting(300)
    holes = table.astype({"target": object})
    holes = pd.concat([holes[:200], holes[:30].assign(target=""), holes[200:]])
    with_holes = made(tmp_path / "holes", holes).replay("--policy", "static")
    without = made(tmp_path / "whole", table).replay("--policy", "static")
    assert with_holes == without


def test_winners_that_wait_for_a_person_are_approved_before_the_next_cycle(
    replaying: Replaying,
) -> None:
    replaying.project.configure(**ALWAYS, PROBATION_BATCHES="0")
    better = replaying.replay("--policy", "current")
    replaying.project.configure(PROMOTE_WHEN="manual")
    manual = only(replaying.replay("--policy", "current"), "current")
    assert manual["promotions"] > 0
    assert len(set(manual["version"])) > 1
    assert only(better, "current")["fits"] == manual["fits"]


# --- what is played -------------------------------------------------------------------------------


def test_without_files_the_archive_is_played_by_arrival_and_nothing_of_the_project_is_touched(
    replaying: Replaying,
) -> None:
    table = pd.read_csv(replaying.stream)
    archive = replaying.project.folder / "used_data"
    for place, name in enumerate(["z.csv", "a.csv", "m.csv"]):
        path = archive / name
        table[place * 160 : (place + 1) * 160].to_csv(path, index=False)
        os.utime(path, (1_700_000_000 + place,) * 2)
    before = sorted(path for path in replaying.project.folder.rglob("*"))
    words = (
        "--rows-per-cycle",
        "60",
        "--files-per-cycle",
        "10",
        "--initial-rows",
        "120",
        "--policy",
        "current",
        "--json",
    )
    played = replaying.project.start("replay", *words).expect(0).json
    assert played == replaying.replay("--policy", "current")
    assert sorted(path for path in replaying.project.folder.rglob("*")) == before


def test_a_history_that_repeats_itself_says_that_its_scores_count_copies(tmp_path: Path) -> None:
    table = drifting(180)
    there = made(tmp_path, pd.concat([table, table]))  # the first model learns 120 of 180 rows
    sizes = ("--rows-per-cycle", "60", "--files-per-cycle", "10", "--initial-rows", "120")
    said = {
        policy: there.project.start("replay", str(there.stream), *sizes, "--policy", policy)
        .expect(0)
        .out.splitlines()[-1]
        for policy in ("current", "static")
    }
    assert said["current"].startswith("120 of 240 rows played under current are copies of rows")
    assert "copies" not in said["static"]


def test_files_of_all_formats_are_played_in_the_order_named(
    replaying: Replaying, tmp_path: Path
) -> None:
    table = pd.read_csv(replaying.stream)
    packed, columnar = tmp_path / "1.csv.gz", tmp_path / "0.parquet"
    packed.write_bytes(gzip.compress(table[:200].to_csv(index=False).encode()))
    table[200:].to_parquet(columnar)
    in_parts = replace(replaying, stream=packed, more=(columnar,)).replay("--policy", "always")
    assert in_parts == replaying.replay("--policy", "always")


def test_texts_and_missing_values_come_through(tmp_path: Path) -> None:
    table = drifting(300).assign(city=["north", "", "007"] * 100)
    table.loc[::7, "speed"] = np.nan
    there = made(tmp_path, table, TEXTS_RECIPE, RETRAIN_WHEN="always")
    told = there.replay("--policy", "current,always")
    assert only(told, "current")["fits"] == 3


TEXTS_RECIPE = """
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.tree import DecisionTreeClassifier

class Numbers(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        assert set(X["city"].dropna()) == {"north", "007"}, set(X["city"])
        assert abs(X["city"].isna().mean() - 1 / 3) < 0.02
        assert X["speed"].isna().any()
        self.tree_ = DecisionTreeClassifier(max_depth=3).fit(X[["speed", "load"]], y)
        self.classes_ = self.tree_.classes_
        return self

    def predict(self, X):
        return self.tree_.predict(X[["speed", "load"]])

def train_model(X_train, y_train):
    return Numbers().fit(X_train, y_train)
"""


def test_a_recipe_may_import_what_stands_beside_it(replaying: Replaying, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "depth.py").write_text("DEPTH = 4\n")
    (folder / "mine.py").write_text(
        "from depth import DEPTH\n" + NUMBERS_ONLY.replace("max_depth=4", "max_depth=DEPTH")
    )
    words = ("--policy", "current,always")
    assert replaying.replay(*words, "--recipe", str(folder / "mine.py")) == replaying.replay(*words)


def test_a_settings_file_is_a_policy_over_the_project_s_own_settings(
    replaying: Replaying, tmp_path: Path
) -> None:
    eager = tmp_path / "eager.env"
    eager.write_text("RETRAIN_WHEN=always\nPROMOTE_WHEN=unless_worse\n")
    told = replaying.replay("--policy", f"current,{eager}", RETRAIN_WHEN="threshold")
    replaying.project.configure(**ALWAYS)
    assert only(told, str(eager)) == only(replaying.replay("--policy", "current"), "current")
    assert only(told, str(eager))["fits"] == 6 > only(told, "current")["fits"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--policy", "sometimes"), "neither `current`, a yardstick"),
        (("--policy", "window:0"), "neither `current`, a yardstick"),
        (("--rows-per-cycle", "5"), "fewer than the 10 files"),
        (("--rows-per-cycle", "0"), "--rows-per-cycle 0 is too small"),
        (("--offsets", "-1"), "--offsets -1 is too small"),
        (("--initial-rows", "470"), "480 labelled rows: too few"),
        (("--days-per-cycle", "nan"), "no number of days"),
        (("--recipe", "/nowhere/recipe.py"), "/nowhere/recipe.py is not there"),
    ],
)
def test_what_cannot_be_played_is_said(
    replaying: Replaying, words: tuple[str, ...], said: str
) -> None:
    sizes = ("--rows-per-cycle", "60", "--files-per-cycle", "10", "--initial-rows", "120")
    ended = replaying.project.start("replay", str(replaying.stream), *sizes, *words).expect(2)
    assert said in ended.error[0]


def test_a_file_that_is_not_there_is_named(replaying: Replaying) -> None:
    ended = replaying.project.start("replay", str(replaying.stream), "/nowhere/more.csv").expect(2)
    assert "No such file: /nowhere/more.csv" in ended.error[0]


def test_a_file_that_cannot_be_read_is_named(replaying: Replaying) -> None:
    replaying.stream.write_text(replaying.stream.read_text().replace("\n", ",more\n", 9))
    ended = replaying.project.start("replay", str(replaying.stream)).expect(2)
    assert "stream.csv" in ended.error[0]


def test_a_misspelt_line_of_a_policy_is_said(replaying: Replaying, tmp_path: Path) -> None:
    policy = tmp_path / "typo.env"
    policy.write_text("RETRAIN_WEN=always\n")
    ended = replaying.project.start(
        "replay", str(replaying.stream), "--policy", str(policy)
    ).expect(2)
    assert "RETRAIN_WEN: unknown; did you mean RETRAIN_WHEN?" in ended.err


def test_a_project_without_history_is_told_so(replaying: Replaying) -> None:
    ended = replaying.project.start("replay").expect(2)
    assert "There is no history to play" in ended.error[0]


def test_first_rows_of_one_class_are_said(tmp_path: Path) -> None:
    table = drifting(300)
    table.loc[:150, "target"] = 1
    there = made(tmp_path, table)
    ended = there.project.start(
        "replay", str(there.stream), "--rows-per-cycle", "60", "--initial-rows", "120"
    ).expect(2)
    assert "The first 120 rows hold one class only" in ended.error[0]


def test_sizes_that_nobody_said_come_from_the_data(replaying: Replaying) -> None:
    told = (
        replaying.project.start("replay", str(replaying.stream), "--policy", "static", "--json")
        .expect(0)
        .json
    )
    assert only(told, "static")["rows"] == [80, 80]
    archive = replaying.project.folder / "used_data"
    table = pd.read_csv(replaying.stream)
    for place in range(48):
        table[place * 10 : (place + 1) * 10].to_csv(archive / f"{place:02}.csv", index=False)
    told = (
        replaying.project.start("replay", "--policy", "static", "--files-per-cycle", "3", "--json")
        .expect(0)
        .json
    )
    assert only(told, "static")["rows"] == [30] * 12  # MIN_NEW_FILES=3 files of ten rows


def test_text_shows_every_policy_with_its_gap(replaying: Replaying) -> None:
    out = (
        replaying.project.start(
            "replay", str(replaying.stream), "--rows-per-cycle", "60", "--initial-rows", "120"
        )
        .expect(0)
        .out
    )
    for name in (
        "current",
        "static",
        "always",
        "window:4",
        "window:8",
        "window:16",
        "every:4",
        "tutorial",
    ):
        assert any(line.startswith(name) for line in out.splitlines()), out
    assert "gap = points against the best in hindsight" in out
    assert "\r" not in out


def test_settings_of_the_environment_are_the_current_policy(replaying: Replaying) -> None:
    assert only(replaying.replay("--policy", "current", **ALWAYS), "current")["fits"] == 6
