"""`log_dropped` is told once a spell, which ends once rows are committed, not while none comes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retraining.notices.alerts import recent_alerts
from retraining.serving.log_alerts import LogAlerts
from retraining.serving.metrics import Metrics
from retraining.settings import load

if TYPE_CHECKING:
    from pathlib import Path

FULL = "The disk of the prediction log is full."


def test_a_full_disk_that_looks_well_while_nothing_is_written_is_one_spell(tmp_path: Path) -> None:
    settings = load(tmp_path, {})
    alerts = LogAlerts(settings, Metrics())
    for _ in range(3):
        alerts.turned_unwell(FULL)
        alerts.dropped(1, "unwritable")
        alerts.turned_well()
    (told,) = recent_alerts(settings.state_dir, 10)
    assert told["what"] == FULL
    alerts.committed(1, 0.01)
    alerts.turned_unwell(FULL)
    alerts.dropped(1, "unwritable")
    assert len(recent_alerts(settings.state_dir, 10)) == 2, "another spell"
