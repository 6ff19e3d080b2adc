"""The words on a command line, read once: which command is meant, and what its flags say.

Standard library only.

A command is a module of `retraining/commands/` with `add_flags(command)`, which owns its flags, and
`answer`, which obeys them. To add one, write the module and name it in `COMMANDS`.
"""

from __future__ import annotations

import argparse
from contextlib import suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from retraining import __version__
from retraining.console.command_lines import ORCHESTRATOR, program_name, started_as_command
from retraining.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

HELP_WIDTH = 100
DEFAULT_COMMAND = "run"
COMMANDS = {
    "run": "one cycle (the default)",
    "check": (
        "look for problems in settings, store, alias, folders and recipe; say what to do about each"
    ),
    "status": (
        "count the files; show the production version and why it is there, the last cycle,"
        " probation and hold"
    ),
    "history": "list the last cycles, and what each decision gained or cost since",
    "monitor": "show predictions, labels, realised score and drift, from the prediction log",
    "explain": "say why a version was (not) promoted, or a cycle ended as it did",
    "rollback": "move the alias back and hold promotions, or lift the hold",
    "approve": "give the production alias to the version that waits for a person",
    "reject": "reject that version: it no longer waits",
    "requeue": "move mended files from quarantine back to the inbox",
    "forget": "withdraw a bad file from the archive and from all later training",
    "relocate": (
        "after the project was moved: correct the addresses of its artifacts in the store"
    ),
    "init": "make a project: folders, recipe, and a .env proposed from your files",
    "reproduce": "train a version again from its recipe and its rows, and compare both",
    "fleet": "run one cycle of each of many projects; packages are loaded once",
    "replay": "try other settings on archived files, by the same cycle",
}
WORDS_OF_THE_COMMAND = {  # beside these, `retraining` has the clone's other two scripts
    "register": "put a first model into the registry",
    "serve": "answer predictions over HTTP with the version that holds the production alias",
}
MORE_HELP = """
Every command takes --project DIR, --env-file F, --log-file F, --json, -q and -v; COMMAND --help
shows the others, such as --dry-run and --force of `run`. Exit codes: 0 the cycle ended, 1 it
failed, 2 usage or settings, 3 a person is needed, 69 MLflow or a source of rows cannot be reached,
75 another cycle holds the lock, 130 and 143 interrupted. Settings are in .env{explained}.
"""


class Parser(argparse.ArgumentParser):
    """Says what is wrong in three lines.

    Help is as wide as it is, since asking the terminal for its width takes longer.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(
            formatter_class=partial(argparse.HelpFormatter, width=HELP_WIDTH), **options
        )

    def error(self, message: str) -> NoReturn:
        """Raise instead of exiting, so that a wrong command line ends like any other error."""
        raise UsageError(
            f"{self.prog}: {message}.", remedy=f"`{self.prog} --help` shows what is possible."
        )


def parse(words: Sequence[str]) -> argparse.Namespace:
    """Read a command line of `pipeline_orchestrator.py`; without a command it is `run`'s.

    Flags that every command takes may stand before the command too.

    Raises:
        UsageError: a word is unknown, missing or no value for its flag.
    """
    named = [name for name in COMMANDS if name in words]
    if named in ([], [DEFAULT_COMMAND]):
        understood = _as_a_cycle(words)
        if understood is not None:
            return understood
    parser = parser_of(named)
    args, others = parser.parse_known_args(words)
    if args.command is None:
        args.command = DEFAULT_COMMAND
        return _parser_of_one(DEFAULT_COMMAND).parse_args(others, args)
    if others and getattr(args, "flags_between", False):
        left = list(words)
        left.remove(args.command)
        # a namespace of its own: argparse warns on stderr of positionals that it finds set already
        again = _parser_of_one(args.command).parse_intermixed_args(left)
        vars(args).update(vars(again))
        return args
    if others:
        start = f"{program_name(ORCHESTRATOR)} {args.command}"
        raise UsageError(
            f"{start}: unrecognized arguments: {' '.join(others)}.",
            remedy=f"`{start} --help` shows what is possible.",
        )
    return args


def _as_a_cycle(words: Sequence[str]) -> argparse.Namespace | None:
    """A line that asks for a cycle, as nearly all do that cron starts.

    None where it says anything else.

    A parser of all commands takes longer than all else that a closed gate reads, so it is made
    only where it has something to say: help, or what is wrong.
    """
    flags = words[1:] if words[:1] == [DEFAULT_COMMAND] else words
    parser = Parser(prog=program_name(ORCHESTRATOR), parents=[common_flags()], add_help=False)
    import_module(f"retraining.commands.{DEFAULT_COMMAND}").add_flags(parser)
    parser.set_defaults(command=DEFAULT_COMMAND)
    with suppress(UsageError):
        args, others = parser.parse_known_args(flags)
        if not others:
            return args
    return None


def parser_of(needed: Collection[str] = tuple(COMMANDS)) -> Parser:
    """The parser of all commands, those `needed` with their flags: adding flags takes time, and
    most starts end at the gate.
    """
    parser = Parser(
        prog=program_name(ORCHESTRATOR),
        parents=[common_flags()],
        description="Decide whether to retrain and whether to promote; one start is one cycle.",
        epilog=MORE_HELP.format(explained=_where_settings_are_explained()),
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(
        dest="command", metavar="COMMAND", prog=program_name(ORCHESTRATOR)
    )
    for name, sentence in COMMANDS.items():
        command = commands.add_parser(name, help=sentence, **_options_of(name, name in needed))
        if name in needed:
            import_module(f"retraining.commands.{name}").add_flags(command)
    if started_as_command():
        # they never get here: help and a wrong word name them beside the others
        for name, sentence in WORDS_OF_THE_COMMAND.items():
            commands.add_parser(name, help=sentence, add_help=False)
    return parser


def _where_settings_are_explained() -> str:
    """An installed package has neither `.env.example` nor docs/ beside it."""
    if started_as_command():
        return ": `retraining init DIR` writes one that explains each"
    return "; .env.example and docs/ explain them"


def _parser_of_one(name: str) -> Parser:
    command = Parser(prog=program_name(ORCHESTRATOR), **_options_of(name, with_flags=True))
    import_module(f"retraining.commands.{name}").add_flags(command)
    return command


def _options_of(name: str, with_flags: bool) -> dict[str, Any]:
    """What argparse is told of one command."""
    if not with_flags:
        return {"add_help": False}
    sentence = f"{COMMANDS[name][0].upper()}{COMMANDS[name][1:]}."
    return {"parents": [common_flags(where_given=True)], "description": sentence}


def common_flags(*, where_given: bool = False) -> Parser:
    """The flags that every command and both scripts take.

    With `where_given`, a flag that is not there sets nothing, so that one before the command keeps
    its value.
    """
    common = Parser(add_help=False, argument_default=argparse.SUPPRESS if where_given else None)
    by_default = "the working directory" if started_as_command() else "the script's own"
    common.add_argument(
        "--project",
        type=_named,
        metavar="DIR",
        help=f"the project's folder; {by_default} by default",
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


def as_far_as_understood(words: Sequence[str]) -> argparse.Namespace:
    """The command and the common flags of a line that `parse` refuses, so that its error is printed
    as was asked.
    """
    parser = Parser(parents=[common_flags()], add_help=False)
    parser.add_argument("command", nargs="?")
    try:
        return parser.parse_known_args(words)[0]
    except UsageError:
        return parser.parse_args([])


def _named(text: str) -> Path:
    """A path as it was typed.

    An empty one comes from a shell variable that is not set, and would mean the working directory.
    """
    if not text:
        raise argparse.ArgumentTypeError("an empty path")
    return Path(text)
