"""`requeue`: mended files go from quarantine back to the inbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retraining.commands import Answer
from retraining.commands.run import new_job
from retraining.errors import UsageError
from retraining.inbox import REASON_SUFFIX, check_rights
from retraining.local_state import sha256_of
from retraining.lock import one_cycle_at_a_time

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from retraining.settings import Settings


def answer(asked: argparse.Namespace, settings: Settings) -> Answer:
    """Move the named files; all are looked up before any is moved."""
    with one_cycle_at_a_time(settings.state_dir):
        job = new_job(settings)
        paths = [_find(settings, name) for name in asked.files]
        withdrawn = set((job.state.read("gate") or {}).get("withdrawn", ()))
        for path in paths:
            if sha256_of(path) in withdrawn:
                raise UsageError(
                    f"{path.name} was withdrawn with `forget`.",
                    remedy="Mend its content first: the same bytes are refused for good.",
                )
        check_rights(settings)
        moved = [job.inbox.requeue(path).name for path in paths]
    return Answer(
        {"requeued": moved},
        "\n".join(f"{name} waits in {settings.new_data_dir} again." for name in moved),
    )


def _find(settings: Settings, name: str) -> Path:
    """A file of the quarantine by its name, or by its path relative to the project."""
    candidates = (settings.quarantine_dir / name, settings.project / name)
    path = next(
        (
            p
            for p in candidates
            if p.is_file()
            and not p.is_symlink()
            and p.resolve().parent == settings.quarantine_dir.resolve()
        ),
        None,
    )
    if path is None or path.name.endswith(REASON_SUFFIX):
        raise UsageError(
            f"{name!r} is no file in {settings.quarantine_dir}.",
            remedy="`python pipeline_orchestrator.py status` lists the files in quarantine.",
        )
    return path
