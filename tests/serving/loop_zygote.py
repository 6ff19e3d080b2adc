"""A process that has imported service and export, and forks one of them for each line it reads: a
start with imports costs seconds.

Reads one JSON object a line: `{"what": "service" or "job", "project", "settings", "port"}`, and
"kill_at" for one that is to die at a named place; answers with the child's process id.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvicorn

import prediction_service
from retraining.kill_points import kill_at
from retraining.model_registry import mlflow_registry
from retraining.project import Project
from retraining.serving.application import application
from retraining.serving.server import bound_socket
from retraining.settings import load
from retraining.sources import predictions
from retraining.sources.predictions import fetching
from tests.serving.services import SCHEMA

IMPORTED = (mlflow_registry, fetching, Project)


def serve(folder: Path, settings: dict[str, str], port: int) -> None:
    parts = prediction_service.service_of(
        load(folder, settings), prediction_service.Start("127.0.0.1", {})
    )
    with bound_socket("127.0.0.1", port) as listener:
        config = uvicorn.Config(
            application(parts), loop="uvloop", http="httptools", log_config=None
        )
        uvicorn.Server(config).run(sockets=[listener])


def export(folder: Path, settings: dict[str, str]) -> None:
    source = predictions.open_source(load(folder, settings))
    clock = lambda: datetime.now(UTC)
    if source.has_news(SCHEMA, clock):
        source.fetch(SCHEMA, clock)


def become(start: dict[str, Any]) -> None:
    folder = Path(start["project"])
    if "kill_at" in start:
        kill_at(start["kill_at"])
    if start["what"] == "service":
        serve(folder, start["settings"], start["port"])
    else:
        export(folder, start["settings"])


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the dead
    print("ready", flush=True)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            code = 1
            try:
                become(json.loads(line))
                code = 0
            finally:
                os._exit(code)
        print(child, flush=True)


if __name__ == "__main__":
    main()
