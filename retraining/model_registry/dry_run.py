"""A registry for `--dry-run`: reads pass, writes go nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from retraining.model_registry.interface import Registry

if TYPE_CHECKING:
    from collections.abc import Callable

READING = (
    "facts",
    "version",
    "versions",
    "models_of_this_job",
    "manifest",
    "model",
    "model_of_another",
    "recipe",
    "requirements",
    "sketches",
    "calibration",
    "run_in_bin",
    "model_in_bin",
    "metrics",
    "cycle_records",
    "cycle_record",
    "read_text",
    "open_runs",
    "run_url",
)
WRITING = tuple(name for name in vars(Registry) if not name.startswith("_") and name not in READING)


class ReadOnlyRegistry:
    """Passes every reading verb on to a registry, and swallows every writing one."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name in WRITING:
            return lambda *_arguments, **_named: None
        verb: Callable[..., Any] = getattr(self._registry, name)
        return verb
