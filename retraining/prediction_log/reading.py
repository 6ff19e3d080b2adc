"""A look at a log that may not be there yet."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from retraining.prediction_log.connection import JOB, open_database
from retraining.prediction_log.layout import layout_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import Connection

    from retraining.settings import Settings


@contextmanager
def reading_if_there(settings: Settings) -> Iterator[Connection | None]:
    """A connection to the project's log; None where there is none, or nobody laid it out yet.

    Raises:
        PredictionLogError: it cannot be reached or read.
    """
    if not settings.has_prediction_log:
        yield None
        return
    with closing(open_database(settings.prediction_log_uri, JOB)) as database:
        if layout_of(database) is None:
            yield None
            return
        with database.reading() as connection:
            yield connection
