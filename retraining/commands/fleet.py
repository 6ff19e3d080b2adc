"""`fleet`: one start, many projects, each exactly as if it were started alone.

Every project gets a child process. Those that end at their gate are forked before any package is
loaded. Only if a gate opens are the packages loaded, once, by this process, which then forks a
child for each such project. It runs no recipe, no fit and no store itself: a fork after those
could hang.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections import deque
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retraining.console.failures import AGAIN, LATER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import TextIO

    from retraining.fleet.children import Children, Ended

    Start = Callable[[Sequence[str]], int]

GRAVITY = (3, 2, 1, 69, 75, 130, 143)  # exit codes, the gravest first
WANTS_PACKAGES = 99  # a child's exit code: it only looked at the gate, which is open
REMEDY = "Look at its recipe and at the log in its .retraining/logs/, then start it again."
FEWER = "Start fewer at once with --jobs, or free memory and disk space; then start it again."


def add_flags(command: argparse.ArgumentParser) -> None:
    """Which projects, how many at once, and what their cycles are told."""
    command.add_argument(
        "projects", nargs="+", type=_folder, metavar="DIR", help="the projects' folders"
    )
    command.add_argument(
        "--jobs",
        type=_at_least_one,
        metavar="N",
        help="cycles at once; as many as there are cores by default",
    )
    command.add_argument("--dry-run", action="store_true", help="decide everything, change nothing")
    command.add_argument(
        "--force",
        action="store_true",
        help="skip gate and trigger, judge all files again, repeat an attempt that lost",
    )


def _folder(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("an empty path")
    return Path(text)


def _at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 1 or more")
    return int(text)


@dataclass(frozen=True)
class Fleet:
    """What was asked for.

    Attributes:
        start: obeys a command line of the job; its exit code.
        words: of each start, but for its project.
        lent: what a start adds to the environment where nobody else has. Packages read some of it
            while they load, so it is set in this process for that, and taken back in each child.
    """

    projects: tuple[Path, ...]
    jobs: int
    start: Start
    words: tuple[str, ...]
    env_file: Path | None
    lent: tuple[tuple[str, str], ...]
    force: bool


@dataclass(frozen=True)
class ProjectEnd:
    """How a project's cycle ended: the object that its cycle printed, and its stderr."""

    project: Path
    cycle: dict[str, Any]
    err: str
    seconds: float

    @property
    def exit_code(self) -> int:
        """One of the job's exit codes."""
        code: int = self.cycle["exit_code"]
        return code


def obey(args: argparse.Namespace, start: Start, defaults: Mapping[str, str]) -> int:
    """Start every project and print how each ended; the gravest exit code."""
    fleet = _fleet(args, start, defaults)
    longest = max(len(str(project)) for project in fleet.projects)
    ends: dict[Path, ProjectEnd] = {}
    for ended in _each_end(fleet):
        end = _project_end(ended, dry_run=args.dry_run)
        ends[end.project] = end
        _print(_named_lines(end), sys.stderr)
        if not (args.json or args.quiet):
            _print(_line(end, longest), sys.stdout)
    if args.json:
        cycles = [{"project": str(name), **ends[name].cycle} for name in fleet.projects]
        _print(json.dumps(cycles) + "\n", sys.stdout)
    return gravest([end.exit_code for end in ends.values()])


def gravest(codes: Sequence[int]) -> int:
    """The most serious code: 0 only where every one is.

    >>> gravest([0, 75, 2, 0]), gravest([0, 0])
    (2, 0)
    """
    return next((code for code in GRAVITY if code in codes), 0)


def _fleet(args: argparse.Namespace, start: Start, defaults: Mapping[str, str]) -> Fleet:
    named = [args.project] if args.project is not None else []
    by_folder: dict[Path, Path] = {}
    for project in [*named, *args.projects]:
        by_folder.setdefault(project.resolve(), project)  # one that is named twice starts once
    flags = {"--force": args.force, "--dry-run": args.dry_run}
    flags |= {"-q": args.quiet, "-v": args.verbose}
    words = ["run", "--json", *(flag for flag, is_set in flags.items() if is_set)]
    for flag, path in (("--env-file", args.env_file), ("--log-file", args.log_file)):
        words += [flag, str(path)] if path is not None else []
    jobs = args.jobs or len(os.sched_getaffinity(0))
    projects = tuple(by_folder.values())
    lent = tuple(item for item in defaults.items() if item[0] not in os.environ)
    return Fleet(projects, jobs, start, tuple(words), args.env_file, lent, args.force)


# --- the children ---------------------------------------------------------------------------------


def _each_end(fleet: Fleet) -> Iterator[Ended]:
    """Start the projects, so many at once, and yield how each ended, as it ends."""
    from retraining.fleet.children import Children

    children = Children()
    engine = _engine_of(fleet)
    # a first child looks at the gate without packages; it goes on where that is closed
    to_look: deque[Path] = deque(fleet.projects)
    to_run: deque[Path] = deque()
    to_send: list[Path] = []
    with children.reached_by_signals():
        while to_look or to_run or len(children):
            yield from _start_as_many_as_may(fleet, children, to_look, to_run)
            if len(children):
                ended = children.wait_for_one()
                if ended.code == WANTS_PACKAGES and engine is not None:
                    to_send.append(ended.project)
                elif ended.code == WANTS_PACKAGES:
                    to_run.append(ended.project)
                else:
                    yield ended
        if engine is not None and to_send:
            yield from _each_end_on(engine, fleet, to_send, children)


def _start_as_many_as_may(
    fleet: Fleet, children: Children, to_look: deque[Path], to_run: deque[Path]
) -> Iterator[Ended]:
    """Fork until so many run; yields the ends of those that cannot be started any more."""
    from retraining.errors import RetrainingError
    from retraining.fleet.children import Ended
    from retraining.fleet.packages import load_packages

    while (to_look or to_run) and len(children) < fleet.jobs:
        looks = bool(to_look)
        project = to_look.popleft() if looks else to_run.popleft()
        if children.stopped_by is not None:
            yield Ended.before_its_start(project, children.stopped_by)
            continue
        if not looks:
            load_packages(fleet.lent)
        try:
            children.start(project, partial(_live, fleet, project, looks=looks))
        except OSError as error:
            what = f"It could not be started: {error.strerror}."
            yield Ended.by_error(project, RetrainingError(what, remedy=FEWER))


def _live(fleet: Fleet, project: Path, *, looks: bool) -> int:
    """What a child does; its exit code."""
    from retraining.machine import share_with

    share_with(min(fleet.jobs, len(fleet.projects)))
    for name, _ in fleet.lent:
        os.environ.pop(name, None)  # the project's own word on these comes first
    if looks:
        from retraining.fleet.gate import wants_packages

        if wants_packages(project, fleet.env_file, force=fleet.force):
            return WANTS_PACKAGES
    return fleet.start([*fleet.words, "--project", str(project)])


# --- on an engine ---------------------------------------------------------------------------------


def _engine_of(fleet: Fleet) -> str | None:
    """ENGINE of the environment, else of the first project that can say it."""
    from retraining import settings
    from retraining.errors import RetrainingError

    for project in fleet.projects:
        try:
            return settings.load(project, os.environ, fleet.env_file).engine
        except (RetrainingError, OSError):
            continue  # its own start meets the error, and tells it
    return None


def _each_end_on(
    engine: str, fleet: Fleet, projects: Sequence[Path], children: Children
) -> Iterator[Ended]:
    """The ends of projects whose gate is open, worked on by the engine's workers."""
    from retraining.engines.cycles import each_end
    from retraining.errors import RetrainingError
    from retraining.fleet.children import Ended, Stopped

    left = list(projects)
    try:
        for ended in each_end(
            engine, fleet.words, dict(fleet.lent), projects, fleet.env_file, children
        ):
            left.remove(ended.project)
            yield ended
    except RetrainingError as error:
        for project in left:
            yield Ended.by_error(project, error)
    except Stopped as stopped:
        for project in left:
            yield Ended.before_its_start(project, stopped.by)


# --- what is printed --------------------------------------------------------------------------


def _project_end(ended: Ended, *, dry_run: bool) -> ProjectEnd:
    """The object that the child printed, or one that says how its process ended."""
    try:
        cycle: dict[str, Any] = json.loads(ended.out)
    except ValueError:
        return _end_of_a_crash(ended, dry_run=dry_run)
    return ProjectEnd(ended.project, cycle, ended.err, ended.seconds)


def _end_of_a_crash(ended: Ended, *, dry_run: bool) -> ProjectEnd:
    from retraining.outcomes import Outcome
    from retraining.serialisation import outcome_to_json

    code, reason, remedy = _of_a_process(ended.code)
    lines = f"{reason}\n{LATER}\n{remedy}\n"
    if ended.reason:
        reason, lines = ended.reason, ""  # its stderr has the lines
    outcome = Outcome("failed", reason, exit_code=code, dry_run=dry_run)
    cycle = outcome_to_json(outcome, were_files_counted=False)
    return ProjectEnd(ended.project, cycle, ended.err + lines, ended.seconds)


def _of_a_process(code: int) -> tuple[int, str, str]:
    """The job's exit code for a process that printed no object, why it did not, and what to do."""
    from retraining.fleet.children import PASSED_ON, in_words

    if -code in PASSED_ON:
        interrupted = 130 if -code == signal.SIGINT else 143
        return interrupted, f"Interrupted by {in_words(signal.Signals(-code))}.", AGAIN
    if code < 0:
        return 1, f"Its process was ended by {signal.Signals(-code).name}.", REMEDY
    known = code if code in GRAVITY else 1
    return known, f"Its process ended with {code} and said no more.", REMEDY


def _line(end: ProjectEnd, longest: int) -> str:
    name, ending = f"{end.project!s:<{longest}}", end.cycle["ending"]
    return f"{name}  {ending:<17}  {end.seconds:6.1f} s  {end.cycle['reason']}\n"


def _named_lines(end: ProjectEnd) -> str:
    """What a start said on stderr, each line under its project's name."""
    return "".join(f"{end.project}: {line}\n" for line in end.err.splitlines())


def _print(text: str, stream: TextIO) -> None:
    """Print at once. Whoever read it may have gone away (`| head`): the fleet goes on."""
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
