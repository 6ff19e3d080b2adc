"""`monitor --alert`: sends an alert when a condition of the traffic begins to hold, and once only.

It goes to the webhook, the alerts' file and the metrics' file that hear of cycles too.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from retraining.notices import send_traffic_alerts
from retraining.prediction_log.connection import JOB, open_database
from retraining.prediction_log.layout import layout_of
from retraining.prediction_log.watch import begun_now

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from retraining.cycle.traffic_alerts import TrafficAlert
    from retraining.settings import Settings


def tell(
    settings: Settings, version: int | None, holding: Sequence[TrafficAlert], now: datetime
) -> None:
    """Report what begins to hold. An alert belongs to one version.

    The log remembers which alerts hold: cron may run `monitor` today, a service on another machine
    tomorrow.

    Raises:
        PredictionLogError: the log cannot be reached or written.
    """
    if not settings.has_prediction_log:
        return
    by_name = {f"{alert.kind} v{version}": alert for alert in holding}
    with closing(open_database(settings.prediction_log_uri, JOB)) as database:
        if layout_of(database) is None:
            return
        begun = begun_now(database, settings.model_name, list(by_name), now)
    lines = [by_name[name].to_json() for name in begun]
    send_traffic_alerts(settings, lines, [alert.kind for alert in holding], now)
