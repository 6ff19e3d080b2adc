"""What a person types: how a script is started on a project, from whatever folder a cron mail is
read in. Standard library only.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from retraining.errors import UsageError

ORCHESTRATOR, REGISTER = "pipeline_orchestrator.py", "register_first_model.py"
SERVICE = "prediction_service.py"
SUBCOMMANDS = {ORCHESTRATOR: (), REGISTER: ("register",), SERVICE: ("serve",)}


def started_as_command() -> bool:
    """Whether this start is one of the installed command `retraining`, not of a script of the
    clone.
    """
    started = Path(sys.argv[0])
    return started.name == "retraining" or (started.parent.name, started.name) == (
        "retraining",
        "__main__.py",
    )


def program_name(script: str) -> str:
    """What help and errors call a script: its file's name, or the installed command and its
    word.
    """
    if not started_as_command():
        return script
    return " ".join(("retraining", *SUBCOMMANDS[script]))


def default_project(clone: Path) -> Path:
    """The project where no `--project` names one: a script's own folder.

    For the command, the working directory.

    Raises:
        UsageError: the working directory is no project.
    """
    if not started_as_command():
        return clone
    try:
        here = Path.cwd()
    except FileNotFoundError:
        raise UsageError(
            "The working directory was deleted.", remedy="Name the project with --project DIR."
        ) from None
    if (here / ".env").is_file() or (here / "used_data").is_dir():
        return here
    raise UsageError(
        f"The working directory {here} is no project: it has neither .env nor used_data/.",
        remedy=(
            "Go to the project's folder, name it with --project DIR, or make one with `retraining"
            " init DIR`."
        ),
    )


def command_line(script: str, clone: Path, project: Path, env_file: Path | None) -> str:
    """The words that start a script of the clone on a project, with the interpreter that runs
    now.
    """
    import shlex

    if started_as_command():
        words = [*_command(), *SUBCOMMANDS[script], "--project", str(project)]
    else:
        words = [sys.executable or "python3", str(clone / script)]
        if project != clone:
            words += ["--project", str(project)]
    if env_file is not None:
        words += ["--env-file", str(env_file)]
    return shlex.join(words)


def _command() -> list[str]:
    """How the command is started from any folder."""
    if Path(sys.argv[0]).name == "retraining":
        return [os.path.abspath(sys.argv[0])]  # noqa: PTH100 - a link that a person chose stays
    return [sys.executable or "python3", "-m", "retraining"]
