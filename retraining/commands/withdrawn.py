"""Files that production learned and a person withdrew later, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retraining.cycle.production import can_be_loaded
from retraining.errors import DamagedModelError

if TYPE_CHECKING:
    from collections.abc import Collection

    from retraining.model_registry.interface import Registry
    from retraining.project import Project
    from retraining.records import Version


def withdrawn_that_it_learned(
    registry: Registry, version: Version, withdrawn: Collection[str]
) -> tuple[str, ...]:
    """Names of the withdrawn files (by SHA-256) that a version learned from."""
    if not withdrawn or not version.is_ours:
        return ()
    files = registry.manifest(version).files
    return tuple(sorted(file.name for file in files if file.sha256 in withdrawn))


def way_out(project: Project, holder: int, withdrawn: Collection[str]) -> str:
    """What to type so that a version without the withdrawn files serves.

    A roll-back is named only to a version that learned none of them and can be loaded.
    """
    command = project.settings.command
    retrain = f"`{command} run --force`, once a new file waits, trains a version without them"
    clean = _newest_without(project.registry, holder, withdrawn)
    if clean is None:
        return f"{retrain}; no earlier version is without them."
    return f"`{command} rollback --to {clean}`, which learned none of them; or {retrain}."


def _newest_without(registry: Registry, holder: int, withdrawn: Collection[str]) -> int | None:
    for version in reversed(registry.versions("approved")):
        if version.number == holder or not version.is_ours:
            continue
        try:
            is_clean = not withdrawn_that_it_learned(registry, version, withdrawn)
        except DamagedModelError:  # such as after `mlflow gc`: it cannot be loaded either
            continue
        if is_clean and can_be_loaded(registry, version.number):
            return version.number
    return None
