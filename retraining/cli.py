"""Arguments, log set-up, exit codes: the edge where errors are caught, once.

Standard library only until a command needs more.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from retraining import settings as settings_module
from retraining.console.command_lines import default_project
from retraining.console.command_words import as_far_as_understood, parse
from retraining.console.failures import Terminated, in_three_lines
from retraining.console.standard_streams import code_when_unsaid, stdout_and_stderr
from retraining.console.stray_output import StrayOutput
from retraining.errors import SettingsError, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence
    from typing import TextIO

    from retraining.commands import Answer
    from retraining.logs import CycleLog, OpenLog
    from retraining.settings import Settings

ENVIRONMENT_DEFAULTS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_CONFIGURE_LOGGING": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "GIT_PYTHON_REFRESH": "quiet",
    "PYTHONDONTWRITEBYTECODE": "1",  # read by the processes that this one starts
    # read when the libraries load; a thread that spins holds up others
    "OMP_WAIT_POLICY": "passive",
}

DECIDING = ("run", "check")  # commands that need every setting that a cycle decides by


def main(words: Sequence[str], run_cycle: Callable[..., Any]) -> int:
    """Obey one command line of `pipeline_orchestrator.py`; the exit code.

    `run_cycle` is the story that `run` tells and `replay` plays.
    """
    if _means_a_fleet(words):
        from retraining.commands import fleet

        start = partial(main, run_cycle=run_cycle)
        return fleet.obey(parse(words), start, ENVIRONMENT_DEFAULTS)

    def act(args: argparse.Namespace, settings: Settings, open_log: OpenLog) -> Answer:
        _must_be_a_project(args, settings)
        if args.command == "run":
            from retraining.commands import run

            return run.answer(args, settings, open_log, run_cycle)
        open_log()
        if args.command == "replay":
            from retraining.commands import replay

            return replay.answer(args, settings, run_cycle)
        found: Answer = import_module(f"retraining.commands.{args.command}").answer(args, settings)
        return found

    return obey(words, parse, act)


def _means_a_fleet(words: Sequence[str]) -> bool:
    """Whether a line is `fleet`'s: it has no project of its own, so no settings either."""
    try:
        return "fleet" in words and parse(words).command == "fleet"
    except UsageError:
        return False  # said at the edge, like every wrong line


def obey(
    words: Sequence[str],
    read: Callable[[Sequence[str]], argparse.Namespace],
    act: Callable[[argparse.Namespace, Settings, OpenLog], Answer],
) -> int:
    """Read the words and the settings, act, and print.

    Every error ends here in three lines and its exit code.
    """
    real_out, real_err = stdout_and_stderr()
    args: argparse.Namespace | None = None
    open_log: OpenLog | None = None
    settings: Settings | None = None
    try:
        with _terminated_by_signal():
            args = read(words)
            settings = _settings(args)
            open_log = _log_on_demand(args, settings, real_err)
            with (
                contextlib.redirect_stdout(StrayOutput(real_out)),
                contextlib.redirect_stderr(StrayOutput(real_err)),
            ):
                answer = act(args, settings, open_log)
    except SystemExit:
        raise  # --help and --version
    except BaseException as error:  # noqa: BLE001
        # the edge: whatever it was becomes three lines and an exit code
        if open_log is not None and not isinstance(error, (UsageError, SettingsError)):
            open_log().keep_failure(error)  # a line that was not obeyed leaves nothing behind
        args = args if args is not None else as_far_as_understood(words)
        answer = _failed(error, args, settings)
        if settings is None:
            _note_refused_start(error, args)
    try:
        return _shown(answer, args, settings, real_out, real_err)
    except OSError as error:  # what was done is done
        return code_when_unsaid(error, answer.code, real_out, real_err)


def _shown(
    answer: Answer,
    args: argparse.Namespace,
    settings: Settings | None,
    real_out: TextIO,
    real_err: TextIO,
) -> int:
    spell = _speller(settings)
    flags = {"as_json": args.json, "quiet": args.quiet, "verbose": args.verbose}
    if answer.failure is None:
        code = answer.show(real_out, real_err, spell, **flags)
        real_out.flush()
        return code
    from retraining.masking import without_secrets

    # an error of somebody else's may quote an address with its password
    out, err = io.StringIO(), io.StringIO()
    code = answer.show(out, err, spell, **flags)
    secrets = settings.secrets() if settings is not None else ()
    real_out.write(without_secrets(out.getvalue(), secrets))
    real_err.write(without_secrets(err.getvalue(), secrets))
    real_out.flush()
    return code


def _speller(settings: Settings | None) -> Callable[[str], str]:
    """Words advice for this project, where it is known."""
    return str if settings is None else partial(settings_module.spelled_out, settings=settings)


def _failed(error: BaseException, args: argparse.Namespace, settings: Settings | None) -> Answer:
    """What a start that failed prints: for a cycle its object, for `check` its problems."""
    from retraining.commands import Answer
    from retraining.records import Outcome
    from retraining.serialisation import outcome_to_json

    code, lines = in_three_lines(error)
    what, remedy = lines[-3], _speller(settings)(lines[-1])
    dry_run = getattr(args, "dry_run", False)
    reason = "; ".join(lines[:-3]) or what
    outcome = Outcome("failed", reason, exit_code=code, dry_run=dry_run)
    result: dict[str, Any] = outcome_to_json(outcome, were_files_counted=False)
    if getattr(args, "command", None) == "check":
        each = error.problems if isinstance(error, SettingsError) else (what,)
        result = {
            "ok": False,
            "problems": [{"what": one, "where": "start", "try": remedy} for one in each],
        }
    return Answer(result, code=code, failure=error)


def _note_refused_start(error: BaseException, args: argparse.Namespace) -> None:
    """A cycle that was not begun, since its settings are wrong: `status` tells of it later."""
    is_a_cycle = getattr(args, "command", None) == "run" and not getattr(args, "dry_run", False)
    if not (is_a_cycle and isinstance(error, SettingsError)):
        return
    project = _project_of(args)  # it is there: its settings were read
    from datetime import UTC, datetime

    from retraining.folders.failed_start import note_failed_start
    from retraining.settings import STATE_FOLDER

    code, lines = in_three_lines(error)
    note_failed_start(project / STATE_FOLDER, datetime.now(UTC), code, lines[-3], lines[-1])


def _settings(args: argparse.Namespace) -> Settings:
    project = _project_of(args)
    _leave_a_folder_that_is_gone(project)
    decides = getattr(args, "command", None) in DECIDING
    loaded = settings_module.load(project, os.environ, args.env_file, decides=decides)
    for name, value in {**ENVIRONMENT_DEFAULTS, **loaded.passed_on}.items():
        if not os.environ.get(name):
            os.environ[name] = value
    return loaded


def _must_be_a_project(args: argparse.Namespace, settings: Settings) -> None:
    """A mistyped --project is told as one, and nothing is made in that folder.

    Raises:
        UsageError: the folder holds nothing of a project, and neither another file nor the
            environment says what the settings are.
    """
    makes_its_own = args.command in ("init", "replay")
    if makes_its_own or args.env_file is not None or "MLFLOW_TRACKING_URI" in os.environ:
        return
    folder = settings.project
    signs = (folder / ".env", settings.state_dir, settings.new_data_dir, settings.used_data_dir)
    if any(sign.exists() for sign in signs):
        return
    import shlex  # a start that goes on does not need it

    raise UsageError(
        f"{folder} is no project: it has neither .env nor {settings.new_data_dir.name}/.",
        remedy=(
            "Correct its name; or make a project of it with `python pipeline_orchestrator.py"
            f" init {shlex.quote(str(folder))} FILES...`."
        ),
    )


def _project_of(args: argparse.Namespace) -> Path:
    """The folder that was named, the one that `init` makes, or the default."""
    if getattr(args, "new_project", None) is not None:
        from retraining.commands.init import make_folder, missing_folders

        args.new_folders = missing_folders(args.new_project)
        return make_folder(args.new_project)
    if args.project is not None:
        named: Path = args.project
        return named
    return default_project(settings_module.CLONE)


def _leave_a_folder_that_is_gone(project: Path) -> None:
    """Go to the project where the working directory was deleted: libraries ask for it on their way.

    Raises:
        UsageError: the project is named from there.
    """
    try:
        Path.cwd()
    except FileNotFoundError:
        if not project.is_absolute():
            remedy = "Start from a folder that is there, or give --project the whole path."
            raise UsageError(
                f"The working directory, from which --project {project} is named, was deleted.",
                remedy=remedy,
            ) from None
        if project.is_dir():
            os.chdir(project)


def _log_on_demand(args: argparse.Namespace, settings: Settings, stderr: TextIO) -> OpenLog:
    @cache
    def open_log() -> CycleLog:
        from retraining import logs

        return logs.set_up(
            settings, stderr, quiet=args.quiet, verbose=args.verbose, log_file=args.log_file
        )

    return open_log


@contextlib.contextmanager
def _terminated_by_signal() -> Iterator[None]:
    def stop(_number: int, _frame: object) -> NoReturn:
        raise Terminated

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
