"""Which MLflow clients and servers go together, tried: `python -m bench.mlflow_versions`.

Four pairs of the newest and the oldest supported MLflow: a server of the one with a job of the
other registers a model, plays a cycle that promotes, reads it back and rolls back. Then each opens
the other's bare sqlite store. The oldest lives in the environment that `make test-oldest` makes;
`--oldest` names another one.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.mlflow_servers import wait_for
from tests.ports import free_port
from tests.projects import CLONE, ORCHESTRATOR, REGISTER, Project, environment_of_cron, tables

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

WITHOUT_A_SERVER = "sqlite store"


@dataclass(frozen=True)
class Installed:
    """An environment with one version of MLflow."""

    python: Path
    mlflow: str

    @classmethod
    def at(cls, python: Path) -> Installed:
        """The environment of an interpreter."""
        program = "from importlib.metadata import version; print(version('mlflow'))"
        result = subprocess.run([python, "-c", program], capture_output=True, text=True, check=True)
        return cls(python, result.stdout.strip())


def main() -> int:
    """Try every pair and print the table; 1 where one did not do as it should."""
    parser = argparse.ArgumentParser(description=__doc__)
    default = CLONE / ".venv-oldest" / "bin" / "python"
    parser.add_argument("--oldest", type=Path, default=default, metavar="PYTHON")
    args = parser.parse_args()
    both = (Installed.at(args.oldest), Installed.at(Path(sys.executable)))
    print("| job's MLflow | server's MLflow | what happened |\n|---|---|---|", flush=True)
    all_well = True
    for client, server in itertools.product(both, both):
        result = through_a_server(client, server)
        all_well &= result == "works"
        print(f"| {client.mlflow} | {server.mlflow} | {result} |", flush=True)
    for client, maker in (both, both[::-1]):
        result = on_the_store_of(client, maker)
        all_well &= result.startswith("refused")
        store = f"none: {WITHOUT_A_SERVER} of {maker.mlflow}"
        print(f"| {client.mlflow} | {store} | {result} |", flush=True)
    return 0 if all_well else 1


def through_a_server(client: Installed, server: Installed) -> str:
    """A first model, a promotion and a roll-back, all through a server that proxies artifacts."""
    with tempfile.TemporaryDirectory() as place, serving(server, Path(place)) as address:
        project = project_in(Path(place), MLFLOW_TRACKING_URI=address)
        return first_failure(client, project) or "works"


def first_failure(client: Installed, project: Project) -> str | None:
    """The last lines of the first start that did not end as it should; None where all did."""
    steps: list[tuple[Sequence[str], str, dict[str, Any]]] = [
        (("--set-alias",), REGISTER, {}),
        (("run",), ORCHESTRATOR, {"ending": "promoted", "production_version": 2}),
        (("check", "--deep"), ORCHESTRATOR, {"ok": True}),
        (("rollback", "--why", "tried"), ORCHESTRATOR, {}),
        (("status",), ORCHESTRATOR, {"production_version": 1}),
        (("reproduce", "v2"), ORCHESTRATOR, {"same": True}),
    ]
    for words, script, expected in steps:
        done = start(client, project, script, *words)
        if done.returncode:
            return f"`{' '.join(words)}` ended {done.returncode}: {last_line(done.stderr)}"
        result = json.loads(done.stdout)
        for name, value in expected.items():
            if result[name] != value:
                return f"`{' '.join(words)}`: {name} is {result[name]}"
        if script == REGISTER:
            project.deliver(*tables(6, seed=2, turned=True))
    return None


def on_the_store_of(client: Installed, maker: Installed) -> str:
    """What a job says of a sqlite file that another MLflow made."""
    with tempfile.TemporaryDirectory() as place:
        project = project_in(Path(place))
        made = start(maker, project, REGISTER, "--set-alias")
        if made.returncode:
            return last_line(made.stderr)
        store = project.folder / "mlflow_server" / "backend_db" / "mlflow.db"
        before = Path(place) / "before.db"
        shutil.copy(store, before)
        project.deliver(*tables(3, seed=2))
        done = start(client, project, ORCHESTRATOR, "run")
        same = store.read_bytes() == before.read_bytes()
        if done.returncode == 3 and same:
            return "refused: exit code 3, the store unchanged"
        return f"ended {done.returncode}, the store {'unchanged' if same else 'changed'}"


def project_in(folder: Path, **settings: str) -> Project:
    """A project of twelve small files, whose next cycle promotes."""
    wanted = {"RETRAIN_WHEN": "always", "MIN_IMPROVEMENT": "-1", **settings}
    project = Project.made(folder / "project", **wanted)
    project.deliver(*tables(12, seed=1), to="used_data", age=7200)
    return project


def start(
    client: Installed, project: Project, script: str, *words: str
) -> subprocess.CompletedProcess[str]:
    """Start a script of the clone in an environment."""
    command: list[str | Path] = [
        client.python,
        CLONE / script,
        *words,
        "--json",
        "--project",
        project.folder,
    ]
    environment = environment_of_cron(project.folder)
    return subprocess.run(
        command, cwd="/", env=environment, capture_output=True, text=True, check=False
    )


def last_line(text: str) -> str:
    """What stderr ended with."""
    return text.strip().splitlines()[-1] if text.strip() else "nothing was said"


@contextlib.contextmanager
def serving(server: Installed, folder: Path) -> Iterator[str]:
    """The address of a server with a sqlite store, which proxies artifacts, as `mlflow server` does
    by default.
    """
    port = free_port()
    command: list[str | Path] = [server.python, "-m", "mlflow", "server", "--port", str(port)]
    command += ["--workers", "1", "--backend-store-uri", f"sqlite:///{folder}/store.db"]
    command += ["--artifacts-destination", folder / "artifacts"]
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**environment_of_cron(folder), **quiet},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            wait_for(f"http://127.0.0.1:{port}", process)
            yield f"http://127.0.0.1:{port}"
        finally:
            with contextlib.suppress(ProcessLookupError):
                # its workers too: they are of the same session
                subprocess.run(["kill", "-TERM", "--", f"-{process.pid}"], check=False)
            process.wait(30)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
