"""A version of ours as cycles and services work with it: its manifest and schema at once, its
estimator when it is needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from retraining.ledger import learned_ranges

if TYPE_CHECKING:
    from retraining.model_registry.interface import Registry
    from retraining.records import Manifest, RowRange, Schema, Version


@dataclass(frozen=True)
class Model:
    """A version with its manifest; the estimator is verified and loaded when first asked for.

    A cycle and a service take it alike: version of ours -> digests checked -> loaded -> schema.
    """

    version: Version
    manifest: Manifest
    registry: Registry

    @classmethod
    def of(cls, version: Version, registry: Registry) -> Model:
        """A version of ours.

        Raises `DamagedModelError` where its manifest is not the one that was registered.
        """
        return cls(version, registry.manifest(version), registry)

    @property
    def number(self) -> int:
        """The version's number."""
        return self.version.number

    @property
    def schema(self) -> Schema:
        """How this version's files are read."""
        return self.manifest.schema

    @cached_property
    def estimator(self) -> Any:
        """The fitted estimator.

        Raises `DamagedModelError` where its files are not those that were registered.
        """
        return self.registry.model(self.version)

    @cached_property
    def learned(self) -> dict[str, tuple[RowRange, ...]]:
        """SHA-256 -> ranges of the files that this version learned from."""
        return learned_ranges(self.manifest)

    @cached_property
    def seen(self) -> dict[str, tuple[RowRange, ...]]:
        """SHA-256 -> all rows of the files that were there when this version was made."""
        files = (*self.manifest.files, *self.manifest.held_out)
        return {file.sha256: ((0, file.rows),) for file in files}

    @cached_property
    def exposed(self) -> frozenset[str]:
        """Digests of the files that were there when this version was made: learned, or held out."""
        return frozenset(self.seen)


def load_model(registry: Registry, number: int) -> Model | None:
    """A version of ours, or None.

    Raises:
        DamagedModelError: its manifest is not the one that was registered.
    """
    version = registry.version(number)
    if version is None or not version.is_ours:
        return None
    return Model.of(version, registry)
