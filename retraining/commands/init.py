"""`init DIR`: a new project, its settings proposed from the files that a person brings.

It never overwrites anything.
"""

from __future__ import annotations

import filecmp
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retraining.commands import Answer
from retraining.errors import RetrainingError, SettingsError, UnreadableFileError, UsageError
from retraining.phrases import how_many
from retraining.settings import CLONE, RECIPE_NAME

if TYPE_CHECKING:
    import argparse

    from retraining.new_project.proposal import Proposal
    from retraining.settings import Settings

FOLDERS = ("new_data", "used_data", "model")
NOT_IN_GIT = """\
.env
.retraining/
new_data/
used_data/
quarantine/
model/
mlflow_server/
predictions/
api_tokens.json
"""


def add_flags(command: argparse.ArgumentParser) -> None:
    """Where, and what the first model learns."""
    command.add_argument("new_project", type=Path, metavar="DIR", help="the new project's folder")
    command.add_argument(
        "files", nargs="*", type=Path, metavar="FILE", help="CSV or Parquet, copied into used_data/"
    )
    command.add_argument("--target", metavar="COLUMN", help="the column to predict")
    # DIR --target COLUMN FILE: argparse alone ends at the flag
    command.set_defaults(flags_between=True)


def missing_folders(folder: Path) -> list[Path]:
    """The project's folder and those above it that are not there, the deepest first."""
    return [one for one in (folder, *folder.parents) if not one.exists()]


def make_folder(folder: Path) -> Path:
    """The project's folder, made where it is not there.

    Raises:
        UsageError: a file is in the way, or this user may not make it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"The folder {folder} cannot be made: {error.strerror}.", remedy="Name another folder."
        ) from error
    return folder


def answer(args: argparse.Namespace, settings: Settings) -> Answer:
    """Make what is missing, and say what was made and what comes next."""
    env = settings.project / ".env"
    is_new = not env.exists()
    try:
        files = _checked(args.files, settings)
        if is_new:
            proposals, notes = _proposed(files, args.target, settings)
        else:
            proposals, notes = [], [_stays(args.target, settings)]
    except RetrainingError:
        for folder in args.new_folders:
            with suppress(OSError):
                folder.rmdir()
        raise
    for file in files:
        _copied(file, settings.used_data_dir)
    made = _folders_and_texts(settings.project)
    if is_new:
        env.write_text(_env_with(proposals), encoding="utf-8")
    result: dict[str, Any] = {
        "project": str(settings.project),
        "made": made,
        "files": [file.name for file in files],
        "settings": [
            {"name": one.name, "value": one.value, "reason": one.reason} for one in proposals
        ],
    }
    return Answer(result, _in_words(settings, proposals, notes, is_new=is_new))


def _checked(files: list[Path], settings: Settings) -> list[Path]:
    """The named files, all of them checked before any is copied; copies of one are named once.

    Raises:
        UsageError: one is not there, is no data file, or would take another's name in the archive.
    """
    from retraining.datasets.data_files import FORMATS

    by_name: dict[str, Path] = {}
    for file in files:
        if file.is_dir():
            raise UsageError(
                f"{file} is a folder.", remedy=f"Name the files in it, such as {file}/*.csv."
            )
        if not file.is_file():
            raise UsageError(f"The file {file} is not there.", remedy="Name CSV or Parquet files.")
        if not file.name.lower().endswith(FORMATS):
            raise UsageError(
                f"The file {file} is neither {', '.join(FORMATS[:-1])} nor {FORMATS[-1]}.",
                remedy="Convert it, or leave it out.",
            )
        first = by_name.setdefault(file.name, file)
        if not filecmp.cmp(first, file, shallow=False):
            raise UsageError(
                f"{first} and {file} have one name and different content: "
                f"{settings.used_data_dir.name}/ can hold only one of them.",
                remedy="Rename one of the two.",
            )
        there = settings.used_data_dir / file.name
        if there.exists() and not filecmp.cmp(there, file, shallow=False):
            raise UsageError(
                f"{there} is there already, with other content.", remedy="Rename one of the two."
            )
    return list(by_name.values())


def _copied(file: Path, folder: Path) -> Path:
    """The file in the archive: whole and on its way by one name only."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / file.name
    if not target.exists():
        aside = folder / f".{file.name}.part"
        shutil.copy2(file, aside)
        aside.replace(target)
    return target


def _folders_and_texts(project: Path) -> list[str]:
    """Make what is not there; the names of what was made."""
    made = []
    for name in FOLDERS:
        if not (project / name).is_dir():
            (project / name).mkdir(parents=True)
            made.append(f"{name}/")
    texts = {
        RECIPE_NAME: (CLONE / RECIPE_NAME).read_text(encoding="utf-8"),
        ".gitignore": NOT_IN_GIT,
    }
    for name, text in texts.items():
        if not (project / name).exists():
            (project / name).write_text(text, encoding="utf-8")
            made.append(name)
    return made


def _stays(target: str | None, settings: Settings) -> str:
    """What becomes of a `.env` that was there already: nothing, whatever was asked for."""
    stays = "It was there already and stays as it is"
    if target in (None, settings.target_column):
        return f"{stays}."
    return (
        f"{stays}: --target {target} was not written, TARGET_COLUMN is still "
        f"{settings.target_column}. Edit .env to change it."
    )


def _proposed(
    files: list[Path], target: str | None, settings: Settings
) -> tuple[list[Proposal], list[str]]:
    """The settings that the files speak for, and notes on what could not be looked at.

    Raises:
        UsageError: the column that a person named as the label is not there, or is none.
    """
    from retraining.new_project.proposal import Proposal

    named = [] if target is None else [Proposal("TARGET_COLUMN", target, "As asked.")]
    if not files:
        return named, ["No file was named, so nothing could be proposed."]
    from retraining.new_project.looking import looked_at

    try:
        looked = looked_at(files, target, settings)
    except UsageError:
        raise
    except SettingsError as error:
        if target is not None and error.problems[0].startswith("TARGET_COLUMN: "):
            # a .env that is written once is never overwritten: a slip would stay in it
            raise _no_such_label(error.problems[0]) from error
        return named, [f"The files could not be looked at: {error.what}"]
    except RetrainingError as error:
        return named, [f"The files could not be looked at: {error.what}"]
    except UnreadableFileError as error:
        return named, [f"The files could not be looked at: {error}."]
    return looked.proposals, looked.notes


def _no_such_label(problem: str) -> UsageError:
    return UsageError(
        f"--target: {problem.removeprefix('TARGET_COLUMN: ')}",
        remedy="Name the column as the header writes it, and start the command again: "
        "no .env was written.",
    )


def _env_with(proposals: list[Proposal]) -> str:
    from retraining.new_project.env_text import env_text

    return env_text(_example(), proposals)


def _example() -> str:
    """`.env.example`: beside the scripts in a clone, inside the package where it was installed."""
    in_clone, in_package = CLONE / ".env.example", CLONE / "retraining" / "env.example"
    path = in_clone if in_clone.is_file() else in_package
    return path.read_text(encoding="utf-8")


def _in_words(
    settings: Settings, proposals: list[Proposal], notes: list[str], *, is_new: bool
) -> str:
    lines = [f"{settings.project} is a project."]
    archived = _archived(settings.used_data_dir)
    if archived:
        lines.append(f"used_data/ holds {how_many(archived, 'file')} of yours.")
    lines += [f".env: {one.name}={one.value}  ({one.reason})" for one in proposals]
    lines += [f".env: {note}" for note in notes]
    if not is_new:
        lines.append("If a version serves already, put new files into new_data/. Else:")
    lines += [
        "Next: read .env, then register a first model:",
        f"  {settings._replace(env_file=None).register_command} --set-alias",
    ]
    return "\n".join(lines)


def _archived(folder: Path) -> int:
    """How many data files the archive holds, from this `init` and from before."""
    from retraining.datasets.data_files import FORMATS

    return sum(1 for path in folder.glob("[!.]*") if path.name.lower().endswith(FORMATS))
