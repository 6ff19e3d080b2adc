"""What a version carries so that its score can be estimated without labels: its calibration on its
test rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from retraining.cycle.rows import predictions
from retraining.datasets.columns import label_text
from retraining.errors import DamagedModelError
from retraining.scoring import coding
from retraining.statistics import NotCalibrated, fit_calibration

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from retraining.cycle.job import Job
    from retraining.cycle.rows import Section
    from retraining.model_registry.production import Model
    from retraining.records import Schema
    from retraining.statistics import Predictions


def answers_on_test_rows(
    job: Job, model: Model, sections: Sequence[Section], estimator: Any
) -> Predictions:
    """A new estimator's answers on its test rows, with probabilities where it gives any.

    In a replay nobody reads an estimate, so there probabilities are asked for only if the metric
    needs them.

    Raises:
        DamagedModelError: it cannot predict these rows.
    """
    if job.shows_pages and hasattr(estimator, "predict_proba"):
        try:
            return predictions(job, model, sections, estimator, with_probabilities=True)
        except DamagedModelError:
            pass  # asked again below: labels may be had all the same, else the error is told there
    return predictions(job, model, sections, estimator)


def calibration_of(answers: Predictions | None, schema: Schema) -> Mapping[str, Any]:
    """The content of `calibration.json`.

    If there are no answers, or they cannot be used, it holds the reason.
    """
    if answers is None:
        return NotCalibrated("there were no test rows that it had not learned").to_json()
    classes = [label_text(label) for label in coding(schema)]
    return fit_calibration(answers, classes).to_json()
