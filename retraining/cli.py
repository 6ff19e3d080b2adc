"""Arguments, log set-up, exit codes: the edge where errors are caught, once. Standard library only until a command needs more."""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import os
import signal
import sys
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from retraining import __version__, logs
from retraining import settings as settings_module
from retraining.errors import SettingsError, UsageError
from retraining.failures import Terminated, in_three_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from retraining.commands import Answer
    from retraining.settings import Settings

log = logging.getLogger("retraining")

CLIENT_DEFAULTS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_CONFIGURE_LOGGING": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "GIT_PYTHON_REFRESH": "quiet",
}
COMMANDS = {
    "run": "one cycle (the default)",
    "check": "settings, store, alias, folders, recipe and every invariant: each problem with what to do",
    "status": "waiting, judged, used and quarantined files, the production version, the last cycle, probation, hold",
    "history": "the last cycles, one line each, with hindsight",
    "explain": "why a version was (not) promoted",
    "rollback": "move the alias back and hold promotions, or lift the hold",
    "requeue": "move mended files from quarantine back to the inbox",
    "forget": "withdraw a poisoned file from the archive and from all later training",
    "replay": "play archived files through the same cycle under one or more policies",
}


class Parser(argparse.ArgumentParser):
    """Says what is wrong in three lines."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of exiting, so that a wrong command line ends like any other error."""
        raise UsageError(f"{self.prog}: {message}.", remedy=f"`{self.prog} --help` shows what is possible.")


def _parser() -> Parser:
    common = common_flags()
    parser = Parser(prog="pipeline_orchestrator.py", description="Monitor, retrain, compare, promote, archive.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    made = {name: commands.add_parser(name, parents=[common], help=text, description=text) for name, text in COMMANDS.items()}
    _add_flags(made)
    return parser


def common_flags() -> Parser:
    """The flags that every command and both scripts take."""
    common = Parser(add_help=False)
    common.add_argument("--project", type=Path, metavar="DIR", help="the project's folder; the script's own by default")
    common.add_argument("--env-file", type=Path, metavar="F", help="read settings from this file instead of the project's .env")
    common.add_argument("--log-file", type=Path, metavar="F", help="write the full log to this file too")
    common.add_argument("--json", action="store_true", help="print JSON on stdout, and nothing else")
    common.add_argument("-q", "--quiet", action="store_true", help="print nothing on success; stderr holds errors only")
    common.add_argument("-v", "--verbose", action="store_true", help="show every log line, and a traceback above an error")
    return common


def _add_flags(made: dict[str, Any]) -> None:
    made["run"].add_argument("--dry-run", action="store_true", help="decide everything, change nothing")
    made["run"].add_argument("--force", action="store_true", help="skip gate and trigger, judge again, try a lost attempt again")
    made["check"].add_argument("--deep", action="store_true", help="read every archived file again")
    made["history"].add_argument("-n", type=int, default=20, metavar="N", help="how many cycles (20)")
    made["history"].add_argument("--html", type=Path, metavar="DIR", help="write a static index with every report instead")
    made["explain"].add_argument("which", nargs="?", metavar="vN or CYCLE", help="a version or a cycle id; the last decision by default")
    made["rollback"].add_argument("--to", type=int, metavar="N", help="the version to go back to; the previous one by default")
    made["rollback"].add_argument("--resume", action="store_true", help="lift the hold; the alias stays")
    made["rollback"].add_argument("--why", default="", metavar="TEXT", help="the reason, kept in the registry")
    made["requeue"].add_argument("files", nargs="+", metavar="FILE", help="names in quarantine, or paths relative to the project")
    made["forget"].add_argument("files", nargs="+", metavar="FILE_OR_SHA", help="archived files, or the first digits of their SHA-256")
    made["forget"].add_argument("--why", required=True, metavar="TEXT", help="the reason, kept in the registry")
    replay = made["replay"]
    replay.add_argument("files", nargs="*", type=Path, metavar="FILES", help="CSV, CSV.gz or Parquet in time order; used_data/ by default")
    replay.add_argument(
        "--policy", metavar="NAME[,NAME]", help="`current`, settings files, or yardsticks such as always; current and all yardsticks"
    )
    replay.add_argument(
        "--rows-per-cycle", type=int, metavar="N", help="rows of a cycle; by default those of MIN_NEW_FILES files, or a fiftieth of all"
    )
    replay.add_argument("--files-per-cycle", type=int, default=15, metavar="N", help="files of a cycle (15)")
    replay.add_argument("--initial-rows", type=int, metavar="N", help="rows that the first model learns; by default four cycles'")
    replay.add_argument("--offsets", type=int, default=1, metavar="K", help="play K times, each a little later (1)")
    replay.add_argument("--days-per-cycle", type=float, default=1.0, metavar="D", help="days that pass between cycles (1)")
    replay.add_argument("--recipe", type=Path, metavar="FILE", help="the training recipe; the project's by default")
    replay.add_argument("--advise", action="store_true", help="print the .env lines worth changing, with gain and interval")


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

    def act(asked: argparse.Namespace, settings: Settings, kept: logs.CycleLog) -> Answer:
        if asked.command == "run":
            from retraining.commands import run

            return run.answer(asked, settings, kept, run_cycle)
        if asked.command == "replay":
            from retraining.commands import replay

            return replay.answer(asked, settings, run_cycle)
        found: Answer = import_module(f"retraining.commands.{asked.command}").answer(asked, settings)
        return found

    return obey(words, lambda: _parser().parse_args(with_default_command(words)), act)


def obey(
    words: Sequence[str],
    parse: Callable[[], argparse.Namespace],
    act: Callable[[argparse.Namespace, Settings, logs.CycleLog], Answer],
) -> int:
    """Parse, read the settings, set up the log, act, and print; every error ends here in three lines and its exit code."""
    real_out, real_err = sys.stdout, sys.stderr
    kept: logs.CycleLog | None = None
    secrets: tuple[str, ...] = ()
    try:
        with _terminated_by_signal():
            asked = parse()
            settings = _settings(asked)
            secrets = settings.secrets()
            kept = logs.set_up(settings, quiet=asked.quiet, verbose=asked.verbose, log_file=asked.log_file)
            stray_out, stray_err = logs.StrayOutput(real_out), logs.StrayOutput(real_err)
            with contextlib.redirect_stdout(stray_out), contextlib.redirect_stderr(stray_err):
                answer = act(asked, settings, kept)
    except SystemExit:
        raise  # --help and --version
    except BaseException as error:  # the edge: whatever it was becomes three lines and an exit code
        log.debug("the start failed", exc_info=error)
        if kept is not None:
            kept.keep(f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{os.getpid()}")
        answer = _failed(error, words)
    try:
        return _shown(answer, words, secrets, real_out, real_err)
    except BrokenPipeError:  # whoever read our output went away (`| head`); what was done is done
        os.dup2(os.open(os.devnull, os.O_WRONLY), real_out.fileno())
        return answer.code


def _shown(answer: Answer, words: Sequence[str], secrets: tuple[str, ...], real_out: TextIO, real_err: TextIO) -> int:
    flags = {"as_json": "--json" in words, "quiet": bool({"-q", "--quiet"} & {*words}), "verbose": bool({"-v", "--verbose"} & {*words})}
    if answer.failure is None:
        code = answer.show(real_out, real_err, **flags)
        real_out.flush()
        return code
    out, err = io.StringIO(), io.StringIO()  # an error of somebody else's may quote an address with its password
    code = answer.show(out, err, **flags)
    real_out.write(logs.without_secrets(out.getvalue(), secrets))
    real_err.write(logs.without_secrets(err.getvalue(), secrets))
    real_out.flush()
    return code


def _failed(error: BaseException, words: Sequence[str]) -> Answer:
    """What a start that failed prints: for a cycle its object, for `check` its problems."""
    from retraining.commands import Answer
    from retraining.records import Outcome
    from retraining.report.told import outcome_to_json

    code, lines = in_three_lines(error)
    what, _, remedy = lines[-3:]
    told: dict[str, Any] = outcome_to_json(Outcome("failed", what, exit_code=code, dry_run="--dry-run" in words))
    if "check" in words:
        each = error.problems if isinstance(error, SettingsError) else (what,)
        told = {"ok": False, "problems": [{"what": one, "where": "start", "try": remedy} for one in each]}
    return Answer(told, code=code, failure=error)


def _settings(asked: argparse.Namespace) -> Settings:
    project = asked.project if asked.project is not None else settings_module.CLONE
    loaded = settings_module.load(project, os.environ, asked.env_file)
    for name, value in {**loaded.passed_on, **CLIENT_DEFAULTS}.items():
        os.environ.setdefault(name, value)
    return loaded


@contextlib.contextmanager
def _terminated_by_signal() -> Iterator[None]:
    def stop(_number: int, _frame: object) -> NoReturn:
        raise Terminated

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
