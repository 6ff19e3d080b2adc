"""Which version answers.

The alias's holder, taken over in one step, and never one that is damaged, foreign or broken.
"""

from __future__ import annotations

import gc
import json
import threading
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from retraining.errors import UnreachableError
from retraining.model_registry.mlflow_registry import MlflowRegistry
from retraining.records import Marks
from retraining.serving import production as following
from retraining.serving.production import Production
from retraining.serving.refusals import Refusal
from retraining.serving.routes.operating import info_of
from tests.serving.services import (
    FRAGILE,
    Broken,
    Probe,
    Running,
    move_alias,
    probe_project,
    register,
    running,
    until,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from retraining.records import Version
    from retraining.serving.production import Outcome, Standing
    from retraining.settings import Settings


@dataclass
class Watched:
    """What a watcher was told."""

    outcomes: list[tuple[int, str]] = field(default_factory=list)

    def tried(self, version: int, outcome: Outcome, why: str) -> None:
        self.outcomes.append((version, outcome))

    def stands(self, standing: Standing) -> None: ...


class LogOf:
    """The part of a prediction log that a trial asks: its last rows."""

    def __init__(self, *rows: Mapping[str, Any]) -> None:
        self._rows = rows

    def last_rows(self, count: int) -> Sequence[Mapping[str, Any]]:
        return self._rows[:count]


def production(settings: Settings, watched: Watched, log: Any = None) -> Production:
    return Production(
        settings,
        lambda patience, scratch: MlflowRegistry(settings, patience=patience, scratch=scratch),
        log or LogOf(),
        watchers=(watched,),
    )


def test_a_moved_alias_is_followed(own_probes: Settings) -> None:
    watched = Watched()
    followed = production(own_probes, watched)
    for version in (1, 2, 1):
        move_alias(own_probes, version)
        followed.look()
        assert followed.model_now().version == version
        assert followed.standing.alias_version == version
        assert followed.standing.unserved is None
    assert watched.outcomes == [(1, "loaded"), (2, "loaded"), (1, "loaded")]


def test_whoever_looks_while_a_version_takes_over_sees_one_state(own_probes: Settings) -> None:
    """Once `/health` said that version 1 answered, that 2 held the alias, and that all was well."""
    seen: list[tuple[int | None, int | None]] = []

    def observed(patience: float, scratch: Path) -> MlflowRegistry:
        """Asked in the middle of a look; somebody else reads `/health` then."""
        registry = MlflowRegistry(own_probes, patience=patience, scratch=scratch)
        ask = registry.version

        def version(number: int) -> Version | None:
            standing = followed.standing
            seen.append((standing.model and standing.model.version, standing.alias_version))
            return ask(number)

        registry.version = version
        return registry

    followed = Production(own_probes, observed, LogOf())
    for version in (1, 2, 1):
        move_alias(own_probes, version)
        followed.look()
    assert {(1, 1), (2, 2)} <= set(seen), seen
    assert all(answers == holder for answers, holder in seen), seen


def test_metrics_never_lag_behind_the_version_that_answers(own_probes: Settings) -> None:
    told: list[tuple[int | None, int | None]] = []

    class Late(Watched):
        def stands(self, standing: Standing) -> None:
            told.append(
                (
                    standing.model and standing.model.version,
                    followed.model and followed.model.version,
                )
            )

    followed = production(own_probes, Late())
    for version in (1, 2):
        move_alias(own_probes, version)
        followed.look()
    assert told == [(1, None), (1, 1), (2, 1), (2, 2)], "told first, and answering after"


def test_metrics_are_not_told_of_while_a_version_takes_over(
    own_probes: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[bool] = []

    class Late(Watched):
        def stands(self, standing: Standing) -> None:
            held.append(followed.taking_over.locked())

    followed = production(own_probes, Late())
    followed.look()
    assert held == [True, True]

    with running(own_probes) as service:
        steady = service.parts.production.taking_over
        told = service.parts.metrics.text
        monkeypatch.setattr(
            service.parts.metrics, "text", lambda: (held.append(steady.locked()), told())[1]
        )
        assert service.ask("GET", "/metrics").status == 200
    assert held[2:] == [True]


def test_an_alias_that_nobody_holds_is_zero_in_the_metrics(own_probes: Settings) -> None:
    with running(own_probes) as service:

        def holder() -> str:
            lines = service.ask("GET", "/metrics").body.decode().splitlines()
            return next(line for line in lines if line.startswith("retraining_alias_version "))

        assert holder() == "retraining_alias_version 1.0"
        move_alias(own_probes, None)
        assert until(lambda: service.ask("GET", "/health").json["alias_version"] is None)
        assert holder() == "retraining_alias_version 0.0"


def test_which_version_was_before_is_told_before_its_tag_is_written(own_probes: Settings) -> None:
    followed = production(own_probes, Watched())

    def before() -> int | None:
        followed.look()
        return info_of(followed.model_now(), followed.standing)["previous_version"]

    assert before() is None
    challenger = register(own_probes, Probe(3), champion=1)
    move_alias(own_probes, challenger)
    assert before() == 1, "a cycle tags it when its files are archived"
    assert before() == 1, "and no later look forgets it"
    MlflowRegistry(own_probes).mark(challenger, Marks(previous=2))
    assert before() == 2


def test_without_the_alias_the_loaded_version_goes_on(own_probes: Settings) -> None:
    followed = production(own_probes, Watched())
    followed.look()
    move_alias(own_probes, None)
    followed.look()
    assert followed.model_now().version == 1
    assert followed.standing.alias_version is None
    assert "no version holds the alias" in str(followed.standing.unserved)


def test_without_any_version_callers_are_told_to_ask_again(own_probes: Settings) -> None:
    move_alias(own_probes, None)
    followed = production(own_probes, Watched())
    followed.look()
    with pytest.raises(Refusal) as raised:
        followed.model_now()
    assert (raised.value.status, raised.value.headers) == (503, {"Retry-After": "1"})
    with running(own_probes) as service:
        for path in ("/ready", "/health"):
            reply = service.ask("GET", path)
            assert (reply.status, reply.headers["retry-after"]) == (503, "1")


@pytest.mark.parametrize("rows", [(), ({"row": FRAGILE, "word": "a", "ok": True},)])
def test_a_version_that_cannot_answer_a_trial_is_not_served(
    own_probes: Settings, rows: tuple[dict[str, Any], ...]
) -> None:
    watched = Watched()
    followed = production(own_probes, watched, LogOf(*rows))
    if rows:  # version 1 fails on a row that was logged
        followed.look()
        assert followed.model is None
        return
    followed.look()
    broken = register(own_probes, Broken(3))
    move_alias(own_probes, broken)
    followed.look()
    assert followed.model_now().version == 1
    assert f"version {broken} is not served" in str(followed.standing.unserved)
    assert watched.outcomes == [(1, "loaded"), (broken, "refused")]


def test_a_logged_row_of_another_schema_is_no_reason_to_refuse_a_version(
    own_probes: Settings,
) -> None:
    followed = production(own_probes, Watched(), LogOf({"row": 1.0, "gone": "x"}))
    followed.look()
    assert followed.model_now().version == 1


def test_a_version_that_was_refused_is_tried_again_ever_more_seldom(
    own_probes: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = Watched()
    followed = production(own_probes._replace(reload_seconds=2.0), watched)
    followed.look()
    broken = register(own_probes, Broken(3))
    move_alias(own_probes, broken)
    tries = []
    for second in range(40):
        clock = SimpleNamespace(monotonic=lambda now=second: now)
        monkeypatch.setattr(following, "time", clock)
        before = len(watched.outcomes)
        followed.look()
        if len(watched.outcomes) > before:
            tries.append(second)
    assert tries == [0, 2, 6, 14, 30], "after 2, 4, 8 and 16 s"
    assert watched.outcomes[1:] == [(broken, "refused")] * len(tries)


def test_a_registry_that_is_away_changes_nothing(own_probes: Settings) -> None:
    is_away = threading.Event()

    def opened(patience: float, scratch: Path) -> MlflowRegistry:
        if is_away.is_set():
            raise UnreachableError("it is away.", remedy="Wait.")
        return MlflowRegistry(own_probes, patience=patience, scratch=scratch)

    followed = Production(own_probes, opened, LogOf())
    followed.look()
    since = followed.standing.store_since
    is_away.set()
    followed.look()
    assert followed.model_now().version == 1
    assert not followed.standing.store_ok
    assert followed.standing.store_since > since
    assert followed.standing.alias_version == 1, "as it was known last"


def test_a_store_that_was_moved_away_is_told_from_an_alias_that_was_dropped(
    own_probes: Settings,
) -> None:
    followed = production(own_probes, Watched())
    followed.look()
    store = own_probes.project / "mlflow_server" / "backend_db" / "mlflow.db"
    store.rename(store.with_suffix(".away"))
    followed.look()
    assert followed.model_now().version == 1
    assert not followed.standing.store_ok
    assert "knows neither 'production' nor version 1" in str(followed.standing.unserved)
    store.with_suffix(".away").rename(store)
    followed.look()
    assert (followed.standing.store_ok, followed.standing.unserved) == (True, None)


def test_a_refused_version_is_one_alert_and_degrades_health_until_it_is_gone(
    own_probes: Settings,
) -> None:
    with running(own_probes) as service:
        broken = register(own_probes, Broken(3))
        for _ in range(2):
            move_alias(own_probes, broken)
            assert until(lambda: service.ask("GET", "/health").json["status"] == "degraded")
            time.sleep(0.5)
            move_alias(own_probes, 1)
            assert until(lambda: service.ask("GET", "/health").json["status"] == "ok")
        assert service.predict(1).headers["x-model-version"] == "1"
    lines = (own_probes.state_dir / "alerts.jsonl").read_text().splitlines()
    told = [json.loads(line) for line in lines]
    assert [(one["kind"], one["numbers"]) for one in told] == [
        ("reload_failed", {"version": broken})
    ]


def test_every_request_is_answered_whole_by_the_version_that_its_header_names(
    own_probes: Settings,
) -> None:
    """A slice of the soak below."""
    with running(own_probes) as service:
        wrong, versions = moves_under_load(service, own_probes, moves=6, clients=4)
    assert wrong == []
    assert versions == {1, 2}


@pytest.mark.soak
@pytest.mark.timeout(3 * 3600)
def test_a_thousand_moves_under_sixteen_clients_fail_nobody_and_keep_memory_flat(
    tmp_path: Path, empty_store: Path
) -> None:
    settings = probe_project(empty_store, tmp_path / "project", versions=8)
    memory: list[int] = []
    with running(settings) as service:
        wrong, versions = moves_under_load(service, settings, moves=1000, clients=16, memory=memory)
    assert wrong == []
    assert versions == set(range(1, 9))
    first, last = sum(memory[:100]) / 100, sum(memory[-100:]) / 100
    print(f"memory of the last 100 swaps over the first 100: {last / first:.3f}")
    assert last / first <= 1.05


@pytest.mark.soak
@pytest.mark.timeout(3 * 3600)
def test_two_hundred_thousand_answers_reach_those_who_asked(own_probes: Settings) -> None:
    right: list[Any] = []
    with running(own_probes) as service:

        def ask(thread: int) -> None:
            caller = service.caller()
            for turn in range(1, 626):
                first = (thread * 1000 + turn) * 100
                rows = list(range(first, first + 1 + turn % 40))
                right.append(caller.predict(*rows).json["predictions"] == rows)

        in_threads(ask, 16)
    assert right == [True] * 16 * 625


def moves_under_load(
    service: Running,
    settings: Settings,
    *,
    moves: int,
    clients: int,
    memory: list[int] | None = None,
) -> tuple[list[Any], set[int]]:
    """Move the alias while clients ask.

    Answers that are not what their header's version gives, and all versions seen.
    """
    stop = threading.Event()
    wrong: list[Any] = []
    seen: set[int] = set()

    def ask(thread: int) -> None:
        try:
            ask_until_the_end(thread)
        except OSError as error:  # a thread that dies would be a test that looks at nothing
            wrong.append(error)

    def ask_until_the_end(thread: int) -> None:
        caller = service.caller()
        turn = 0
        while not stop.is_set():
            turn += 1
            rows = [float(thread * 1000 + turn % 1000)] * (1 + turn % 5)
            reply = caller.predict(*rows)
            version = int(reply.headers.get("x-model-version", 0))
            seen.add(version)
            share = [version / 10_000, 1 - version / 10_000]
            expected = ([int(row) for row in rows], [share] * len(rows))
            if reply.status != 200:
                wrong.append(reply)
            elif (reply.json["predictions"], reply.json["probabilities"]) != expected:
                wrong.append((version, rows, reply.json))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    try:
        for version in the_next_versions(settings, moves):
            move_alias(settings, version)
            assert until(partial(answers, service, version))
            if memory is not None:
                gc.collect()
                memory.append(resident_pages())
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    return wrong, seen


def answers(service: Running, version: int) -> bool:
    return service.parts.production.model_now().version == version


def the_next_versions(settings: Settings, moves: int) -> list[int]:
    """2, 3, ... up to the newest, then from 1 again."""
    count = len(MlflowRegistry(settings).versions())
    return [1 + (place + 1) % count for place in range(moves)]


def resident_pages() -> int:
    """Memory of this process that is in RAM, in pages."""
    return int(Path("/proc/self/statm").read_text().split()[1])


def in_threads(work: Any, count: int) -> None:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
