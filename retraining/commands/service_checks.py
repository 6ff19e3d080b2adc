"""What `check` says of the prediction service: versions that lag, tokens that open nothing."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from retraining.commands.problems import Problem, as_problem
from retraining.prediction_log.connection import JOB, PredictionLogError, open_database
from retraining.prediction_log.heartbeats import living_services
from retraining.prediction_log.layout import layout_of
from retraining.serving.tokens import FILE, TokenFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from retraining.prediction_log.heartbeats import Heartbeat
    from retraining.settings import Settings


def services_that_lag(settings: Settings, holder: int | None) -> Iterator[Problem]:
    """Services that, by their last heartbeat, answer with another version than the alias's."""
    if holder is None or not settings.has_prediction_log:
        return
    try:
        living = _living(settings)
    except PredictionLogError as error:  # told once, with what the log's source finds
        yield as_problem(error, "the prediction log")
        return
    for service in living:
        if service.model_version != holder:
            yield _lagging(service, holder, settings)


def _living(settings: Settings) -> tuple[Heartbeat, ...]:
    with closing(open_database(settings.prediction_log_uri, JOB)) as database:
        if layout_of(database) is None:
            return ()
        return living_services(database, settings.model_name, datetime.now(UTC))


def _lagging(service: Heartbeat, holder: int, settings: Settings) -> Problem:
    version = service.model_version
    answers = "had no version to answer with" if version is None else f"answered with v{version}"
    what = (
        f"A service (host and process: {service.service}) {answers} at"
        f" {service.beat_time:%Y-%m-%d %H:%M:%S} UTC, but v{holder} holds the alias"
        f" {settings.production_alias!r}."
    )
    remedy = (
        f"It follows within RELOAD_SECONDS ({settings.reload_seconds:g}). If this stays, its"
        " /health says why it does not serve that version."
    )
    return Problem(what, "prediction service", remedy, 0)


def unreadable_tokens(settings: Settings) -> Iterator[Problem]:
    """Lines of the token file that open nothing, or that it cannot be read at all."""
    file = TokenFile(settings.project)
    path = settings.project / FILE
    try:
        numbers = file.unreadable_lines()
    except (OSError, ValueError) as error:
        what = f"{path} cannot be read, so no token opens anything: {error}."
        yield Problem(what, FILE, "Mend its rights or its text (UTF-8).", 0)
        return
    for number in numbers:
        what = f"Line {number} of {path} is no token, so it opens nothing."
        remedy = (
            "Remove the line; `python prediction_service.py --new-token NAME --scopes SCOPE,...`"
            " makes another token."
        )
        yield Problem(what, FILE, remedy, 0)
