"""The prediction service: it answers by the version that holds the registry's alias, and follows the alias when it moves.

It stands beside the retraining job and never in its way: the job works without it. What happens to one request is told by `answer`
below, what a service is made of by `service_of`. `docs/serving.md` says how to use it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retraining.cli import obey
from retraining.command_words import Parser, common_flags

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from fastapi import FastAPI

    from retraining.commands import Answer
    from retraining.serving.log import Logged, Predicted
    from retraining.serving.service import Asked, Service
    from retraining.settings import Settings

WHAT = "Answer predictions over HTTP by the version that holds the production alias."


async def answer(service: Service, asked: Asked) -> tuple[Predicted, Logged]:
    """One request, from its rows to its answer: one version answers all of it, whatever happens to the alias meanwhile."""
    from retraining.serving.log import Predicted

    model = service.production.model_now()
    question = await asked.read_by(model.schema, service.settings.max_request_rows)
    answers = await service.batches.answers(model, question.rows)
    predicted = Predicted.of(asked, question, model, answers)
    logged = await service.log.write(predicted)
    return predicted, logged


def service_of(settings: Settings, environment: Mapping[str, str]) -> Service:
    """The parts of a service for one project; cycles that it starts get the environment."""
    from retraining.model_registry.mlflow_registry import MlflowRegistry
    from retraining.serving.batching import Batches
    from retraining.serving.jobs import Clockwork, Jobs
    from retraining.serving.log import NoLog
    from retraining.serving.metrics import Metrics
    from retraining.serving.production import Production
    from retraining.serving.reloads import ReloadAlerts
    from retraining.serving.service import Service

    log, metrics = NoLog(), Metrics()
    production = Production(
        settings,
        lambda patience, scratch: MlflowRegistry(settings, patience=patience, scratch=scratch),
        log,
        watchers=(metrics, ReloadAlerts(settings)),
    )
    jobs, seconds = Jobs(settings, environment), settings.cycle_every_seconds
    return Service(
        settings=settings,
        production=production,
        batches=Batches(settings.max_request_rows, metrics.batch),
        log=log,
        metrics=metrics,
        jobs=jobs,
        clockwork=None if seconds is None else Clockwork(jobs, seconds),
        history=lambda: past_cycles(settings),
        answer=answer,
    )


def past_cycles(settings: Settings) -> list[Any]:
    """What `history --json` prints."""
    from retraining.commands.history import last_cycles

    return last_cycles(settings)


def app(project: Path | str) -> FastAPI:
    """The application of a project, to be mounted in one of your own.

    `other.mount("/model", app("/srv/churn"))` does, where `other` runs the lifespan of what it mounts.
    """
    from retraining.serving.application import application
    from retraining.settings import load

    return application(service_of(load(Path(project), os.environ), os.environ))


def parse(words: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(prog="prediction_service.py", parents=[common_flags()], description=WHAT)
    parser.add_argument("--host", default="127.0.0.1", metavar="H", help="address (127.0.0.1)")
    parser.add_argument("--port", type=int, default=8002, metavar="P", help="port (8002)")
    return parser.parse_args(words)


def serve(asked: argparse.Namespace, settings: Settings, environment: Mapping[str, str]) -> Answer:
    """Serve until SIGTERM or Ctrl-C."""
    from retraining.commands import Answer
    from retraining.logs import set_up_streams
    from retraining.serving.application import application
    from retraining.serving.server import bound_socket, serve_on

    set_up_streams(
        settings,
        sys.__stderr__ or sys.stderr,
        quiet=asked.quiet,
        verbose=asked.verbose,
        log_file=asked.log_file,
    )
    with bound_socket(asked.host, asked.port) as listener:
        serve_on(listener, application(service_of(settings, environment)))
    return Answer({"ending": "stopped"})


def main(words: Sequence[str]) -> int:
    """Obey one command line; the exit code."""
    environment = dict(os.environ)
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # rows are few and callers many
    return obey(words, parse, lambda asked, settings, _: serve(asked, settings, environment))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
