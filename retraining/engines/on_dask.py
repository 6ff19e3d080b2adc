"""A Dask scheduler and its workers: reached, checked, given tasks, and followed to their ends."""

from __future__ import annotations

import os
import shlex
import socket
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from retraining.engines import worker
from retraining.errors import EngineUnreachableError, OtherVersionsError
from retraining.phrases import first_few

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from distributed import Client, Future

T = TypeVar("T")

HERE = "dask"  # ENGINE: workers on this machine, started and ended by us
PATIENCE = 10.0  # seconds for a scheduler to answer, and for workers to come
PAUSE = 0.05
AGAIN = 3  # times that a task is run again whose process was lost


@dataclass(frozen=True)
class Engine:
    """Workers that are ready.

    Attributes:
        client: that speaks to their scheduler.
        address: as people know it.
        hosts: host -> how many tasks it works on at once.
    """

    client: Client
    address: str
    hosts: Mapping[str, int]

    @property
    def is_here(self) -> bool:
        """Whether all workers are on this machine."""
        return set(self.hosts) == {socket.gethostname()}

    def shared(self, value: T) -> Any:
        """A value that many tasks take: sent once to each worker."""
        return self.client.scatter(value, broadcast=True)

    def submit(self, work: Callable[..., T], *arguments: Any) -> Future:
        """Send a task; it may run more than once."""
        return self.client.submit(work, *arguments, pure=False, retries=AGAIN)

    def ended(self, tasks: Sequence[Future], look: Callable[[], None]) -> Iterator[int]:
        """The places of tasks as they end; `look` is called meanwhile.

        Raises:
            EngineUnreachableError: the scheduler is gone.
        """
        waiting = dict(enumerate(tasks))
        while waiting:
            look()
            for place, task in list(waiting.items()):
                if task.status in ("cancelled", "lost"):
                    raise _gone(self.address)
                if task.done():
                    del waiting[place]
                    yield place
            if self.client.status not in ("running", "connecting"):
                raise _gone(self.address)
            time.sleep(PAUSE)

    def on_every_worker(self, work: Callable[..., object], *arguments: object) -> None:
        """Call it in each worker's process, beside the tasks."""
        with suppress(OSError):
            self.client.run(work, *arguments, on_error="ignore")


@contextmanager
def engine(named: str) -> Iterator[Engine]:
    """Workers of ENGINE; those on this machine end with it.

    Raises:
        EngineUnreachableError: no scheduler answers there, or it has no workers.
        OtherVersionsError: workers have other versions of packages than this process.
    """
    import dask
    from distributed import Client

    settings = {
        "distributed.nanny.pre-spawn-environ": {},  # threads are as many as they would be alone
        "distributed.comm.timeouts.connect": PATIENCE,
        "distributed.logging": {"distributed": "critical"},
        "distributed.worker.daemon": False,
    }
    with dask.config.set(settings), tempfile.TemporaryDirectory(prefix="dask-") as folder:
        if named == HERE:
            from distributed import LocalCluster

            cores = len(os.sched_getaffinity(0))
            with LocalCluster(
                n_workers=cores,
                threads_per_worker=1,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",  # None would take port 8787
                memory_limit=0,
                local_directory=folder,
                silence_logs="CRITICAL",
            ) as cluster:
                client = Client(cluster, set_as_default=False)
                with client:
                    yield Engine(client, named, {socket.gethostname(): cores})
            return
        address = named.replace("dask://", "tcp://", 1)
        try:
            client = Client(address, set_as_default=False, timeout=PATIENCE)
        except (OSError, TimeoutError, ValueError) as error:
            raise _gone(named) from error
        try:
            yield Engine(client, named, _checked_hosts(client, named))
        finally:
            with suppress(OSError, TimeoutError):
                client.close(timeout=2)


def _checked_hosts(client: Client, named: str) -> dict[str, int]:
    """Host -> tasks at once, after seeing that workers are there and have our versions."""
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError as error:
        raise EngineUnreachableError(
            f"The Dask scheduler {named} has no workers.",
            remedy="Start some: docs/scale.md has the line.",
        ) from error
    threads = {
        address: int(facts["nthreads"])
        for address, facts in client.scheduler_info(n_workers=-1)["workers"].items()
    }
    try:
        sites: dict[str, worker.Site] = client.run(worker.site)
    except ModuleNotFoundError as error:
        raise OtherVersionsError(
            f"The workers of {named} cannot import {error.name}.",
            remedy="Start them in the clone's folder, by the Python of its .venv: docs/scale.md.",
        ) from error
    _refuse_other_versions(named, sites)
    hosts: dict[str, int] = {}
    for address, one in sites.items():
        hosts[one.host] = hosts.get(one.host, 0) + threads.get(address, 1)
    return hosts


def _refuse_other_versions(named: str, sites: Mapping[str, worker.Site]) -> None:
    ours = worker.site().versions
    differ = [
        f"{name} {version} on {one.host}, {ours[name]} here"
        for one in sites.values()
        for name, version in one.versions.items()
        if version != ours[name]
    ]
    if differ:
        differences = first_few(list(dict.fromkeys(differ)), 5)
        install = shlex.join([sys.executable, "-m", "pip", "install", "-c", "constraints.txt"])
        raise OtherVersionsError(
            f"The workers of {named} have other versions: {differences}.",
            remedy=(
                f"Install the same there: `{install} -r requirements.txt -r "
                "requirements-scale.txt`, and start them again."
            ),
        )


def _gone(named: str) -> EngineUnreachableError:
    return EngineUnreachableError(
        f"The Dask scheduler {named} cannot be reached, or is gone.",
        unchanged="What had begun ends by itself, or the next start finishes or undoes it.",
        remedy="Start it again, correct ENGINE, or leave ENGINE out: the work is done here then.",
    )
