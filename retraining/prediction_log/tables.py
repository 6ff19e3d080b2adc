"""The tables of the prediction log, the same on sqlite and PostgreSQL.

Every table but `log_layout` and `leases` is kept by model name, so that several projects can share
a log.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeDecorator, UserDefinedType

from retraining.prediction_log.times import text_of, time_in

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect
    from sqlalchemy.sql import ColumnElement
    from sqlalchemy.types import TypeEngine

LAYOUT = 1  # the number of this layout; `layout` holds the steps from older ones


class UtcTime(TypeDecorator[datetime]):
    """An aware time: text in sqlite, which has no type for it, `timestamptz` in PostgreSQL."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The type that the database knows."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.TIMESTAMP(timezone=True))
        return dialect.type_descriptor(sa.Text())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """To the database."""
        if value is None or dialect.name == "postgresql":
            return value
        return text_of(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """From the database."""
        if value is None:
            return None
        return value.astimezone(UTC) if dialect.name == "postgresql" else time_in(value)


class _PostgresJson(UserDefinedType[str]):
    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """Not `jsonb`: that refuses an escaped NUL, which an ignored column may hold."""
        return "JSON"


class JsonText(TypeDecorator[str]):
    """JSON that is handed in and out as its text: what is logged is never parsed on the way."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The type that the database knows."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(_PostgresJson())
        return dialect.type_descriptor(sa.Text())

    def column_expression(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """Read it as text: PostgreSQL's driver would hand out the parsed value."""
        return sa.cast(column, sa.Text)


metadata = sa.MetaData()

log_layout = sa.Table("log_layout", metadata, sa.Column("version", sa.Integer, primary_key=True))

predictions = sa.Table(
    "predictions",
    metadata,
    sa.Column("model_name", sa.Text, primary_key=True),
    sa.Column("prediction_id", sa.Text, primary_key=True),
    sa.Column("request_id", sa.Text, nullable=False),
    sa.Column("client_request_id", sa.Text),
    sa.Column("trace_id", sa.Text),
    sa.Column("request_time", UtcTime, nullable=False),
    sa.Column("row_index", sa.Integer, nullable=False),
    sa.Column("model_version", sa.Integer, nullable=False),
    sa.Column("features", JsonText, nullable=False),
    sa.Column("prediction", sa.Text),
    sa.Column("classes", JsonText),
    sa.Column("probabilities", JsonText),
    sa.Column("execution_ms", sa.Double, nullable=False),
    sa.Column("caller", sa.Text),
    sa.Column("schema_version", sa.Integer, nullable=False),
    sa.Column("exported_in", sa.Text),
    sa.Column("exported_label", sa.Text),
    # 1 from the first label until the row has left in a file: what an export looks through is only
    # this.
    sa.Column("label_waits", sa.Integer, nullable=False),
)
OLDEST_FIRST = (
    predictions.c.request_time,
    predictions.c.request_id,
    predictions.c.row_index,
)
sa.Index("predictions_by_time", predictions.c.model_name, predictions.c.request_time)
_label_waits = predictions.c.label_waits == sa.literal_column("1")
sa.Index(
    "predictions_label_waits",
    predictions.c.model_name,
    *OLDEST_FIRST,
    sqlite_where=_label_waits,
    postgresql_where=_label_waits,
)
_not_exported = predictions.c.exported_in.is_(None)
sa.Index(
    "predictions_not_exported",
    predictions.c.model_name,
    *OLDEST_FIRST,
    sqlite_where=_not_exported,
    postgresql_where=_not_exported,
)

labels = sa.Table(
    "labels",
    metadata,
    sa.Column(
        "number",
        sa.BigInteger().with_variant(sa.Integer, "sqlite"),
        sa.Identity(),
        primary_key=True,
    ),
    sa.Column("model_name", sa.Text, nullable=False),
    sa.Column("prediction_id", sa.Text, nullable=False),
    sa.Column("label", sa.Text, nullable=False),
    sa.Column("label_time", UtcTime, nullable=False),
    sa.Column("received_time", UtcTime, nullable=False),
    sa.Column("superseded", sa.Integer, nullable=False),
)
STANDS = labels.c.superseded == sa.literal_column("0")
sa.Index(
    "labels_that_stand",
    labels.c.model_name,
    labels.c.prediction_id,
    unique=True,
    sqlite_where=STANDS,
    postgresql_where=STANDS,
)
sa.Index("labels_by_prediction", labels.c.model_name, labels.c.prediction_id)
sa.Index("labels_by_time", labels.c.model_name, labels.c.received_time)

repeated_ids = sa.Table(
    "repeated_ids",
    metadata,
    sa.Column("model_name", sa.Text, primary_key=True),
    sa.Column("prediction_id", sa.Text, primary_key=True),
    sa.Column("times", sa.Integer, nullable=False),
    sa.Column("other_features", sa.Integer, nullable=False),  # 1: once with other features
    sa.Column("last_time", UtcTime, nullable=False),
)

exports = sa.Table(
    "exports",
    metadata,
    sa.Column("model_name", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("file", sa.Text, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("rows", sa.Integer, nullable=False),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),  # `prepared` or `delivered`
    sa.Column("prepared_time", UtcTime, nullable=False),
    sa.Column("delivered_time", UtcTime),
)

ingested_batches = sa.Table(
    "ingested_batches",
    metadata,
    sa.Column("model_name", sa.Text, primary_key=True),
    sa.Column("batch_id", sa.Text, primary_key=True),
    sa.Column("content_sha256", sa.Text, nullable=False),
    sa.Column("file", sa.Text, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("rows", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False),  # `prepared` or `delivered`
    sa.Column("received_time", UtcTime, nullable=False),
    sa.Column("caller", sa.Text),
)
sa.Index(
    "ingested_batches_by_bytes",
    ingested_batches.c.model_name,
    ingested_batches.c.sha256,
)

# Copies of what the registry holds, for SQL and Grafana; the job fills them again at a cycle's end.
drift_events = sa.Table(
    "drift_events",
    metadata,
    sa.Column("model_name", sa.Text, primary_key=True),
    sa.Column("cycle_id", sa.Text, primary_key=True),
    sa.Column("feature", sa.Text, primary_key=True),
    sa.Column("event_time", UtcTime, nullable=False),
    sa.Column("psi", sa.Double),
    sa.Column("p_value", sa.Double),
    sa.Column("detected", sa.Integer),
    sa.Column("material", sa.Integer),
)
training_jobs = sa.Table(
    "training_jobs",
    metadata,
    sa.Column("model_name", sa.Text, primary_key=True),
    sa.Column("job_id", sa.Text, primary_key=True),
    sa.Column("started_time", UtcTime, nullable=False),
    sa.Column("ended_time", UtcTime),
    sa.Column("state", sa.Text, nullable=False),  # `running` or `ended`
    sa.Column("ending", sa.Text),
    sa.Column("exit_code", sa.Integer),
    sa.Column("reason", sa.Text),
    sa.Column("why", sa.Text),
    sa.Column("cycle_id", sa.Text),
    sa.Column("challenger_version", sa.Integer),
)
model_versions = sa.Table(
    "model_versions",
    metadata,
    sa.Column("model_name", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("status", sa.Text),
    sa.Column("reason", sa.Text),
    sa.Column("made_time", UtcTime),
    sa.Column("schema", JsonText),
)

# Who does what only one service at a time should do, and until when; which services run, and what
# they serve.
leases = sa.Table(
    "leases",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("holder", sa.Text, nullable=False),
    sa.Column("until_time", UtcTime, nullable=False),
)
heartbeats = sa.Table(
    "heartbeats",
    metadata,
    sa.Column("model_name", sa.Text, primary_key=True),
    sa.Column("service", sa.Text, primary_key=True),
    sa.Column("beat_time", UtcTime, nullable=False),
    sa.Column("model_version", sa.Integer),
)
monitor_results = sa.Table(
    "monitor_results",
    metadata,
    sa.Column("model_name", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("made_time", UtcTime, nullable=False),
    sa.Column("content", JsonText, nullable=False),
)
