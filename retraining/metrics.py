"""The metrics: what each is called, what it reads, and what its value means. Standard library only.

This is the one table of them. A metric that scikit-learn has a scorer for is added by one line
here, computed from "scorer". One that it has not, or that should be resampled quickly, also gets
its formula: from "rows" in `statistics/metrics.py`, from "counts" in `statistics/label_metrics.py`.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

Needs = Literal["labels", "probabilities"]
# What a score is computed from: values of single rows, counts per class, ranks of pairs; or it is
# left to scikit-learn's scorer.
ComputedFrom = Literal["rows", "counts", "ranks", "scorer"]


class Metric(NamedTuple):
    """A metric by scikit-learn's name.

    Attributes:
        needs: what it reads of a model.
        computed_from: what its score is computed from, which many resamples share.
        low, high: between which values it lies.
        greater_is_better: its direction.
        is_share: whether its value is a share, which reads best in percent.
        is_proportion: whether it is also the share of rows for which something holds: then its
            standard error is a proportion's.
        for_more_classes: the metric to take where there are more than two classes, for one that is
            defined for two only.
        fewest_classes: with fewer it says nothing.
        usual_threshold: RETRAIN_THRESHOLD where a person sets none; None where there is no usual
            one.
    """

    name: str
    needs: Needs
    computed_from: ComputedFrom
    low: float = 0.0
    high: float = 1.0
    greater_is_better: bool = True
    is_share: bool = False
    is_proportion: bool = False
    for_more_classes: str | None = None
    fewest_classes: int = 2
    usual_threshold: float | None = None

    def among(self, class_count: int) -> str:
        """The name of this metric, or of the one that takes its place, for so many classes."""
        if class_count > 2 and self.for_more_classes is not None:
            return self.for_more_classes
        return self.name


def _of_probabilities(
    name: str, computed_from: ComputedFrom, low: float = 0.0, high: float = 1.0
) -> Metric:
    return Metric(name, "probabilities", computed_from, low, high)


def _averaged(family: str) -> tuple[Metric, ...]:
    """A score of each class, of the positive one or averaged over all."""
    plain = Metric(family, "labels", "counts", is_share=True, for_more_classes=f"{family}_macro")
    names = [f"{family}_{average}" for average in ("macro", "micro", "weighted")]
    return plain, *(Metric(name, "labels", "counts", is_share=True) for name in names)


TOP_K = 2  # scikit-learn's default, which its scorer cannot change

METRICS: dict[str, Metric] = {
    one.name: one
    for one in (
        Metric(
            "accuracy", "labels", "rows", is_share=True, is_proportion=True, usual_threshold=0.8
        ),
        Metric(
            "error_rate",
            "labels",
            "rows",
            is_share=True,
            is_proportion=True,
            greater_is_better=False,
        ),
        Metric("balanced_accuracy", "labels", "counts", is_share=True),
        Metric("matthews_corrcoef", "labels", "counts", low=-1.0),
        Metric(
            "top_k_accuracy",
            "probabilities",
            "rows",
            is_share=True,
            is_proportion=True,
            fewest_classes=TOP_K + 1,
        ),
        _of_probabilities("average_precision", "scorer"),
        Metric("roc_auc", "probabilities", "ranks", for_more_classes="roc_auc_ovr"),
        _of_probabilities("roc_auc_ovr", "ranks"),
        _of_probabilities("roc_auc_ovo", "ranks"),
        _of_probabilities("roc_auc_ovr_weighted", "ranks"),
        _of_probabilities("roc_auc_ovo_weighted", "ranks"),
        _of_probabilities("neg_log_loss", "rows", -math.inf, 0.0),
        _of_probabilities("neg_brier_score", "rows", -math.inf, 0.0),
        _of_probabilities("d2_log_loss_score", "scorer", -math.inf),
        _of_probabilities("d2_brier_score", "scorer", -math.inf),
        *_averaged("f1"),
        *_averaged("precision"),
        *_averaged("recall"),
        *_averaged("jaccard"),
    )
}


def metric(name: str) -> Metric:
    """The metric of that name.

    Raises:
        ValueError: no classification metric of scikit-learn is called so.
    """
    if name not in METRICS:
        raise ValueError(
            f"{name!r} is not one of scikit-learn's classification metrics, nor error_rate"
        )
    return METRICS[name]


def check_metric(chosen: Metric, class_count: int) -> None:
    """See that the metric can be told for that many classes.

    Raises:
        ValueError: it cannot; the message names a metric that can.
    """
    if class_count > 2 and chosen.for_more_classes is not None:
        raise ValueError(
            f"{chosen.name} is for two classes and the target has {class_count}:"
            f" {chosen.for_more_classes} is for any number (f1_macro for labels, roc_auc_ovr for"
            " probabilities)"
        )
    if class_count < chosen.fewest_classes:
        raise ValueError(
            f"{chosen.name} counts the best {TOP_K} classes, so with {class_count} it is always 1"
        )
