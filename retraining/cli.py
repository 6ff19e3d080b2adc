"""Arguments, log set-up, exit codes: the edge where errors are caught, once. Standard library only until a command needs more."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import signal
import sys
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from retraining import __version__
from retraining import settings as settings_module
from retraining.command_lines import default_project
from retraining.errors import SettingsError, UsageError
from retraining.failures import Terminated, in_three_lines
from retraining.stray_output import StrayOutput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
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
    "OMP_WAIT_POLICY": "passive",  # read when the libraries load; a thread that spins holds up others
}
HELP_WIDTH = 100
PROGRAM = "pipeline_orchestrator.py"
COMMANDS = {
    "run": "one cycle (the default)",
    "check": "settings, store, alias, folders, recipe and every invariant: each problem with what to do",
    "status": "waiting, judged, used and quarantined files, the production version, the last cycle, probation, hold",
    "history": "the last cycles, one line each, with hindsight",
    "explain": "why a version was (not) promoted, or a cycle ended as it did",
    "rollback": "move the alias back and hold promotions, or lift the hold",
    "requeue": "move mended files from quarantine back to the inbox",
    "forget": "withdraw a poisoned file from the archive and from all later training",
    "replay": "play archived files through the same cycle under one or more policies",
}
MORE_HELP = """
Every command takes --project DIR, --env-file F, --log-file F, --json, -q and -v; COMMAND --help shows the others, such as --dry-run and
--force of `run`. Exit codes: 0 the cycle ended, 1 it failed, 2 usage or settings, 3 a person is needed, 69 MLflow or a source of rows
cannot be reached, 75 another cycle holds the lock, 130 and 143 interrupted. Settings are in .env; .env.example and docs/ explain them.
"""


class Parser(argparse.ArgumentParser):
    """Says what is wrong in three lines. Help is as wide as it is, since asking the terminal for its width takes longer."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            formatter_class=partial(argparse.HelpFormatter, width=HELP_WIDTH), **options
        )

    def error(self, message: str) -> NoReturn:
        """Raise instead of exiting, so that a wrong command line ends like any other error."""
        raise UsageError(
            f"{self.prog}: {message}.", remedy=f"`{self.prog} --help` shows what is possible."
        )


def _parser(wanted: Iterable[str] = tuple(COMMANDS)) -> Parser:
    """A parser of these commands; one that knows them all is slow to make, and most starts end at the gate."""
    common = common_flags()
    parser = Parser(
        prog=PROGRAM, description="Monitor, retrain, compare, promote, archive.", epilog=MORE_HELP
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", prog=PROGRAM)
    for name in wanted:
        sentence = f"{COMMANDS[name][0].upper()}{COMMANDS[name][1:]}."
        command = commands.add_parser(
            name, parents=[common], help=COMMANDS[name], description=sentence
        )
        _add_flags(name, command)
    return parser


def _parse(words: Sequence[str]) -> argparse.Namespace:
    words = with_default_command(words)
    return _parser([words[0]] if words[0] in COMMANDS else COMMANDS).parse_args(words)


def common_flags() -> Parser:
    """The flags that every command and both scripts take."""
    common = Parser(add_help=False)
    common.add_argument(
        "--project",
        type=_named,
        metavar="DIR",
        help="the project's folder; the script's own by default",
    )
    common.add_argument(
        "--env-file",
        type=_named,
        metavar="F",
        help="read settings from this file instead of the project's .env",
    )
    common.add_argument(
        "--log-file", type=_named, metavar="F", help="write the full log to this file too"
    )
    common.add_argument(
        "--json", action="store_true", help="print JSON on stdout, and nothing else"
    )
    common.add_argument(
        "-q",
        "--quiet",
        action="store_true",
        help="print nothing on success; stderr holds errors only",
    )
    common.add_argument(
        "-v",
        "--verbose",
        action="store_true",
        help="show every log line, and a traceback above an error",
    )
    return common


def _named(text: str) -> Path:
    """A path as it was typed; an empty one comes from a shell variable that is not set, and would mean the working directory."""
    if not text:
        raise argparse.ArgumentTypeError("an empty path")
    return Path(text)


def _add_flags(name: str, command: argparse.ArgumentParser) -> None:
    match name:
        case "run":
            command.add_argument(
                "--dry-run", action="store_true", help="decide everything, change nothing"
            )
            command.add_argument(
                "--force",
                action="store_true",
                help="skip gate and trigger, judge again, try a lost attempt again",
            )
        case "check":
            command.add_argument(
                "--deep", action="store_true", help="read every archived file again"
            )
        case "history":
            command.add_argument(
                "-n", type=int, default=20, metavar="N", help="how many cycles (20)"
            )
            command.add_argument(
                "--html",
                type=Path,
                metavar="DIR",
                help="write a static index with every report instead",
            )
        case "explain":
            command.add_argument(
                "which",
                nargs="?",
                metavar="vN or CYCLE",
                help="a version or a cycle id; the last cycle by default",
            )
        case "rollback":
            command.add_argument(
                "--to",
                type=int,
                metavar="N",
                help="the version to go back to; the previous one by default",
            )
            command.add_argument(
                "--resume", action="store_true", help="lift the hold; the alias stays"
            )
            command.add_argument(
                "--why", default="", metavar="TEXT", help="the reason, kept in the registry"
            )
        case "requeue":
            command.add_argument(
                "files",
                nargs="+",
                metavar="FILE",
                help="names in quarantine, or paths relative to the project",
            )
        case "forget":
            command.add_argument(
                "files",
                nargs="+",
                metavar="FILE_OR_SHA",
                help="archived files, or the first digits of their SHA-256",
            )
            command.add_argument(
                "--why", required=True, metavar="TEXT", help="the reason, kept in the registry"
            )
        case "replay":
            command.add_argument(
                "files",
                nargs="*",
                type=Path,
                metavar="FILES",
                help="CSV, CSV.gz or Parquet in time order; used_data/ by default",
            )
            command.add_argument(
                "--policy",
                metavar="NAME[,NAME]",
                help="`current`, settings files, or yardsticks such as always; current and all yardsticks",
            )
            command.add_argument(
                "--rows-per-cycle",
                type=int,
                metavar="N",
                help="rows of a cycle; by default those of MIN_NEW_FILES files, or a fiftieth of all",
            )
            command.add_argument(
                "--files-per-cycle", type=int, default=15, metavar="N", help="files of a cycle (15)"
            )
            command.add_argument(
                "--initial-rows",
                type=int,
                metavar="N",
                help="rows that the first model learns; by default four cycles'",
            )
            command.add_argument(
                "--offsets",
                type=int,
                default=1,
                metavar="K",
                help="play K times, each a little later (1)",
            )
            command.add_argument(
                "--days-per-cycle",
                type=float,
                default=1.0,
                metavar="D",
                help="days that pass between cycles (1)",
            )
            command.add_argument(
                "--recipe",
                type=Path,
                metavar="FILE",
                help="the training recipe; the project's by default",
            )
            command.add_argument(
                "--advise",
                action="store_true",
                help="print the .env lines worth changing, with gain and interval",
            )


def with_default_command(words: Sequence[str]) -> list[str]:
    """`run` where no command is named; a command may stand behind `--project DIR`."""
    takes_value = {"--project", "--env-file", "--log-file"}
    position = 0
    while position < len(words) and words[position].startswith("-"):
        if words[position] in ("-h", "--help", "--version"):
            return list(words)
        position += 2 if words[position] in takes_value else 1
    if position < len(words):
        return [words[position], *words[:position], *words[position + 1 :]]
    return ["run", *words]


def main(words: Sequence[str], run_cycle: Callable[..., Any]) -> int:
    """Obey one command line of `pipeline_orchestrator.py`; the exit code. `run_cycle` is the story that `run` tells and `replay` plays."""

    def act(asked: argparse.Namespace, settings: Settings, open_log: OpenLog) -> Answer:
        if asked.command == "run":
            from retraining.commands import run

            return run.answer(asked, settings, open_log, run_cycle)
        open_log()
        if asked.command == "replay":
            from retraining.commands import replay

            return replay.answer(asked, settings, run_cycle)
        found: Answer = import_module(f"retraining.commands.{asked.command}").answer(
            asked, settings
        )
        return found

    return obey(words, lambda: _parse(words), act)


def obey(
    words: Sequence[str],
    parse: Callable[[], argparse.Namespace],
    act: Callable[[argparse.Namespace, Settings, OpenLog], Answer],
) -> int:
    """Parse, read the settings, act, and print; every error ends here in three lines and its exit code."""
    real_out, real_err = sys.stdout, sys.stderr
    if isinstance(real_out, io.TextIOWrapper):
        real_out.reconfigure(
            errors="backslashreplace"
        )  # as stderr is: a file's name may not fit the terminal's encoding
    open_log: OpenLog | None = None
    settings: Settings | None = None
    try:
        with _terminated_by_signal():
            asked = parse()
            settings = _settings(asked)
            open_log = _log_on_demand(asked, settings, real_err)
            with (
                contextlib.redirect_stdout(StrayOutput(real_out)),
                contextlib.redirect_stderr(StrayOutput(real_err)),
            ):
                answer = act(asked, settings, open_log)
    except SystemExit:
        raise  # --help and --version
    except BaseException as error:  # noqa: BLE001 - the edge: whatever it was becomes three lines and an exit code
        if open_log is not None:
            open_log().keep_failure(error)
        answer = _failed(error, words, settings)
    try:
        return _shown(answer, words, settings, real_out, real_err)
    except BrokenPipeError:  # whoever read our output went away (`| head`); what was done is done
        os.dup2(os.open(os.devnull, os.O_WRONLY), real_out.fileno())
        return answer.code


def _shown(
    answer: Answer,
    words: Sequence[str],
    settings: Settings | None,
    real_out: TextIO,
    real_err: TextIO,
) -> int:
    spell = _speller(settings)
    flags = {
        "as_json": "--json" in words,
        "quiet": bool({"-q", "--quiet"} & {*words}),
        "verbose": bool({"-v", "--verbose"} & {*words}),
    }
    if answer.failure is None:
        code = answer.show(real_out, real_err, spell, **flags)
        real_out.flush()
        return code
    from retraining.logs import without_secrets

    out, err = (
        io.StringIO(),
        io.StringIO(),
    )  # an error of somebody else's may quote an address with its password
    code = answer.show(out, err, spell, **flags)
    secrets = settings.secrets() if settings is not None else ()
    real_out.write(without_secrets(out.getvalue(), secrets))
    real_err.write(without_secrets(err.getvalue(), secrets))
    real_out.flush()
    return code


def _speller(settings: Settings | None) -> Callable[[str], str]:
    """Words advice for this project, where it is known."""
    from retraining.command_lines import spelled_out

    return str if settings is None else partial(spelled_out, settings=settings)


def _failed(error: BaseException, words: Sequence[str], settings: Settings | None) -> Answer:
    """What a start that failed prints: for a cycle its object, for `check` its problems."""
    from retraining.commands import Answer
    from retraining.records import Outcome
    from retraining.serialisation import outcome_to_json

    code, lines = in_three_lines(error)
    what, remedy = lines[-3], _speller(settings)(lines[-1])
    told: dict[str, Any] = outcome_to_json(
        Outcome(
            "failed", "; ".join(lines[:-3]) or what, exit_code=code, dry_run="--dry-run" in words
        )
    )
    if "check" in words:
        each = error.problems if isinstance(error, SettingsError) else (what,)
        told = {
            "ok": False,
            "problems": [{"what": one, "where": "start", "try": remedy} for one in each],
        }
    return Answer(told, code=code, failure=error)


def _settings(asked: argparse.Namespace) -> Settings:
    project = asked.project if asked.project is not None else default_project(settings_module.CLONE)
    _leave_a_folder_that_is_gone(project)
    loaded = settings_module.load(project, os.environ, asked.env_file)
    for name, value in {**ENVIRONMENT_DEFAULTS, **loaded.passed_on}.items():
        os.environ.setdefault(name, value)
    return loaded


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


def _log_on_demand(asked: argparse.Namespace, settings: Settings, stderr: TextIO) -> OpenLog:
    @cache
    def open_log() -> CycleLog:
        from retraining import logs

        return logs.set_up(
            settings, stderr, quiet=asked.quiet, verbose=asked.verbose, log_file=asked.log_file
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
