"""What a replay shows: gaps, shares, drawings, the bar, and advice."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from retraining import settings as settings_module
from retraining.replay.advice import (
    CANDIDATES,
    Advice,
    advise,
    in_words,
    interval_by_stretches,
    with_candidates,
)
from retraining.replay.history import Cut
from retraining.replay.judging import Play
from retraining.replay.policies import Lineup
from retraining.replay.progress import Progress
from retraining.replay.summary import BARS, drawing, gap_of, rows_always_fits, summarise
from tests.replay.histories import drifting, made

if TYPE_CHECKING:
    from pathlib import Path

CUT = Cut(0, (0, 100), tuple((100 + 10 * cycle, 110 + 10 * cycle) for cycle in range(30)))


def played(*served: float | None, rows_fitted: int = 0) -> Play:
    return Play(0, (10,) * len(served), served, (1,) * len(served), rows_fitted, 1, 1, 0, 0)


def test_the_gap_is_against_the_best_of_four_yardsticks_in_hindsight() -> None:
    plays = {
        "always": [played(0.7, 0.9)],
        "window:4": [played(0.8, 0.9)],
        "window:8": [played(0.1, 0.1)],
        "window:16": [played(0.5, 0.5)],
    }
    plays["mine"] = [played(0.8, 0.8)]
    assert gap_of("mine", 0, plays, greater_is_better=True) == pytest.approx(-0.05)
    assert gap_of("mine", 0, plays, greater_is_better=False) == pytest.approx(-0.7)
    assert (
        gap_of(
            "mine", 0, {name: plays[name] for name in ("mine", "always")}, greater_is_better=True
        )
        is None
    )


def test_cycles_whose_score_is_undefined_do_not_count() -> None:
    assert played(0.5, None, 0.7).mean == pytest.approx(0.6)
    assert played(None).mean is None


def test_rows_fitted_are_told_as_a_share_of_retraining_on_everything() -> None:
    assert rows_always_fits(CUT) == sum(100 + 10 * (cycle + 1) for cycle in range(30))
    (line,) = summarise(
        {"mine": [played(0.5, rows_fitted=rows_always_fits(CUT) // 2)]},
        [CUT],
        greater_is_better=True,
    )
    assert line.share_of_always == pytest.approx(0.5)


def test_the_drawing_shows_low_and_high_and_leaves_a_blank_where_nothing_is_known() -> None:
    assert drawing((0.0, 0.5, None, 1.0), (0.0, 1.0)) == BARS[0] + BARS[4] + " " + BARS[7]


@given(st.lists(st.none() | st.floats(-5, 5), min_size=1, max_size=300))
def test_any_history_can_be_drawn_in_one_line(values: list[float | None]) -> None:
    known = [value for value in values if value is not None] or [0.0]
    assert 1 <= len(drawing(tuple(values), (min(known), max(known)))) <= 40


def test_the_bar_is_drawn_on_a_terminal_only() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for stream, drawn in ((io.StringIO(), False), (Terminal(), True)):
        bar = Progress(4, stream)
        bar.tick()
        assert ("1 of 4 cycles" in stream.getvalue()) is drawn
        bar.clear()
        assert stream.getvalue().endswith("\x1b[K") is drawn
    Progress(4, None).tick()


# --- advice ---------------------------------------------------------------------------------------


@pytest.fixture
def lineup(tmp_path: Path) -> Lineup:
    current = settings_module.load(tmp_path, {})
    return with_candidates(Lineup(("current",), {"current": current}, (), current))


def test_candidates_are_those_that_differ_from_the_current_settings(lineup: Lineup) -> None:
    assert "RETRAIN_WHEN=threshold,drop,adaptive" not in lineup.policies
    assert "TRAIN_WINDOW=4+8" not in lineup.policies
    assert "PROMOTE_WHEN=better" not in lineup.policies
    assert lineup.policies["RETRAIN_WHEN=always"].retrain_when == ("always",)
    eager = lineup.current._replace(retrain_when=("always",))
    again = with_candidates(Lineup(("current",), {"current": eager}, (), eager))
    assert "RETRAIN_WHEN=threshold,drop,adaptive" in again.policies
    assert "RETRAIN_WHEN=always" not in again.policies


def test_every_candidate_can_be_written_as_lines_of_env(tmp_path: Path) -> None:
    for lines, changes in CANDIDATES.items():
        loaded = settings_module.load(tmp_path, dict(line.split("=") for line in lines.split()))
        assert {name: getattr(loaded, name) for name in changes} == changes, lines


def test_a_clear_gain_is_advised_and_noise_is_not(lineup: Lineup) -> None:
    rng = np.random.default_rng(0)
    base = 0.7 + rng.normal(scale=0.01, size=60)
    plays = {name: [played(*(base + rng.normal(scale=0.01, size=60)))] for name in lineup.names}
    plays["RETRAIN_WHEN=always"] = [played(*(base + 0.03))]
    found = advise(plays, lineup, [CUT])
    assert found[0].lines == ("RETRAIN_WHEN=always",)
    assert [one.lines for one in found if one.worth_it] == [("RETRAIN_WHEN=always",)]
    assert in_words(found).endswith("Worth changing in .env:\nRETRAIN_WHEN=always")
    del plays["RETRAIN_WHEN=always"]
    assert in_words(advise(plays, lineup, [CUT])).endswith(
        "Nothing is clearly better than the current settings."
    )


def test_a_metric_that_is_better_when_smaller_is_advised_in_its_direction(lineup: Lineup) -> None:
    errors = replace(lineup, current=lineup.current._replace(metric="error_rate"))
    plays = {name: [played(*([0.3] * 60))] for name in errors.names} | {
        "RETRAIN_WHEN=always": [played(*([0.2] * 60))]
    }
    assert advise(plays, errors, [CUT])[0].gain == pytest.approx(0.1)


def test_the_interval_is_a_t_interval_over_stretches_of_five_cycles() -> None:
    gains = np.random.default_rng(1).normal(size=50)
    means = gains.reshape(10, 5).mean(axis=1)
    expected = stats.ttest_1samp(means, 0).confidence_interval(0.9)
    assert interval_by_stretches(gains, 0.9) == pytest.approx((expected.low, expected.high))
    assert interval_by_stretches(gains[:24], 0.9) is None


def test_noise_that_lasts_some_cycles_is_rarely_called_a_gain() -> None:
    rng = np.random.default_rng(2)
    alarms = 0
    for _ in range(400):
        lasting = np.repeat(rng.normal(size=15), 4) + rng.normal(size=60)
        interval = interval_by_stretches(lasting, 0.95)
        alarms += interval is not None and not interval[0] <= 0 <= interval[1]
    assert alarms / 400 < 0.11


def test_advice_is_told_as_json_beside_every_candidate_s_play(tmp_path: Path) -> None:
    there = made(tmp_path, drifting(240), RETRAIN_WHEN="always", PROMOTE_WHEN="unless_worse")
    sizes = (
        "--rows-per-cycle",
        "60",
        "--files-per-cycle",
        "5",
        "--initial-rows",
        "120",
        "--advise",
        "--json",
    )
    told = there.project.start("replay", str(there.stream), *sizes).expect(0).json
    assert {"current", *(" ".join(one["lines"]) for one in told["advice"])} == set(told["policies"])
    assert {"lines", "gain", "interval", "rows_fitted", "rows_fitted_now", "worth_it"} == told[
        "advice"
    ][0].keys()
    assert not any(one["worth_it"] for one in told["advice"])


def test_advice_names_an_interval_or_says_that_cycles_are_too_few() -> None:
    one = Advice(("RETRAIN_WHEN=always",), 0.01, None, 1.0, 0.3)
    assert "too few cycles" in in_words([one])
    assert not one.worth_it
