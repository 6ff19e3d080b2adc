"""Where notices of a cycle's start and end go: a health check, a webhook, `alerts.jsonl` and
Prometheus.

Standard library only, since a closed gate sends notices too. Nothing here raises and nothing here
changes how a cycle ends: what cannot be sent is a warning in the log. A dry run sends nothing, for
it must not hide that the real one is dead. Neither does a start that found the lock held (75): the
cycle that holds it sends its own.
"""

from __future__ import annotations

import logging
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from retraining.masking import masked
from retraining.notices import alerts, healthcheck, textfile, webhook
from retraining.serialisation import SCHEMA_VERSION, outcome_to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from retraining.outcomes import Outcome
    from retraining.settings import Settings

log = logging.getLogger(__name__)

LOCK_HELD = 75
SECONDS_FOR_A_START = 3.0
SECONDS_FOR_AN_END = 10.0  # for all of them together


def send_start(settings: Settings, *, dry_run: bool = False) -> None:
    """Tell the health check that a cycle started: to be called once the lock is held."""
    if settings.healthcheck_url and not dry_run:
        url = settings.healthcheck_url
        _within(
            SECONDS_FOR_A_START,
            {"HEALTHCHECK_URL": lambda: healthcheck.start(url)},
            settings.secrets(),
        )


def send(
    settings: Settings,
    outcome: Outcome,
    *,
    log_tail: Sequence[str] = (),
    now: datetime | None = None,
) -> None:
    """Tell everybody how a cycle ended.

    Args:
        settings: the project's; what is not set there is not told.
        outcome: the end.
        log_tail: the log's last lines, for the health check.
        now: the cycle's end, for tests.
    """
    if outcome.dry_run or outcome.exit_code == LOCK_HELD:
        return
    moment = now or datetime.now(UTC)
    secrets = settings.secrets()

    def add_alerts() -> None:
        found = alerts.alerts_of(outcome, settings, moment)
        alerts.append(settings.state_dir, masked(found, secrets))

    _attempt("alerts.jsonl", add_alerts, secrets)
    if (path := settings.metrics_textfile) is not None:
        _attempt(
            "METRICS_TEXTFILE", lambda: textfile.update(path, outcome, settings, moment), secrets
        )
    calls: dict[str, Callable[[], None]] = {}
    if (url := settings.healthcheck_url) is not None:
        lines = [str(masked(line, secrets)) for line in log_tail]
        calls["HEALTHCHECK_URL"] = lambda: healthcheck.end(url, outcome.exit_code, lines)
    if (hook := settings.webhook_url) is not None:

        def post() -> None:
            content = masked(outcome_to_json(outcome), secrets)
            webhook.post(hook, content, settings.webhook_secret, moment)

        calls["WEBHOOK_URL"] = post
    _within(SECONDS_FOR_AN_END, calls, secrets)


def send_alert(
    settings: Settings, kind: str, what: str, remedy: str, now: datetime, **numbers: Any
) -> None:
    """Add one alert that does not come from the end of a cycle; `now` is when, aware."""
    secrets = settings.secrets()
    head = {"time": now.isoformat(timespec="seconds"), "cycle": None}
    line = {**head, **masked(alerts.alert(kind, what, remedy, **numbers), secrets)}
    _attempt("alerts.jsonl", lambda: alerts.append(settings.state_dir, [line]), secrets)


def send_traffic_alerts(
    settings: Settings,
    begun: Sequence[Mapping[str, Any]],
    holding: Sequence[str],
    now: datetime,
) -> None:
    """Tell what a look at the traffic found.

    Args:
        settings: the project's; what is not set there is not told.
        begun: what holds since this look, as `alerts.alert` makes them: a line and a call each look
            at most.
        holding: the kinds that hold now, told before or not: what the metrics show.
        now: when, aware.
    """
    secrets = settings.secrets()
    head = {"time": now.isoformat(timespec="seconds"), "cycle": None}
    lines = [{**head, **masked(one, secrets)} for one in begun]
    _attempt("alerts.jsonl", lambda: alerts.append(settings.state_dir, lines), secrets)
    if (path := settings.metrics_textfile) is not None:
        _attempt(
            "METRICS_TEXTFILE",
            lambda: textfile.update_traffic_alerts(path, holding, settings),
            secrets,
        )
    if lines and (hook := settings.webhook_url) is not None:
        content = {"schema_version": SCHEMA_VERSION, "model": settings.model_name, "alerts": lines}
        _within(
            SECONDS_FOR_AN_END,
            {"WEBHOOK_URL": lambda: webhook.post(hook, content, settings.webhook_secret, now)},
            secrets,
        )


def _within(
    seconds: float, calls: Mapping[str, Callable[[], None]], secrets: tuple[str, ...]
) -> None:
    """Make the calls side by side and wait no longer than `seconds`.

    A socket's time-out would not do: it bounds neither an answer that drips nor the look-up of a
    name.
    """
    threads = {
        name: threading.Thread(
            target=_attempt, args=(name, call, secrets), name=f"notice {name}", daemon=True
        )
        for name, call in calls.items()
    }
    end = time.monotonic() + seconds
    for thread in threads.values():
        thread.start()
    for name, thread in threads.items():
        thread.join(max(0.0, end - time.monotonic()))
        if thread.is_alive():
            log.warning(
                "%s did not answer within %g seconds; the cycle is not affected", name, seconds
            )


def _attempt(name: str, action: Callable[[], object], secrets: tuple[str, ...]) -> None:
    """Run an action whose failure is only worth a warning, whatever it is: a notice must never fail
    the cycle that it tells of.
    """
    try:
        action()
    except Exception as error:  # noqa: BLE001 - whatever a notice raises ends here
        log.warning(
            "%s could not be served (%s); the cycle is not affected",
            name,
            masked(f"{type(error).__name__}: {error}", secrets),
        )


__all__ = ["send", "send_alert", "send_start", "send_traffic_alerts"]
