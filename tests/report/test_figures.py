"""Pictures: counts and coordinates against scikit-learn or a reading by eye."""

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, roc_auc_score

from retraining.report.figures import Served, histogram, ranges, square_line, timeline
from retraining.report.material import Distribution
from retraining.report.on_test_set import calibration, confusion, frequent_mistakes, roc_curve
from tests.report.samples import rows_compared


def cycle(
    number: int, score: float, interval: tuple[float, float] | None = None, becomes: int = 1
) -> Served:
    return Served(number, str(number), score, interval, 1, becomes, "kept")


def test_the_confusion_matrix_is_that_of_scikit_learn() -> None:
    model = rows_compared(("a", "b", "c")).challenger
    assert np.array_equal(confusion(model).counts, confusion_matrix(model.truth, model.predicted))


@pytest.mark.parametrize("digits", [1, 8])
def test_the_area_under_the_roc_curve_is_that_of_scikit_learn_with_ties_too(digits: int) -> None:
    model = rows_compared().champion
    probabilities = np.round(model.probabilities, digits)
    found = roc_curve(model.truth, probabilities)
    assert found.summary == pytest.approx(roc_auc_score(model.truth, probabilities[:, 1]))
    assert found.points[0] == (0, 0)
    assert found.points[-1] == (1, 1)
    assert len(found.points) <= 101


def test_one_class_has_no_roc_curve() -> None:
    model = rows_compared().champion
    assert roc_curve(np.ones_like(model.truth), model.probabilities) is None


def test_calibration_of_honest_probabilities_lies_on_the_diagonal() -> None:
    said = np.repeat([0.05, 0.55, 0.95], 100)
    truth = np.concatenate([np.arange(100) < share for share in (5, 55, 95)]).astype(int)
    found = calibration(truth, np.column_stack((1 - said, said)))
    assert np.array(found.points) == pytest.approx(
        np.array([(0.05, 0.05), (0.55, 0.55), (0.95, 0.95)])
    )
    assert found.summary == pytest.approx(0)


def test_the_most_frequent_mistakes_of_both_models_come_first() -> None:
    compared = rows_compared(tuple("abcdefghijklmn"))
    found = frequent_mistakes(compared)
    totals = [before + after for _, _, before, after in found]
    assert totals == sorted(totals, reverse=True)
    true, said, before, _ = found[0]
    model = compared.champion
    assert before == np.sum(
        (model.truth == compared.classes.index(true))
        & (model.predicted == compared.classes.index(said))
    )


def test_a_histogram_shows_shares_to_one_scale() -> None:
    picture = histogram(Distribution(("a", "b"), (30, 10), (1, 1)))
    assert [bar.height for bar in picture.bars] == [36.0, 12.0]
    assert picture.line == "0,12 66,12 66,12 132,12"


@pytest.mark.parametrize(
    ("reference", "current"), [((), ()), ((0, 0), (1, 1)), ((1, 1), (0, 0)), ((1, 2, 3), (1, 2))]
)
def test_a_histogram_of_nothing_is_left_out(
    reference: tuple[int, ...], current: tuple[int, ...]
) -> None:
    assert histogram(Distribution(("a", "b", "c"), reference, current)) is None


def test_a_timeline_needs_two_cycles_and_holds_every_interval() -> None:
    assert timeline([cycle(1, 0.8)], 0.8) is None
    picture = timeline([cycle(1, 0.8, (0.7, 0.9)), cycle(2, 0.82, (0.75, 0.95))], 0.8)
    heights = [end for dot in picture.dots for end in (dot.low, dot.high, dot.y)]
    assert min(heights) >= 26
    assert max(heights) <= 166
    assert picture.dots[0].low > picture.dots[0].y > picture.dots[0].high
    assert picture.threshold == picture.dots[0].y


@pytest.mark.parametrize(
    "scores", [(0.8, 0.8), (0.0, 0.0), (-0.7, -0.7), (1e-9, 2e-9), (-1e6, 1e6)]
)
def test_a_timeline_has_a_scale_whatever_the_scores(scores: tuple[float, float]) -> None:
    picture = timeline([cycle(i, score) for i, score in enumerate(scores)], None)
    assert len({y for y, _ in picture.ticks}) == len(picture.ticks) >= 2
    assert picture.ticks[0][1] <= min(scores)
    assert picture.ticks[-1][1] >= max(scores)


def test_a_threshold_that_is_far_off_does_not_flatten_the_scores() -> None:
    assert timeline([cycle(1, 0.95), cycle(2, 0.96)], 0.2).threshold is None


def test_names_of_versions_in_the_timeline_do_not_run_into_each_other() -> None:
    picture = timeline([cycle(i, 0.8, becomes=2) for i in range(100)], None)
    tagged = [dot.x for dot in picture.dots if dot.tagged]
    assert np.diff(tagged).min() >= 24


def test_ranges_share_a_scale_that_holds_zero_where_it_matters() -> None:
    first, second = ranges([(0.8, (0.7, 0.9)), (0.85, None)], mine=1)
    assert first.low < first.value < first.high
    assert second.low == second.value == second.high > first.value
    assert second.mine
    (difference,) = ranges([(0.03, (0.01, 0.05))], mine=0, around_zero=True)
    assert 0 < difference.zero < difference.low


def test_the_unit_square_has_its_origin_at_the_lower_left() -> None:
    assert square_line([(0, 0), (1, 1)]) == "0,200 200,0"
