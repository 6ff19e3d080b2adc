"""How long labels take to come, and whether `LABEL_WAIT_DAYS` waits for most of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import sqlalchemy as sa

from retraining.prediction_log.tables import STANDS, labels, predictions

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sqlalchemy.engine import Connection

    Integers = NDArray[np.integer[Any]]

MOST = 0.95
NEWEST = 10_000  # labels that are looked at
WHY_TO_WAIT = "labels that come early are no random sample of all"


def newest_delays(connection: Connection, model_name: str) -> Integers:
    """(n,) whole days that each of the newest labels took to come, `NEWEST` of them at most."""
    joined = labels.join(
        predictions,
        sa.and_(
            predictions.c.model_name == labels.c.model_name,
            predictions.c.prediction_id == labels.c.prediction_id,
        ),
    )
    query = (
        sa.select(predictions.c.request_time, labels.c.received_time)
        .select_from(joined)
        .where(labels.c.model_name == model_name, STANDS)
        .order_by(labels.c.number.desc())
        .limit(NEWEST)
    )
    days = [(received - asked).days for asked, received in connection.execute(query)]
    return np.maximum(np.asarray(days, np.int64), 0)


def labels_in_days(delays: Integers) -> int | None:
    """The number of whole days after which 95 % of the labels that came were there.

    `delays` (n,) are whole days. None without labels.

    >>> labels_in_days(np.asarray([0, 0, 1, 6]))
    7
    """
    if not delays.size:
        return None
    return int(np.quantile(delays, MOST, method="inverted_cdf")) + 1


def is_too_short(wait_days: float, in_days: int) -> bool:
    """Whether rows are exported before most labels are there.

    Labels of less than a day ask for no wait.
    """
    return in_days > 1 and wait_days < in_days
