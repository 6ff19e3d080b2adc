"""The registered model: its versions as facts, its aliases, and the tags of both."""

from __future__ import annotations

from operator import methodcaller
from typing import TYPE_CHECKING

from retraining.errors import StoreError
from retraining.model_registry import names, texts
from retraining.model_registry.connection import paged
from retraining.records import Marks, RegistryFacts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

    from retraining.model_registry.store import Store
    from retraining.records import AliasMove, Left, Status, Version

PAGE = 1000  # versions in one answer


class RegisteredModel:
    """The part of `Registry` that reads and marks versions, and moves aliases."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._name = store.model_name

    # --- reading ----------------------------------------------------------------------------------
    def facts(self) -> RegistryFacts:
        """The registered model, read afresh; all empty where there is no such model yet."""
        model = self._store.look(lambda mlflow: mlflow.get_registered_model(self._name))
        if model is None:
            return RegistryFacts()
        aliases = {alias: int(number) for alias, number in model.aliases.items()}
        return names.facts_from(aliases, dict(model.tags))

    def version(self, number: int) -> Version | None:
        """One version, or None where there is none of that number."""
        found = self._store.look(lambda mlflow: mlflow.get_model_version(self._name, str(number)))
        return None if found is None else _version_of(found)

    def versions(
        self, status: Status | None = None, *, attempt_key: str | None = None
    ) -> tuple[Version, ...]:
        """All versions, oldest first, or those of one state, of one attempt, or both."""
        if not self._store.connection.holds_a_store():
            return ()
        tags = names.tags_of(Marks(status=status, attempt_key=attempt_key))
        found = self._store.connection.ask(lambda mlflow: self.find(mlflow, tags))
        return tuple(
            sorted((_version_of(version) for version in found), key=lambda version: version.number)
        )

    def models_of_this_job(self) -> tuple[str, ...]:
        """The names of all registered models in the store that a cycle of this job left its note
        on.
        """
        if not self._store.connection.holds_a_store():
            return ()
        found = self._store.connection.ask(
            lambda mlflow: paged(mlflow.search_registered_models, max_results=PAGE)
        )
        return tuple(sorted(model.name for model in found if names.LEFT in model.tags))

    def find(self, mlflow: MlflowClient, tags: Mapping[str, str]) -> list[ModelVersion]:
        """The versions that carry all of some tags."""
        conditions = [
            f"name = '{self._name}'",
            *(f"tags.`{key}` = '{value}'" for key, value in tags.items()),
        ]
        return paged(
            mlflow.search_model_versions, filter_string=" and ".join(conditions), max_results=PAGE
        )

    # --- writing ----------------------------------------------------------------------------------
    def mark(self, version: int, marks: Marks, description: str | None = None) -> None:
        """Write marks on a version in their order.

        Before them its description, where one is given.
        """
        if description is not None:
            said = texts.cut(description, texts.DESCRIPTION)
            self._store.connection.ask(
                lambda mlflow: mlflow.update_model_version(self._name, str(version), said)
            )
        self.tag_version(version, names.tags_of(marks))

    def tag_version(self, version: int, tags: Mapping[str, str]) -> None:
        """Set tags of a version, one after the other."""
        for name, value in texts.version_tags(tags).items():
            self._store.connection.ask(
                methodcaller("set_model_version_tag", self._name, str(version), name, value)
            )

    def set_alias(self, alias: str, version: int) -> None:
        """Move an alias, or create it."""

        def move(mlflow: MlflowClient) -> None:
            mlflow.set_registered_model_alias(self._name, alias, str(version))

        try:
            self._store.connection.ask(move)
        except StoreError:  # of two processes that create one alias at once, one fails
            if self.facts().aliases.get(alias) != version:
                self._store.connection.ask(move)

    def drop_alias(self, alias: str) -> None:
        """Remove an alias; nothing where it is not there."""
        if alias in self.facts().aliases:
            self._store.connection.ask(
                lambda mlflow: mlflow.delete_registered_model_alias(self._name, alias)
            )

    def hold(self, why: str) -> None:
        """Hold promotions: `why` tells by whom, when and why."""
        self._tag_model({names.HOLD: why})

    def lift_hold(self) -> None:
        """Lift the hold on promotions; nothing where they are not held."""
        if self.facts().hold is not None:
            self._store.connection.ask(
                methodcaller("delete_registered_model_tag", self._name, names.HOLD)
            )

    def withdraw(self, reasons: Mapping[str, str]) -> None:
        """Withdraw files from all later training: SHA-256 -> why."""
        self._tag_model(names.withdrawn_tags(reasons))

    def note_move(self, move: AliasMove) -> None:
        """Keep on record that a person moved the production alias; the alias stays where it is."""
        self._tag_model(names.move_tags(move))

    def leave(self, left: Left) -> None:
        """Note what a cycle leaves for the next one."""
        self._tag_model({names.LEFT: names.text_of(left)})

    def _tag_model(self, tags: Mapping[str, str]) -> None:
        for name, value in texts.version_tags(tags).items():
            self._store.connection.ask(
                methodcaller("set_registered_model_tag", self._name, name, value)
            )


def _version_of(found: ModelVersion) -> Version:
    number, run_id, source = int(found.version), found.run_id or "", found.source or ""
    return names.version_from(number, run_id, source, dict(found.tags))
