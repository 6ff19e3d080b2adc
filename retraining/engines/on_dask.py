"""A Dask scheduler and its workers: reached, checked, given tasks, and followed to their ends."""

from __future__ import annotations

import logging
import os
import shlex
import socket
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from retraining.engines import reaching, worker
from retraining.errors import EngineUnreachableError, OtherVersionsError
from retraining.phrases import first_few

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from distributed import Client, Future

T = TypeVar("T")

HERE = "dask"  # ENGINE: workers on this machine, started and ended by us
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
                    raise _lost(self.address)
                if task.done():
                    del waiting[place]
                    yield place
            if self.client.status not in ("running", "connecting"):
                raise _lost(self.address)
            time.sleep(reaching.PAUSE)

    def on_every_worker(self, work: Callable[..., object], *arguments: object) -> None:
        """Call it in each worker's process, beside the tasks."""
        with suppress(OSError):
            self.client.run(work, *arguments, on_error="ignore")


def _nothing() -> None:
    """What a wait without an end of its own looks at."""


@contextmanager
def engine(named: str, look: Callable[[], None] = _nothing) -> Iterator[Engine]:
    """Workers of ENGINE; those on this machine end with it.

    Args:
        named: ENGINE.
        look: called while nobody has answered yet; what it raises ends the wait.

    Raises:
        EngineUnreachableError: no scheduler answers there, or it has no workers, or they are
            silent.
        OtherVersionsError: workers have other versions of packages than this process.
    """
    import dask

    settings = {
        "distributed.nanny.pre-spawn-environ": {},  # threads are as many as they would be alone
        "distributed.comm.timeouts.connect": reaching.PATIENCE,
        "distributed.logging": {"distributed": "critical"},  # of the workers that we start
        "distributed.worker.daemon": False,
    }
    _keep_dask_silent()
    with dask.config.set(settings), tempfile.TemporaryDirectory(prefix="dask-") as folder:
        open_engine = _engine_here(folder) if named == HERE else _engine_at(named, look)
        with open_engine as workers:
            yield workers


def _keep_dask_silent() -> None:
    """What it logs of a lost scheduler are tracebacks; we say it ourselves, in three lines."""
    import distributed  # noqa: F401 - it gives its loggers their levels while it loads

    for name in ("distributed", "distributed.client", "asyncio", "tornado"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


@contextmanager
def _engine_here(folder: str) -> Iterator[Engine]:
    """Workers on this machine, as many as it has cores."""
    from distributed import Client, LocalCluster

    cores = len(os.sched_getaffinity(0))
    with (
        LocalCluster(
            n_workers=cores,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",  # None would take port 8787
            memory_limit=0,
            local_directory=folder,
            silence_logs="CRITICAL",
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield Engine(client, HERE, {socket.gethostname(): cores})


@contextmanager
def _engine_at(named: str, look: Callable[[], None]) -> Iterator[Engine]:
    """The workers of a running scheduler."""
    from distributed import Client

    address = named.replace("dask://", "tcp://", 1)
    reaching.greet(named, address, look)
    connect = partial(Client, address, set_as_default=False, timeout=reaching.PATIENCE)
    try:
        client = reaching.patiently(connect, look)
    except OSError as error:
        raise reaching.unreachable(named, error) from error
    try:
        yield Engine(client, named, _checked_hosts(client, named, look))
    finally:
        with suppress(OSError, TimeoutError):
            client.close(timeout=2)


def _checked_hosts(client: Client, named: str, look: Callable[[], None]) -> dict[str, int]:
    """Host -> tasks at once, after seeing that workers are there and have our versions."""
    try:
        reaching.patiently(partial(client.wait_for_workers, 1, timeout=reaching.PATIENCE), look)
    except TimeoutError as error:
        raise EngineUnreachableError(
            f"The Dask scheduler {named} has no workers: none came within {reaching.PATIENCE:g} s.",
            remedy="Start some: docs/scale.md has the line.",
        ) from error
    except OSError as error:
        raise reaching.unreachable(named, error) from error
    workers = client.scheduler_info(n_workers=-1)["workers"]
    threads = {address: int(facts["nthreads"]) for address, facts in workers.items()}
    sites = _sites(client, named, look)
    _refuse_other_versions(named, sites)
    hosts: dict[str, int] = {}
    for address, one in sites.items():
        hosts[one.host] = hosts.get(one.host, 0) + threads.get(address, 1)
    return hosts


def _sites(client: Client, named: str, look: Callable[[], None]) -> dict[str, worker.Site]:
    """Where each worker is, as it says itself."""
    try:
        return reaching.patiently(partial(client.run, worker.site), look)
    except ModuleNotFoundError as error:
        raise OtherVersionsError(
            f"The workers of {named} cannot import {error.name}.",
            remedy="Start them in the clone's folder, by the Python of its .venv: docs/scale.md.",
        ) from error
    except OSError as error:
        why = str(error) or f"no word for {reaching.LONGEST:g} s"
        raise EngineUnreachableError(
            f"A worker of the Dask scheduler {named} does not answer: {why}.",
            remedy="End that worker and start it again: docs/scale.md has the line.",
        ) from error


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


def _lost(named: str) -> EngineUnreachableError:
    return EngineUnreachableError(
        f"The Dask scheduler {named} is gone.",
        unchanged="What had begun ends by itself, or the next start finishes or undoes it.",
        remedy=f"Start it again, and then this command; {reaching.WITHOUT}",
    )
