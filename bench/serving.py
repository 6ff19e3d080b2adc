"""The prediction service against `mlflow models serve` of the pinned version:
`python -m bench.serving`, or `make bench-serving`.

The same version, one worker each, the prediction log switched on, both asked in turns by the same
clients from a process of their own. Read the ratios, not the figures beside them: ours over theirs
by the clock, and by the servers' CPU a row, which other work on the machine disturbs less.
`--rounds` sets how often each is asked.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import uvloop

from bench import data
from bench.measuring import Ratio, ratio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

SECONDS = 3.0  # of asking, each time
PATIENCE = 180.0  # seconds until a server answers
PORTS = {"ours": 8201, "theirs": 8202}
TICKS = os.sysconf("SC_CLK_TCK")
OWN_RECIPE = '''"""A recipe as people bring it: logistic regression behind a ColumnTransformer."""

from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler


def train_model(X_train, y_train):
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    columns = make_column_transformer(
        (numbers, make_column_selector(dtype_include="number")),
        (OneHotEncoder(handle_unknown="ignore"), make_column_selector(dtype_exclude="number")),
    )
    return make_pipeline(columns, LogisticRegression()).fit(X_train, y_train)
'''


@dataclass(frozen=True)
class Load:
    """How the servers are asked: so many clients at once, so many rows in a request."""

    clients: int
    rows: int


@dataclass(frozen=True)
class Pace:
    """What a server did in a while.

    Attributes:
        rows: answered in a second.
        seconds: of each request, sorted.
        cpu: seconds of the server's CPU for a row.
    """

    rows: float
    seconds: tuple[float, ...]
    cpu: float

    @property
    def median(self) -> float:
        """Of the requests' seconds."""
        return statistics.median(self.seconds)

    @property
    def p99(self) -> float:
        """Of the requests' seconds."""
        return self.seconds[int(0.99 * (len(self.seconds) - 1))]


@dataclass(frozen=True)
class Goal:
    """A line of the table; `most` or `least` bounds the ratio of `measure`, ours over theirs."""

    what: str
    load: Load
    measure: Callable[[Pace], float]
    most: float | None = None
    least: float | None = None

    def met(self, found: Ratio) -> bool:
        """Whether the median keeps the bound."""
        if self.most is not None:
            return found.median <= self.most
        return self.least is not None and found.median >= self.least

    @property
    def bound(self) -> str:
        """As it is printed."""
        return f"<= {self.most}" if self.most is not None else f">= {self.least}"


def median_of(pace: Pace) -> float:
    """The median of a request's seconds."""
    return pace.median


def p99_of(pace: Pace) -> float:
    """What 99 requests in 100 stay under, in seconds."""
    return pace.p99


def rows_of(pace: Pace) -> float:
    """Rows a second."""
    return pace.rows


ALONE = Load(clients=1, rows=1)
SHIPPED = (
    Goal("one client, one row: p50", ALONE, median_of, most=0.35),
    Goal("one client, one row: p99", ALONE, p99_of, most=0.5),
    Goal("32 clients, one row: rows a second", Load(32, 1), rows_of, least=8),
    Goal("4 clients, 64 rows: rows a second", Load(4, 64), rows_of, least=4),
    Goal("4 clients, 1,000 rows: rows a second", Load(4, 1000), rows_of, least=2),
)
OWN = (Goal("one client, one row, another recipe: p50", ALONE, median_of, most=0.8),)
MOST_TO_READY = 1.0


def main() -> None:
    """Print a line for each goal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often each server is asked (5)")
    rounds = parser.parse_args().rounds
    print("what; ours, theirs; ratio by the clock, by CPU; goal")
    with tempfile.TemporaryDirectory() as folder:
        shipped = project_of(Path(folder) / "shipped", None)
        compare_starts(shipped, rounds)
        compare_answers(shipped, SHIPPED, rounds)
        compare_answers(project_of(Path(folder) / "own", OWN_RECIPE), OWN, rounds)


def project_of(folder: Path, recipe: str | None) -> Path:
    """A project with version 1 of a recipe, the shipped one or a text, in production."""
    settings = {"TARGET_COLUMN": "target", "RETRAIN_THRESHOLD": 0.8}
    made = data.Project.made(folder, settings)
    if recipe is not None:
        (folder / "train_classification_model.py").write_text(recipe)
    data.write_files(folder / "used_data", 8, 5_000)
    words = ["--train-from", "used_data", "--set-alias", "-q", "--project", str(made.folder)]
    script = str(data.CLONE / "register_first_model.py")
    subprocess.run([sys.executable, script, *words], env=environment(folder), check=True)
    return folder


# --- servers --------------------------------------------------------------------------------------


def environment(project: Path) -> dict[str, str]:
    """Ours, with the project's store, one thread for both, and MLflow's helpers on the path."""
    store = f"sqlite:///{project}/mlflow_server/backend_db/mlflow.db"
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    more = {"MLFLOW_TRACKING_URI": store, "OMP_NUM_THREADS": "1", "PATH": path}
    # `monitor`, which ours starts now and then, answers nobody here
    more |= {"MONITOR_EVERY_SECONDS": "1000000", "MLFLOW_DISABLE_TELEMETRY": "true"}
    return {**os.environ, **more}


def command(who: str, project: Path) -> list[str]:
    """How a server is started."""
    port = str(PORTS[who])
    if who == "ours":
        script = str(data.CLONE / "prediction_service.py")
        return [sys.executable, script, "-q", "--project", str(project), "--port", port]
    words = ["models", "serve", "-m", "models:/classifier@production", "--env-manager", "local"]
    return [sys.executable, "-m", "mlflow", *words, "--workers", "1", "--port", port]


@contextmanager
def serving(who: str, project: Path) -> Iterator[int]:
    """A server that answers; the id of its process group."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command(who, project),
            env=environment(project),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
        try:
            wait_until_ready(who, process)
            yield process.pid
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            process.wait(60)


def wait_until_ready(who: str, process: subprocess.Popen[bytes]) -> None:
    """Until a server says that it has its model.

    Raises:
        SystemExit: it does not in time, or has ended.
    """
    address = f"http://127.0.0.1:{PORTS[who]}/{'ready' if who == 'ours' else 'ping'}"
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), urllib.request.urlopen(address, timeout=5):
            return
        time.sleep(0.02)
    raise SystemExit(f"The server on port {PORTS[who]} did not get ready.")


def cpu_of(group: int) -> float:
    """CPU seconds of all processes of a group."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            if int(fields[2]) == group:
                ticks += int(fields[11]) + int(fields[12])
    return ticks / TICKS


# --- clients --------------------------------------------------------------------------------------


def body_of(rows: int) -> bytes:
    """A request for so many rows, that both servers take."""
    features = data.rows(rows, seed=99).drop(["target"])
    return json.dumps({"dataframe_records": features.to_pylist()}).encode()


class Client(asyncio.Protocol):
    """Asks again as soon as it is answered, until the time is up."""

    def __init__(self, request: bytes, end: float, ended: asyncio.Future[None]) -> None:
        self.seconds: list[float] = []
        self._request, self._end, self._ended = request, end, ended
        self._answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the first time."""
        self._transport = cast("asyncio.Transport", transport)
        self._ask()

    def data_received(self, data: bytes) -> None:
        """Ask again where the answer is whole."""
        self._answer += data
        head, found, content = self._answer.partition(b"\r\n\r\n")
        if not found:
            return
        length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        assert length, head
        if len(content) < int(length[1]):
            return
        assert head.startswith(b"HTTP/1.1 200"), self._answer
        now = time.perf_counter()
        self.seconds.append(now - self._began)
        if now < self._end:
            self._ask()
            return
        self._transport.close()
        self._ended.set_result(None)

    def _ask(self) -> None:
        self._answer, self._began = b"", time.perf_counter()
        self._transport.write(self._request)


def ask_for_a_while(who: str, load: Load) -> list[float]:
    """Seconds of each request that some clients made, each on a connection of its own."""
    body, path = body_of(load.rows), "/predict" if who == "ours" else "/invocations"
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    request = head.encode() + f"Content-Length: {len(body)}\r\n\r\n".encode() + body

    async def all_of_them() -> list[float]:
        loop = asyncio.get_running_loop()
        end = time.perf_counter() + SECONDS
        clients = [Client(request, end, loop.create_future()) for _ in range(load.clients)]
        for client in clients:
            await loop.create_connection(
                lambda one=client: one,  # type: ignore[misc]
                "127.0.0.1",
                PORTS[who],
            )
        await asyncio.gather(*[client._ended for client in clients])  # noqa: SLF001
        return [second for client in clients for second in client.seconds]

    return uvloop.run(all_of_them())


def paced(who: str, group: int, load: Load) -> Pace:
    """How a server answers a load, asked from a process of its own."""
    cpu = cpu_of(group)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        seconds = pool.apply(ask_for_a_while, (who, load))
    rows = len(seconds) * load.rows
    return Pace(rows / SECONDS, tuple(sorted(seconds)), (cpu_of(group) - cpu) / rows)


# --- the comparison -------------------------------------------------------------------------------


def compare_answers(project: Path, goals: Sequence[Goal], rounds: int) -> None:
    """Both servers side by side, asked in turns."""
    with serving("ours", project) as ours, serving("theirs", project) as theirs:
        for load in dict.fromkeys(goal.load for goal in goals):
            groups = {"ours": ours, "theirs": theirs}
            found: dict[str, list[Pace]] = {"ours": [], "theirs": []}
            for turn in range(rounds + 1):
                for who, group in groups.items():
                    pace = paced(who, group, load)
                    if turn:  # the first one warms up
                        found[who].append(pace)
            for goal in goals:
                if goal.load == load:
                    tell(goal, found["ours"], found["theirs"])


def tell(goal: Goal, ours: Sequence[Pace], theirs: Sequence[Pace]) -> None:
    """Print one line."""
    values = [[goal.measure(pace) for pace in paces] for paces in (ours, theirs)]
    clock = ratio(*values)
    cpu = ratio([pace.cpu for pace in ours], [pace.cpu for pace in theirs])
    shown = ", ".join(f"{statistics.median(one):,.4g}" for one in values)
    verdict = "met" if goal.met(clock) else "missed"
    print(f"{goal.what}; {shown}; {clock}, {cpu}; {goal.bound}: {verdict}", flush=True)


def compare_starts(project: Path, rounds: int) -> None:
    """From the start of a process to its first answer, in turns."""
    found: dict[str, list[tuple[float, float]]] = {"ours": [], "theirs": []}
    for _ in range(rounds):
        for who, measured in found.items():
            began = time.perf_counter()
            with serving(who, project) as group:
                measured.append((time.perf_counter() - began, cpu_of(group)))
    clock, cpu = (
        ratio([one[place] for one in found["ours"]], [one[place] for one in found["theirs"]])
        for place in (0, 1)
    )
    shown = ", ".join(f"{statistics.median(one[0] for one in both):.3g}" for both in found.values())
    verdict = "met" if clock.median <= MOST_TO_READY else "missed"
    print(f"start to ready, s; {shown}; {clock}, {cpu}; <= {MOST_TO_READY}: {verdict}", flush=True)


if __name__ == "__main__":
    main()
