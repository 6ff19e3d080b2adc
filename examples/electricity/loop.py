"""The second act of `make demo`: the loop from an answer to the version that has learned from it.

A service answers the half-hours that come next, each under an id of its own. The prices come true
and are sent as labels by these ids. The job, started as cron would start it, takes the labelled
rows from the prediction log, retrains, and promotes where the challenger is better; the service
takes the new version up by itself.

    python -m examples.electricity.loop
"""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from examples.electricity.demo import (
    CLONE,
    PROJECT,
    Day,
    days_of_the_market,
    environment,
    shown,
    start,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

DAYS_A_ROUND = 21  # 1,008 half-hours
MOST_ROUNDS = 4
PATIENCE = 120.0  # seconds
TARGET = "target"
SETTINGS = """
# Of the second act: a file for each day of labelled predictions, at once.
PREDICTIONS_ROWS_PER_FILE=48
PREDICTIONS_FILE_WAIT_HOURS=0
RELOAD_SECONDS=1
"""


class Service:
    """The prediction service of the demo's project, on a port of this machine."""

    def __init__(self, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}"

    def ask(self, path: str, body: Any = None) -> Any:
        """What a route answers; with a body it is posted to."""
        request = urllib.request.Request(self.address + path)  # noqa: S310 - an address of ours
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310
            return json.loads(answer.read())

    def version(self) -> int | None:
        """The version that answers now; None while none does."""
        try:
            return int(self.ask("/health")["model"]["version"])
        except (OSError, TypeError):
            return None

    def wait_for(self, version: int | None = None) -> int:
        """Until it answers, by `version` where one is named; which one it is.

        Raises:
            SystemExit: it does not in time.
        """
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            found = self.version()
            if found is not None and version in (None, found):
                return found
            time.sleep(0.2)
        raise SystemExit("the service did not answer in time")


def main() -> int:
    """Play rounds until a version was promoted on what was predicted; the exit code."""
    settings = PROJECT / ".env"
    if SETTINGS not in settings.read_text():
        settings.write_text(settings.read_text() + SETTINGS)
    days = days_to_come()
    with serving() as service:
        version = service.wait_for()
        print(f"\nThe loop: a service answers as v{version} on {service.address}\n", flush=True)
        for _ in range(MOST_ROUNDS):
            answer = play_a_round(service, [next(days) for _ in range(DAYS_A_ROUND)])
            if answer["ending"] == "promoted":
                new = service.wait_for(answer["production_version"])
                print(f"the service loaded v{new} without a restart, and answers as v{new} now")
                print(how_to_serve())
                return 0
    print("no version was promoted on what was predicted")
    return 1


def days_to_come() -> Iterator[Day]:
    """The days that no file of the project holds yet."""
    folders = [PROJECT / name for name in ("new_data", "used_data", "quarantine")]
    names = {path.name for folder in folders if folder.is_dir() for path in folder.iterdir()}
    last = max(name for name in names if name.startswith("electricity-"))
    return (day for day in days_of_the_market() if day.name > last)


def play_a_round(service: Service, days: list[Day]) -> Any:
    """Predictions, their labels a while later, and a cycle; what the cycle printed."""
    truth: dict[str, int] = {}
    right = 0
    for day in days:
        rows = list(csv.DictReader(io.StringIO(day.content.decode())))
        ids = [f"{day.name[12:22]}-{number:02d}" for number in range(len(rows))]
        labels = [int(row.pop(TARGET)) for row in rows]
        records = [{name: float(text) for name, text in row.items()} for row in rows]
        answer = service.ask("/predict", {"ids": ids, "dataframe_records": records})
        pairs = zip(answer["predictions"], labels, strict=True)
        right += sum(predicted == label for predicted, label in pairs)
        truth.update(zip(ids, labels, strict=True))
    print(f"{len(truth)} half-hours predicted and logged, {days[0].name[12:22]} and on")
    sent = [{"prediction_id": name, "label": label} for name, label in truth.items()]
    answer = service.ask("/labels", {"labels": sent})
    print(f"{answer['new']} labels came: {right / len(truth):.3f} of the answers were right")
    cycle = json.loads(start(PROJECT, "pipeline_orchestrator.py", "run", "--json"))
    print(f"the job took them from the log: {cycle['ending']}, {cycle['reason']}", flush=True)
    return cycle


@contextmanager
def serving() -> Iterator[Service]:
    """The service, for as long as the block runs."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    script = str(CLONE / "prediction_service.py")
    command = [sys.executable, script, "-q", "--project", str(PROJECT), "--port", str(port)]
    process = subprocess.Popen(command, env=environment(os.environ), stdin=subprocess.DEVNULL)
    try:
        yield Service(port)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)


def how_to_serve() -> str:
    """What to type next."""
    return f"""
Serve it yourself:             make serve PROJECT={shown(PROJECT)}
                               then open http://127.0.0.1:8002/docs"""


if __name__ == "__main__":
    sys.exit(main())
