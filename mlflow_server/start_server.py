"""Start MLflow's server and UI on a project's own store.

    python mlflow_server/start_server.py [--project DIR] [--port 5000] [--host 127.0.0.1]
    [--allowed-hosts NAMES]

The store is `mlflow_server/backend_db/mlflow.db` of the project, the artifacts lie in
`mlflow_server/artifacts` beside it. They are not
proxied: the server and a cycle that opens the bare sqlite file see the same files, so either may be
    used at any time. Nobody but this
machine can connect unless `--host` says otherwise. It runs until it is interrupted (Ctrl-C,
SIGTERM), and takes its children along.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

CLONE = Path(__file__).resolve().parent.parent
SECONDS_TO_START, SECONDS_TO_STOP = 90, 10


class Interrupted(Exception):  # noqa: N818 - a signal is no error
    """Somebody asked the server to end."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until interrupted; the exit code."""
    options = _options(arguments)
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    sys.path.insert(0, str(CLONE))
    sys.dont_write_bytecode = True  # a full disk would cut it short
    from retraining.errors import RetrainingError

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _interrupt)
    try:
        return _serve(_command(options), f"http://{options.host}:{options.port}")
    except RetrainingError as error:
        sys.stderr.write("\n".join(error.lines()) + "\n")
        return error.exit_code
    except Interrupted:
        return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Start MLflow's server and UI on a project's own store."
    )
    parser.add_argument(
        "--project", type=Path, default=CLONE, help="the project's folder (default: the clone)"
    )
    parser.add_argument("--port", type=int, default=5000, help="default: 5000")
    parser.add_argument(
        "--host", default="127.0.0.1", help="the address to listen on (default: this machine only)"
    )
    parser.add_argument(
        "--allowed-hosts",
        help="names by which browsers reach it, comma separated (default: the host, localhost)",
    )
    return parser.parse_args(arguments)


def _command(options: argparse.Namespace) -> list[str]:
    """The server's command line, once the store and our experiment are there."""
    from retraining import settings
    from retraining.errors import UsageError

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((options.host, options.port))
        except OSError as error:
            where = f"{options.host}:{options.port}"
            raise UsageError(
                f"No server can listen on {where}: {error.strerror}.", remedy="Name another --port."
            ) from error
    from retraining.model_registry.own_experiment import prepare_local_store

    store = prepare_local_store(settings.load(options.project, os.environ))
    names = options.allowed_hosts or ",".join(
        f"{name},{name}:*" for name in dict.fromkeys((options.host, "localhost", "127.0.0.1"))
    )
    return [
        *(sys.executable, "-m", "mlflow", "server"),
        *("--host", options.host, "--port", str(options.port), "--workers", "1"),
        *("--backend-store-uri", store.mlflow_tracking_uri, "--no-serve-artifacts"),
        *("--allowed-hosts", names),
        *("--default-artifact-root", (store.project / "mlflow_server" / "artifacts").as_uri()),
    ]  # fmt: skip


def _serve(command: Sequence[str], url: str) -> int:
    """Run the server in a process group of its own, say when it answers, and end the whole group at
    the end.
    """
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    # a server that asked another one would wait for itself
    environment.pop("MLFLOW_TRACKING_URI", None)
    server = subprocess.Popen(command, env=environment, start_new_session=True)
    try:
        if _wait_until_it_answers(server, url):
            sys.stdout.write(f"MLflow's UI is at {url}; end it with Ctrl-C.\n")
            sys.stdout.flush()
        return server.wait()
    finally:
        _end(server)


def _wait_until_it_answers(server: subprocess.Popen[bytes], url: str) -> bool:
    deadline = time.monotonic() + SECONDS_TO_START
    while server.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=2):  # noqa: S310 - our own server
                return True
        except OSError:
            time.sleep(0.2)
    return False


def _end(server: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(server.pid, number)
            server.wait(SECONDS_TO_STOP)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise Interrupted


if __name__ == "__main__":
    sys.exit(main())
