"""Plots: places in percent, heights in pixels, whatever the readings are like."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from retraining.report.plots import (
    PLOT_HEIGHT,
    Event,
    Line,
    Plot,
    Reading,
    bar_plot,
    line_plot,
    spark_line,
)

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def drawn(*values: float, events: tuple[Event, ...] = (), limit: float | None = None) -> Plot:
    readings = [
        Reading(NOON + timedelta(days=place), value, None, str(value))
        for place, value in enumerate(values)
    ]
    made = line_plot(
        [Line("score", "after", tuple(readings))],
        tell=str,
        tell_time=lambda moment: f"{moment:%d}",
        limit=limit,
        events=events,
    )
    assert made is not None
    return made


def test_without_readings_there_is_no_plot() -> None:
    assert line_plot([Line("score", "after", ())], tell=str, tell_time=str) is None
    assert bar_plot([], tell=str) is None


@pytest.mark.parametrize("values", [(0.5,), (0.5, 0.5), (0.1, 0.9, 0.4), (-3.0, 1e9), (1e-9, 2e-9)])
def test_all_that_is_drawn_lies_in_the_plot(values: tuple[float, ...]) -> None:
    plot = drawn(*values)
    (trace,) = plot.traces
    assert len(trace.spots) == len(values)
    assert len(trace.pieces) == len(values) - 1
    for spot in trace.spots:
        assert 0 <= spot.x <= 100
        assert 0 <= spot.y <= PLOT_HEIGHT
    assert all(0 <= tick.y <= PLOT_HEIGHT for tick in plot.ticks)
    assert bool(plot.last) == (len(values) > 1)


def test_more_is_higher_and_later_is_further_right() -> None:
    first, last = drawn(0.2, 0.8).traces[0].spots
    assert first.x < last.x
    assert first.y > last.y


def test_a_limit_that_is_far_off_is_not_drawn() -> None:
    assert drawn(0.8, 0.82, limit=0.79).limit is not None
    assert drawn(0.8, 0.82, limit=0.1).limit is None


def test_events_outside_are_left_out_and_crowded_ones_have_no_name() -> None:
    when = [NOON - timedelta(days=1), NOON, NOON + timedelta(hours=1), NOON + timedelta(days=1)]
    events = tuple(Event(one, "promoted", f"v{place}", "") for place, one in enumerate(when))
    assert [flag.name for flag in drawn(0.1, 0.2, events=events).flags] == ["v1", "", "v3"]


def test_bars_stand_on_zero_side_by_side() -> None:
    plot = bar_plot([("a", 0.0, ""), ("b", 2.0, ""), ("c", 1.0, "")], tell=str)
    assert plot is not None
    heights = [column.height for column in plot.columns]
    assert heights[0] == 0
    assert heights[1] == pytest.approx(2 * heights[2], abs=0.1)
    ends = [(column.x, column.x + column.width) for column in plot.columns]
    assert all(before[1] <= after[0] for before, after in pairwise(ends))


def test_a_spark_of_one_value_is_no_line() -> None:
    assert spark_line([0.3], 1.0) == ()
    assert len(spark_line([0.0, 0.3, 0.1], 0.0)) == 2
