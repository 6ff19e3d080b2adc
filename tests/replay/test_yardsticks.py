"""The yardsticks against a plain loop, and what is called a wrong promotion."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from retraining import settings as settings_module
from retraining.replay.history import Cut, cut_at_offsets, even_ranges, read_history
from retraining.replay.judging import Judge
from retraining.replay.yardsticks import play_yardsticks, random_test_rows
from retraining.trainer import load_recipe
from tests.replay.histories import drifting, made

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from retraining.records import RowRange
    from retraining.replay.judging import Play


def judge_of(folder: Path, table: pd.DataFrame, **settings: str) -> Judge:
    there = made(folder, table, **settings)
    loaded = settings_module.load(there.project.folder, {})
    history = read_history([there.stream], loaded, folder / "sources")
    return Judge(history, cut_at_offsets(history, initial=120, per_cycle=60, offsets=1)[0], loaded)


def play(judge: Judge, name: str) -> Play:
    (played,) = play_yardsticks(
        [name], judge, load_recipe(judge.settings.project / "train_classification_model.py")
    )
    return played


@pytest.mark.parametrize(
    ("name", "fits", "rows"),
    [
        ("static", 0, 0),
        ("always", 8, sum(120 + 60 * cycle for cycle in range(1, 9))),
        ("window:1", 8, 8 * 60),
        # the first model's rows are one batch, and longer than the others
        ("window:4", 8, 180 + 240 + 300 + 5 * 240),
        ("every:4", 2, (120 + 240) + (120 + 480)),
    ],
)
def test_each_yardstick_learns_its_rows(tmp_path: Path, name: str, fits: int, rows: int) -> None:
    played = play(judge_of(tmp_path, drifting(600)), name)
    assert (played.fits, played.rows_fitted, played.promotions, played.rollbacks) == (
        fits,
        rows,
        fits,
        0,
    )


def test_every_counts_cycles_and_serves_the_new_version_from_the_next_one_on(
    tmp_path: Path,
) -> None:
    played = play(judge_of(tmp_path, drifting(600)), "every:3")
    assert played.version == (1, 1, 1, 2, 2, 2, 3, 3)


def test_yardsticks_played_together_are_those_played_alone(tmp_path: Path) -> None:
    judge = judge_of(tmp_path, drifting(600))
    names = ["always", "every:4", "window:2", "tutorial"]
    together = play_yardsticks(
        names, judge, load_recipe(judge.settings.project / "train_classification_model.py")
    )
    assert together == [play(judge, name) for name in names]


def test_the_tutorial_retrains_two_points_under_its_first_score_and_promotes_by_its_own_split(
    tmp_path: Path,
) -> None:
    judge = judge_of(tmp_path, drifting(600, turn_at=0.6))
    played = play(judge, "tutorial")
    first = judge.history.features_and_labels((0, 120))
    test = random_test_rows((0, 120))
    model = load_recipe(judge.settings.project / "train_classification_model.py").train_model(
        first[0][~test], first[1][~test]
    )
    threshold = (model.predict(first[0][test]) == first[1][test]).mean() - 0.02
    below = [value for value in played.served if value is not None and value < threshold]
    assert played.fits == len(below) > 0
    assert played.promotions <= played.fits


def test_a_random_test_set_is_a_fifth_and_the_same_each_time() -> None:
    test = random_test_rows((40, 140))
    assert test.sum() == 20
    assert np.array_equal(test, random_test_rows((40, 140)))
    assert not np.array_equal(test, random_test_rows((50, 150)))


class Always:
    """Says what is right on a share of the rows, by a rule that any row tells."""

    def __init__(self, wrong_from: float) -> None:
        self.wrong_from = wrong_from

    def predict(self, X: Any) -> Any:
        right = (X["speed"] > 0).astype(int).to_numpy()
        return np.where(X["load"].to_numpy() > self.wrong_from, 1 - right, right)


@pytest.fixture
def evenly(tmp_path: Path) -> Judge:
    """A stream in which `load` runs through 0..99 in each hundred rows and the label is always
    `speed` > 0.
    """
    table = drifting(720)
    table["load"] = np.arange(720) % 60 / 60
    table["target"] = (table["speed"] > 0).astype(int)
    return judge_of(tmp_path, table)


def test_a_promotion_is_wrong_when_it_costs_over_half_a_point_in_the_next_three_cycles(
    evenly: Judge,
) -> None:
    good, bad = Always(wrong_from=2.0), Always(wrong_from=0.9)
    assert evenly.promotion(bad, good, cycle=0).was_wrong
    assert not evenly.promotion(good, bad, cycle=0).was_wrong
    assert not evenly.promotion(good, good, cycle=0).was_wrong
    assert not evenly.promotion(bad, good, cycle=9).was_wrong, "no cycle is left to be wrong on"


def test_a_promotion_is_harmful_when_what_it_cost_is_more_than_chance(evenly: Judge) -> None:
    good, bad, hardly = (Always(wrong_from=share) for share in (2.0, 0.5, 0.98))
    assert evenly.promotion(bad, good, cycle=0).was_harmful
    assert not evenly.promotion(good, bad, cycle=0).was_harmful
    costs_little = evenly.promotion(hardly, good, cycle=0)
    assert costs_little.was_wrong, "a sixtieth of the rows"
    assert not costs_little.was_harmful, "they lie in 3 of 45 files"


def test_gain_follows_the_direction_of_the_metric(tmp_path: Path, evenly: Judge) -> None:
    good, bad = Always(wrong_from=2.0), Always(wrong_from=0.9)
    cycles = evenly.cut.cycles[:2]
    assert evenly.gain(good, bad, cycles) == pytest.approx(5 / 60)
    table = evenly.history.features_and_labels((0, 720))
    errors = judge_of(
        tmp_path / "errors",
        table[0].assign(target=table[1]),
        METRIC="error_rate",
        RETRAIN_THRESHOLD="0.2",
    )
    assert errors.gain(good, bad, cycles) == pytest.approx(5 / 60)


def test_flattery_is_what_was_claimed_less_the_truth_of_the_next_batch(evenly: Judge) -> None:
    good, bad = Always(wrong_from=2.0), Always(wrong_from=0.9)
    assert evenly.flattered_by(0.1, good, bad, cycle=0) == pytest.approx(0.1 - 5 / 60)
    assert evenly.flattered_by(0.1, good, bad, cycle=9) is None


@pytest.mark.parametrize(
    ("rows", "parts"), [((0, 672), 15), ((7, 52), 15), ((0, 15), 15), ((3, 4), 1)]
)
def test_a_batch_is_cut_into_files_whose_lengths_differ_by_one_row_at_most(
    rows: RowRange, parts: int
) -> None:
    runs = even_ranges(rows, parts)
    lengths = [stop - start for start, stop in runs]
    assert (runs[0][0], runs[-1][1], len(runs)) == (*rows, parts)
    assert all(one[1] == other[0] for one, other in itertools.pairwise(runs))
    assert max(lengths) - min(lengths) <= 1


def test_offsets_leave_out_their_share_of_a_cycle(tmp_path: Path) -> None:
    history = judge_of(tmp_path, drifting(400)).history
    cuts = cut_at_offsets(history, initial=100, per_cycle=70, offsets=3)
    assert [cut.initial for cut in cuts] == [(0, 100), (23, 123), (46, 146)]
    assert cuts[1] == Cut(1, (23, 123), ((123, 193), (193, 263), (263, 333)))


def test_a_window_of_one_class_is_not_fitted(tmp_path: Path) -> None:
    table = drifting(480)
    table.loc[180:240, "target"] = 1
    judge = judge_of(tmp_path, table)
    assert play(judge, "window:1").fits == 5
