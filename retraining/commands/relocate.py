"""`relocate`: after a project was moved, its artifact addresses are pointed to where it is now."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from retraining.commands import Answer
from retraining.folders.lock import one_cycle_at_a_time
from retraining.settings import spelled_out

if TYPE_CHECKING:
    import argparse

    from retraining.model_registry.relocation import Relocation
    from retraining.settings import Settings


def add_flags(command: argparse.ArgumentParser) -> None:
    """Whether only to say what would be done."""
    command.add_argument(
        "--dry-run", action="store_true", help="say what would be changed, change nothing"
    )


def answer(args: argparse.Namespace, settings: Settings) -> Answer:
    """Change the addresses under the project's lock, or say which would be."""
    from retraining.model_registry.relocation import carry_out, plan_relocation

    with one_cycle_at_a_time(settings.state_dir):
        planned = plan_relocation(settings)
        if planned is None:
            text = "The store looks for the artifacts where this project is; nothing was changed."
            return Answer({"changed": False, "dry_run": args.dry_run}, text)
        if not args.dry_run:
            carry_out(settings, planned)
    result = {"changed": not args.dry_run, "dry_run": args.dry_run, **asdict(planned)}
    text = _in_words(planned, dry_run=args.dry_run)
    return Answer(result, spelled_out(text, settings))


def _in_words(planned: Relocation, *, dry_run: bool) -> str:
    counts = f"{planned.runs} runs, {planned.models} models and {planned.versions} versions"
    done = "would be pointed" if dry_run else "were pointed"
    lines = [
        f"The addresses of the experiment {planned.experiment!r}, {counts} {done}",
        f"from {planned.old}",
        f"to   {planned.new}.",
    ]
    if not dry_run:
        lines.append(
            "`python pipeline_orchestrator.py check --deep` loads every version from there."
        )
    return "\n".join(lines)
