"""The prediction service: it answers with the version that holds the registry alias `production`,
and loads another version when the alias moves.

The retraining job does not need it. `answer` below is the way of one request, `service_of` lists
the parts of a service. `docs/serving.md` says how to use it.
"""

from __future__ import annotations

import gc
import os
import sys
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.dont_write_bytecode = True  # a full disk would cut it short, and every later start would fail

from retraining.cli import obey
from retraining.console.command_lines import SERVICE, program_name
from retraining.console.command_words import Parser, common_flags

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping, Sequence
    from socket import socket

    from fastapi import FastAPI

    from retraining.commands import Answer
    from retraining.report.live.material import Books
    from retraining.serving.log import Logged, Predicted
    from retraining.serving.production import Production, Watcher
    from retraining.serving.project_log import ProjectLog
    from retraining.serving.service import PredictionRequest, Service
    from retraining.settings import Settings

WHAT = "Answer predictions over HTTP with the version that holds the production alias."


async def answer(service: Service, request: PredictionRequest) -> tuple[Predicted, Logged]:
    """One request, from its rows to its answer.

    One version answers all of it, whatever happens to the alias meanwhile.
    """
    from retraining.serving.log import Predicted
    from retraining.serving.refusals import Refusal

    model = service.production.model_now()
    question = await request.read_by(model.schema, service.settings.max_request_rows)
    service.charge(request.paid_by, question.rows.count)
    answers = await service.batches.answers(model, question.rows)
    predicted = Predicted.of(request, question, model, answers)
    try:
        logged = await service.log.write(predicted)
    except Refusal as refusal:  # the log is down; the caller still learns who was asked
        raise refusal.after_asking(model.version) from None
    return predicted, logged


@dataclass(frozen=True)
class Start:
    """How a service was started.

    Attributes:
        host: the address that it listens on; None inside another application, which listens.
        workers: how many processes answer.
        is_first: whether this is the first of them; only the first one starts cycles, for example.
        environment: of the cycles that it starts.
    """

    host: str | None
    environment: Mapping[str, str]
    workers: int = 1
    is_first: bool = True


def service_of(settings: Settings, start: Start) -> Service:
    """The parts of a service for one project."""
    from retraining.serving.access import Access
    from retraining.serving.batching import Batches
    from retraining.serving.heart import Heart
    from retraining.serving.intake import Intake
    from retraining.serving.jobs import Clockwork, Jobs
    from retraining.serving.live import LivePage
    from retraining.serving.metrics import Metrics
    from retraining.serving.project_log import ProjectLog
    from retraining.serving.rates import rate_limit
    from retraining.serving.service import Service
    from retraining.serving.tokens import TokenFile
    from retraining.serving.watching import Watch

    metrics = Metrics()
    log = ProjectLog(settings, metrics)
    heart = Heart(settings.model_name, lambda: log.database)
    production = production_of(settings, start, log, (metrics, heart))
    jobs, seconds = Jobs(settings, start.environment), settings.cycle_every_seconds
    clockwork = Clockwork(jobs, seconds) if seconds is not None and start.is_first else None
    watch = Watch(
        settings, start.environment, lambda: log.database, metrics, looks_in_time=start.is_first
    )
    page = LivePage(
        settings,
        production,
        log,
        watch,
        jobs,
        clockwork,
        metrics,
        read_books=lambda: books(settings),
    )
    return Service(
        settings=settings,
        production=production,
        batches=Batches(settings.max_request_rows, metrics.batch),
        log=log,
        access=Access(settings, start.host, TokenFile(settings.project)),
        intake=Intake(settings.max_request_bytes),
        rates=rate_limit(settings, start.workers),
        metrics=metrics,
        jobs=jobs,
        clockwork=clockwork,
        watch=watch,
        heart=heart,
        history=lambda: past_cycles(settings),
        page=page,
        report_of=lambda cycle_id: report_of(settings, cycle_id),
        answer=answer,
    )


def production_of(
    settings: Settings, start: Start, log: ProjectLog, watchers: tuple[Watcher, ...]
) -> Production:
    """What follows the alias; of several processes the first alone writes alerts."""
    from retraining.model_registry.mlflow_registry import MlflowRegistry
    from retraining.serving.production import Production
    from retraining.serving.reloads import ReloadAlerts

    return Production(
        settings,
        lambda patience, scratch: MlflowRegistry(settings, patience=patience, scratch=scratch),
        log,
        watchers=(*watchers, ReloadAlerts(settings)) if start.is_first else watchers,
    )


def past_cycles(settings: Settings) -> list[Any]:
    """What `history --json` prints."""
    from retraining.commands.history import last_cycles

    return last_cycles(settings)


def books(settings: Settings) -> Books:
    """What past cycles left, for the live page."""
    from retraining.commands.live_facts import read_books

    return read_books(settings)


def report_of(settings: Settings, cycle_id: str) -> str | None:
    """The page that a cycle left, None where there is none."""
    from retraining.commands.live_facts import read_report

    return read_report(settings, cycle_id)


def app(project: Path | str) -> FastAPI:
    """The application of a project, to be mounted in one of your own.

    Yours runs its lifespan and answers for hosts: docs/serving.md has the lines.
    """
    from retraining.serving.application import application
    from retraining.settings import load

    settings = load(Path(project), os.environ)
    return application(service_of(settings, Start(host=None, environment=os.environ)))


def parse(words: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(prog=program_name(SERVICE), parents=[common_flags()], description=WHAT)
    parser.add_argument("--host", default="127.0.0.1", metavar="H", help="address (127.0.0.1)")
    parser.add_argument("--port", type=int, default=8002, metavar="P", help="port (8002)")
    parser.add_argument(
        "--workers", type=int, default=1, metavar="N", help="processes that answer (1)"
    )
    tokens = parser.add_mutually_exclusive_group()
    tokens.add_argument("--new-token", metavar="NAME", help="make a token, print it once, and end")
    tokens.add_argument("--tokens", action="store_true", help="list the tokens' names, and end")
    tokens.add_argument("--withdraw", metavar="NAME", help="withdraw a token, and end")
    parser.add_argument(
        "--scopes", default="", metavar="SCOPE,...", help="what a new token may do (--new-token)"
    )
    args = parser.parse_args(words)
    if args.workers < 1:
        parser.error(f"argument --workers: {args.workers} is no number of processes")
    return args


def act(args: argparse.Namespace, settings: Settings, environment: Mapping[str, str]) -> Answer:
    """Manage tokens, or serve until SIGTERM or Ctrl-C."""
    from retraining.commands import Answer, tokens
    from retraining.logs import set_up_streams
    from retraining.serving.access import Access
    from retraining.serving.server import bound_socket
    from retraining.serving.tokens import TokenFile

    if args.new_token is not None or args.tokens or args.withdraw is not None:
        return tokens.answer(args, settings)
    set_up_streams(
        settings,
        sys.__stderr__ or sys.stderr,
        quiet=args.quiet,
        verbose=args.verbose,
        log_file=args.log_file,
    )
    Access(settings, args.host, TokenFile(settings.project)).refuse_an_open_start()
    say_what_is_missing(settings)
    with bound_socket(args.host, args.port) as listener:
        start = Start(host=args.host, environment=environment, workers=args.workers)
        serve(settings, start, listener)
    gc.freeze()  # else Python looks for garbage among all that was imported, while nobody answers
    return Answer({"ending": "stopped"})


def say_what_is_missing(settings: Settings) -> None:
    """A mistyped --project would look healthy: it waits for a model that never comes."""
    from retraining.cycle.production import store_is_away
    from retraining.logs import log

    folder = settings.project
    if settings.env_file is None and not (folder / ".env").is_file():
        log.warning("%s has no .env: all settings are defaults or the environment's.", folder)
    if store_is_away(settings):
        log.warning(
            "%s has no store, so no version holds the alias %r: nothing is answered until one does."
            " Correct --project, or register a first model: `%s --set-alias`.",
            folder,
            settings.production_alias,
            settings.register_command,
        )


def serve(settings: Settings, start: Start, listener: socket) -> None:
    """Answer on a socket, in this process or in several."""
    from retraining.serving import workers

    if start.workers == 1:
        serve_here(settings, start, listener)
        return
    with workers.shared_metrics():
        import_what_all_share()
        workers.Workers(
            start.workers,
            listener,
            lambda number, barrier: serve_here(
                settings, replace(start, is_first=number == 0), listener, barrier
            ),
        ).run()


def serve_here(
    settings: Settings, start: Start, listener: socket, barrier: Callable[[], None] | None = None
) -> None:
    """Answer on a socket in this process.

    `barrier` returns when all workers are ready: until then the socket is not listened on.
    """
    from retraining.serving.application import application
    from retraining.serving.server import serve_on

    serve_on(listener, application(service_of(settings, start), barrier))


def import_what_all_share() -> None:
    """Load the heavy packages once, before the process is forked."""
    for name in ("retraining.serving.application", "mlflow.sklearn", "sklearn.ensemble", "uvicorn"):
        import_module(name)


def main(words: Sequence[str]) -> int:
    """Obey one command line; the exit code."""
    environment = dict(os.environ)
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # rows are few and callers many
    return obey(words, parse, lambda args, settings, _: act(args, settings, environment))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
