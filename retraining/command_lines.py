"""What a person types: how a script is started on a project, from whatever folder a cron mail is read in. Standard library only."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from retraining.settings import Settings

ORCHESTRATOR, REGISTER = "pipeline_orchestrator.py", "register_first_model.py"


def command_line(script: str, settings: Settings, clone: Path) -> str:
    """The words that start a script of the clone on the settings' project, with the interpreter that runs now."""
    import shlex

    words = [sys.executable or "python3", str(clone / script)]
    words += ["--project", str(settings.project)] if settings.project != clone else []
    words += ["--env-file", str(settings.env_file)] if settings.env_file is not None else []
    return shlex.join(words)


def spelled_out(advice: str, settings: Settings) -> str:
    """Advice given where no project is known (`python pipeline_orchestrator.py check`), with the words that do it on this one."""
    spelled = advice.replace(f"python {ORCHESTRATOR}", settings.command)
    return spelled.replace(f"python {REGISTER}", settings.register_command)
