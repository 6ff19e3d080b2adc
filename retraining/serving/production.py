"""Which version answers: the alias's holder is loaded beside the old one, tried, and takes over."""

from __future__ import annotations

import gc
import shutil
import tempfile
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from retraining.errors import (
    DamagedModelError,
    RetrainingError,
    StoreError,
    UnreachableError,
)
from retraining.logs import log
from retraining.model_registry.production import Model
from retraining.serving.model import ModelFailedError, ServedModel, TellingFacts
from retraining.serving.refusals import not_now

if TYPE_CHECKING:
    from collections.abc import Callable

    from retraining.model_registry.interface import Registry
    from retraining.records import RegistryFacts, Version
    from retraining.serving.log import PredictionLog
    from retraining.settings import Settings

Outcome = Literal["loaded", "refused", "failed"]
PATIENCE = 30.0  # seconds that one look may wait on the registry
LONGEST_PAUSE = 30.0  # seconds between two attempts to load the same version
ROWS_TRIED = 100  # of the log, before a version takes over


@dataclass(frozen=True)
class Standing:
    """What answers and what the last look showed.

    Replaced whole, so that a reader never sees half of it.

    Attributes:
        model: the version that answers, None where none does yet.
        alias_version: the version that holds the alias, None where none does or nobody could say
            yet.
        store_ok: whether the registry answered.
        store_since: since when it does, or does not.
        unserved: why the alias's holder does not answer.
        hold: why promotions are held, where they are.
        facts: what the registry tells of the version that answers.
    """

    model: ServedModel | None = None
    alias_version: int | None = None
    store_ok: bool = False
    store_since: datetime = field(default_factory=lambda: datetime.now(UTC))
    looked: bool = False
    unserved: str | None = None
    hold: str | None = None
    facts: TellingFacts | None = None


class NotServedError(Exception):
    """A version that must not, or cannot, answer; the message says why."""


class Watcher(Protocol):
    """Who is told of what becomes of the alias's holders."""

    def tried(self, version: int, outcome: Outcome, why: str) -> None:
        """A version was loaded, or why it was not."""

    def stands(self, standing: Standing) -> None:
        """A look ended, or another version takes over."""


class Production:
    """The version that answers. One thread follows the alias; everybody else reads one reference.

    Args:
        settings: of the project.
        open_registry: a registry that waits so many seconds at most and works in a scratch folder
            of its own.
        predictions: the log whose last rows a new version is tried on.
        watchers: told what happens.
    """

    def __init__(
        self,
        settings: Settings,
        open_registry: Callable[[float, Path], Registry],
        predictions: PredictionLog,
        watchers: tuple[Watcher, ...] = (),
    ) -> None:
        self._settings = settings
        self._open_registry = open_registry
        self._predictions = predictions
        self._watchers = watchers
        self._refused: _Attempt | None = None
        self._stop = threading.Event()
        self._scratch = Path(tempfile.mkdtemp(prefix="retraining-service-"))
        self._follower = threading.Thread(target=self._follow, name="alias", daemon=True)
        self.standing = Standing()
        # Held while another version takes over: whoever holds it finds that metrics and answers
        # tell the same.
        self.taking_over = threading.Lock()

    @property
    def model(self) -> ServedModel | None:
        """The version that answers now, None where none does yet."""
        return self.standing.model

    def model_now(self) -> ServedModel:
        """The version that answers now.

        Raises:
            Refusal: 503, there is none yet.
        """
        model = self.standing.model
        if model is None:
            alias = self._settings.production_alias
            raise not_now("no_model", f"No version with the alias {alias!r} could be loaded yet.")
        return model

    def start(self) -> None:
        """Look once, then follow the alias in a thread."""
        self.look()
        if self.model is None:
            command = self._settings.command
            why = self.standing.unserved
            log.warning("no version answers yet; `%s check` says what to do: %s", command, why)
        self._follower.start()

    def close(self) -> None:
        """Stop following."""
        self._stop.set()
        if self._follower.is_alive():
            self._follower.join(timeout=1)
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _follow(self) -> None:
        while not self._stop.wait(self._settings.reload_seconds):
            try:
                self.look()
            except Exception as error:  # noqa: BLE001 - the thread must go on
                log.error("the alias could not be followed: %s: %s", type(error).__name__, error)

    def look(self) -> None:
        """Ask who holds the alias; another version is loaded, tried, and takes over."""
        try:
            registry = self._open_registry(PATIENCE, self._scratch)
            facts = registry.facts()
            self._refuse_an_emptied_store(registry, facts)
            unserved = self._take_over(registry, facts)
            telling = self._facts(registry)
        except RetrainingError as error:
            self._stand(store_ok=False, unserved=f"the registry did not answer: {error.what}")
            return
        self._stand(
            store_ok=True,
            alias_version=facts.aliases.get(self._settings.production_alias),
            unserved=unserved,
            hold=facts.hold,
            facts=telling,
        )

    def _refuse_an_emptied_store(self, registry: Registry, facts: RegistryFacts) -> None:
        """A registry with neither alias nor the version that answers is not the one that we knew.

        Raises:
            StoreError: it is so.
        """
        alias = self._settings.production_alias
        if self.model is None or alias in facts.aliases:
            return
        if registry.version(self.model.version) is None:
            gone = f"it knows neither {alias!r} nor version {self.model.version}, which answers"
            raise StoreError(gone, remedy="Look whether its file or database was moved.")

    def _facts(self, registry: Registry) -> TellingFacts | None:
        """What the registry tells of the version that answers.

        Its tags change after it took over.
        """
        model = self.model
        version = None if model is None else registry.version(model.version)
        if version is None or model is None:
            return None
        return facts_of(version, registry, known=model.facts)

    def _take_over(self, registry: Registry, facts: RegistryFacts) -> str | None:
        """Serve the alias's holder; why it does not answer, where it does not."""
        holder = facts.aliases.get(self._settings.production_alias)
        if holder is None:
            self._refused = None
            return f"no version holds the alias {self._settings.production_alias!r}"
        if self.model is not None and holder == self.model.version:
            self._refused = None
            return None
        if self._refused is not None and self._refused.still_stands(holder):
            return self._refused.why
        try:
            candidate = load(registry, holder, self._settings)
            try_out(candidate, self._predictions)
        except (NotServedError, DamagedModelError) as error:
            return self._refuse(holder, "refused", str(error))
        except UnreachableError:
            raise
        except RetrainingError as error:
            return self._refuse(holder, "failed", error.what)
        self._swap(candidate, facts)
        return None

    def _swap(self, candidate: ServedModel, facts: RegistryFacts) -> None:
        """One assignment: requests that run keep the model they began with."""
        self._refused = None
        self._tell(candidate.version, "loaded", "")
        self._stand(
            store_ok=True,
            unserved=None,
            model=candidate,
            alias_version=candidate.version,
            hold=facts.hold,
            facts=candidate.facts,
        )
        log.info("version %d answers", candidate.version)
        # estimators hold reference cycles; the old one is to be gone before the next comes
        gc.collect()

    def _refuse(self, version: int, outcome: Outcome, why: str) -> str:
        """Remember, so that it is tried again later and not at every look."""
        why = f"version {version} is not served: {why}"
        self._refused = _Attempt.after(self._refused, version, why, self._settings.reload_seconds)
        log.warning("%s", why)
        self._tell(version, outcome, why)
        return why

    def _tell(self, version: int, outcome: Outcome, why: str) -> None:
        for watcher in self._watchers:
            watcher.tried(version, outcome, why)

    def _stand(
        self,
        *,
        store_ok: bool,
        unserved: str | None,
        model: ServedModel | None = None,
        alias_version: int | None = None,
        hold: str | None = None,
        facts: TellingFacts | None = None,
    ) -> None:
        before = self.standing
        is_as_before = before.looked and before.store_ok == store_ok
        standing = Standing(
            model=model or before.model,
            alias_version=alias_version if store_ok else before.alias_version,
            store_ok=store_ok,
            store_since=before.store_since if is_as_before else datetime.now(UTC),
            looked=True,
            unserved=unserved,
            hold=hold if store_ok else before.hold,
            facts=facts or before.facts,
        )
        with self.taking_over:
            # before anybody sees the new one, so that no metric is older than an answer
            for watcher in self._watchers:
                watcher.stands(standing)
            self.standing = standing


@dataclass(frozen=True)
class _Attempt:
    """A version that could not be served, and until when it is left alone."""

    version: int
    why: str
    pause: float
    until: float

    @classmethod
    def after(cls, before: _Attempt | None, version: int, why: str, first_pause: float) -> _Attempt:
        """The next attempt waits twice as long as the last one of the same version did."""
        again = before is not None and before.version == version
        pause = min(2 * before.pause, LONGEST_PAUSE) if again and before else first_pause
        return cls(version, why, pause, time.monotonic() + pause)

    def still_stands(self, version: int) -> bool:

        return self.version == version and time.monotonic() < self.until


def load(registry: Registry, number: int, settings: Settings) -> ServedModel:
    """A version of ours, its digests checked before anything of it is deserialised.

    Raises:
        NotServedError: somebody else registered it.
        DamagedModelError: its files are not those that were registered.
        StoreError: the registry has it no more, or answered with an error.
        UnreachableError: the registry does not answer.
    """
    version = registry.version(number)
    if version is None:
        raise NotServedError("it is not in the registry any more")
    if not version.is_ours:
        adopt = f"`python register_first_model.py --adopt {number}` takes it up"
        raise NotServedError(f"it was not registered by this job; {adopt}")
    model = Model.of(version, registry)
    return ServedModel(
        name=settings.model_name,
        version=number,
        alias=settings.production_alias,
        schema=model.schema,
        estimator=model.estimator,
        since=datetime.now(UTC),
        facts=facts_of(version, registry, champion=model.manifest.champion),
    )


def facts_of(
    version: Version,
    registry: Registry,
    known: TellingFacts | None = None,
    champion: int | None = None,
) -> TellingFacts:
    """What the registry tells of a version.

    Args:
        version: that answers.
        registry: asked for what no tag tells.
        known: what was told of it before; saves asking for what never changes.
        champion: the version that it was made to replace. A cycle tags that one as the version
            before only when it has archived the files, after the alias moved.
    """
    if known is not None:
        champion = known.previous_version
    return TellingFacts(
        why=version.why,
        previous_version=champion if version.previous is None else version.previous,
        metrics=registry.metrics(version) if known is None else known.metrics,
        links=_links(version, registry) if known is None else known.links,
    )


def _links(version: Version, registry: Registry) -> dict[str, str]:
    url = registry.run_url(version.run_id) if version.run_id else None
    return {} if url is None else {"run": url}


def try_out(candidate: ServedModel, predictions: PredictionLog) -> None:
    """Let a version answer the signature's example and the last logged rows before any caller's.

    Raises:
        NotServedError: it cannot.
    """
    try:
        candidate.try_out(predictions.last_rows(ROWS_TRIED))
    except ModelFailedError as error:
        raise NotServedError(f"it failed on rows of its own schema ({error})") from error
