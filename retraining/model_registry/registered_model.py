"""The registered model: its versions as facts, its aliases, and the tags of both."""

from __future__ import annotations

from operator import methodcaller
from typing import TYPE_CHECKING, Any

from retraining.errors import StoreError
from retraining.model_registry import texts
from retraining.model_registry.connection import paged
from retraining.model_registry.failures import is_not_there
from retraining.model_registry.runs import OurRuns
from retraining.records import RegistryFacts, VersionFacts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

PAGE = 1000  # versions in one answer
ATTEMPT_KEY = "retraining.attempt_key"


class RegisteredModel(OurRuns):
    """The part of `Registry` that reads and marks versions, and moves aliases."""

    @property
    def _name(self) -> str:
        return self._settings.model_name

    # --- reading ------------------------------------------------------------------------------------------------
    def facts(self) -> RegistryFacts:
        """Aliases and tags of the registered model, read afresh; both empty where there is no such model yet."""
        model = self._look(lambda mlflow: mlflow.get_registered_model(self._name))
        if model is None:
            return RegistryFacts()
        return RegistryFacts(
            {alias: int(number) for alias, number in model.aliases.items()}, dict(model.tags)
        )

    def version(self, number: int) -> VersionFacts | None:
        """One version, or None where there is none of that number."""
        found = self._look(lambda mlflow: mlflow.get_model_version(self._name, str(number)))
        return None if found is None else _facts_of(found)

    def versions(
        self, status: str | None = None, *, attempt_key: str | None = None
    ) -> tuple[VersionFacts, ...]:
        """All versions, oldest first, or those of one `validation_status`, of one attempt, or both."""
        if not self._connection.holds_a_store():
            return ()
        wanted = {"validation_status": status, ATTEMPT_KEY: attempt_key}
        tags = {name: value for name, value in wanted.items() if value is not None}
        found = self._connection.ask(lambda mlflow: self._find_versions(mlflow, tags))
        return tuple(
            sorted((_facts_of(version) for version in found), key=lambda version: version.number)
        )

    def _find_versions(self, mlflow: MlflowClient, tags: Mapping[str, str]) -> list[ModelVersion]:
        conditions = [
            f"name = '{self._name}'",
            *(f"tags.`{key}` = '{value}'" for key, value in tags.items()),
        ]
        return paged(
            mlflow.search_model_versions, filter_string=" and ".join(conditions), max_results=PAGE
        )

    def _look(self, question: Callable[[MlflowClient], Any]) -> Any:
        """The answer, or None where MLflow says that there is no such thing, or where there is no store yet."""

        def ask(mlflow: MlflowClient) -> Any:
            try:
                return question(mlflow)
            except Exception as error:
                if is_not_there(error):
                    return None
                raise

        return self._connection.ask(ask) if self._connection.holds_a_store() else None

    # --- writing ------------------------------------------------------------------------------------------------
    def tag_version(
        self, version: int, tags: Mapping[str, str], description: str | None = None
    ) -> None:
        """Set tags in the order given, and the description where given."""
        if description is not None:
            said = texts.cut(description, texts.DESCRIPTION)
            self._connection.ask(
                lambda mlflow: mlflow.update_model_version(self._name, str(version), said)
            )
        for name, value in texts.version_tags(tags).items():
            self._connection.ask(
                methodcaller("set_model_version_tag", self._name, str(version), name, value)
            )

    def set_alias(self, alias: str, version: int) -> None:
        """Move an alias, or create it."""

        def move(mlflow: MlflowClient) -> None:
            mlflow.set_registered_model_alias(self._name, alias, str(version))

        try:
            self._connection.ask(move)
        except StoreError:  # of two processes that create one alias at once, one fails
            if self.facts().aliases.get(alias) != version:
                self._connection.ask(move)

    def drop_alias(self, alias: str) -> None:
        """Remove an alias; nothing where it is not there."""
        if alias in self.facts().aliases:
            self._connection.ask(
                lambda mlflow: mlflow.delete_registered_model_alias(self._name, alias)
            )

    def tag_model(self, tags: Mapping[str, str]) -> None:
        """Set tags of the registered model."""
        for name, value in texts.version_tags(tags).items():
            self._connection.ask(methodcaller("set_registered_model_tag", self._name, name, value))

    def untag_model(self, keys: Sequence[str]) -> None:
        """Remove tags of the registered model; nothing where they are not there."""
        there = self.facts().tags
        for name in (name for name in keys if name in there):
            self._connection.ask(methodcaller("delete_registered_model_tag", self._name, name))


def _facts_of(version: ModelVersion) -> VersionFacts:
    return VersionFacts(
        int(version.version), version.run_id or "", version.source or "", dict(version.tags)
    )
