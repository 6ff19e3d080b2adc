"""One root error, named causes, and the exit code that each ends with.

Every error tells three things, each a line: what failed and where, what was left unchanged, what to
try. They are raised where the cause is known and caught once, in `cli`.
"""

from __future__ import annotations

import os
import re

NOTHING_CHANGED = "Nothing was changed: no alias moved, no file moved."


class RetrainingError(Exception):
    """Root of every error this project raises on purpose.

    Args:
        what: what failed, and where.
        unchanged: what the failure left as it was.
        remedy: what a person can try.
    """

    exit_code = 1

    def __init__(self, what: str, *, unchanged: str = NOTHING_CHANGED, remedy: str) -> None:
        super().__init__(what)
        self.what = what
        self.unchanged = unchanged
        self.remedy = remedy

    def lines(self) -> tuple[str, str, str]:
        """The last three lines of stderr."""
        what, unchanged, remedy = (
            _on_one_line(text) for text in (self.what, self.unchanged, self.remedy)
        )
        return what, unchanged, remedy


def _on_one_line(text: str) -> str:
    """File names and messages of strangers may hold anything."""
    from retraining.phrases import escaped  # a start without an error has no use for it

    return escaped(" ".join(text.split()))


class UsageError(RetrainingError):
    """A command line that cannot be obeyed."""

    exit_code = 2


class SettingsError(RetrainingError):
    """Settings that cannot be used; `problems` holds one line for each of them."""

    exit_code = 2

    def __init__(self, problems: tuple[str, ...], *, where: str) -> None:
        problems = tuple(map(_with_its_origin, problems))
        count = f"{len(problems)} settings are wrong" if len(problems) > 1 else "A setting is wrong"
        super().__init__(
            f"{count} ({where}): {'; '.join(problems)}",
            remedy=(
                "Correct the settings named above in .env or the environment; .env.example lists"
                " them all."
            ),
        )
        self.problems = problems
        names = [problem.partition(":")[0] for problem in problems]
        self.in_short = f"{count} ({where}): {', '.join(names)}."


def _with_its_origin(problem: str) -> str:
    """Names of settings stand ahead of the colon; the environment's are told, since an edit of
    `.env` would change nothing.
    """
    names = re.findall(r"[A-Z][A-Z0-9_]+", problem.partition(":")[0])
    outside = [name for name in names if os.environ.get(name, "").strip()]
    if not outside:
        return problem
    verb = "is" if len(outside) == 1 else "are"
    return f"{problem} ({' and '.join(outside)} {verb} set in the environment, which beats .env)"


class PersonNeededError(RetrainingError):
    """Root of the causes that only a person can remove."""

    exit_code = 3


class NoProductionModelError(PersonNeededError):
    """No version holds the production alias."""


class UnknownVersionError(PersonNeededError):
    """The production alias is on a version that this job does not know."""


class EveryFileRefusedError(PersonNeededError):
    """Every file that waited was refused."""


class UnknownClassError(PersonNeededError):
    """Two files or more bring a class that the production version has never seen."""


class ArchiveMismatchError(PersonNeededError):
    """The archive does not hold what the versions in the registry were made from."""


class DamagedModelError(PersonNeededError):
    """A model's files are not those that were registered."""


class ArtifactsElsewhereError(DamagedModelError):
    """The experiment keeps its artifacts where this machine cannot reach them.

    The project may have been moved.
    """


class RenamedExperimentError(PersonNeededError):
    """The experiment in the settings was given another name in MLflow."""


class OtherMlflowError(PersonNeededError):
    """The store's tables are those of another MLflow than the one installed here."""


class DamagedStoreError(PersonNeededError):
    """The store's file is no database, or one that lost some of its content."""


class DeletedExperimentError(PersonNeededError):
    """The experiment in the settings was deleted in MLflow."""


class MissingDriverError(PersonNeededError):
    """The package that speaks to the database in the settings is not installed."""


class DamagedCodeError(PersonNeededError):
    """A compiled file of Python's cannot be read: every start fails until it is deleted."""


class OtherVersionsError(PersonNeededError):
    """The workers of ENGINE have other versions of packages than this process."""


class TrainingMemoryError(PersonNeededError):
    """Training would take more memory than there is, and the recipe does not learn in parts."""


class FolderGoneError(PersonNeededError):
    """A folder of the project, such as the inbox, is not there."""


class FolderClosedError(PersonNeededError):
    """A folder of the project is there, but this user may not move files into it and out of it."""


class CredentialsRefusedError(PersonNeededError):
    """A server refused the credentials in the settings."""


class UnreachableError(RetrainingError):
    """MLflow, or a source of rows, cannot be reached."""

    exit_code = 69


class EngineUnreachableError(RetrainingError):
    """The Dask scheduler of ENGINE cannot be reached, or was lost on the way."""

    exit_code = 69


class LockHeldError(RetrainingError):
    """Another cycle holds the project's lock."""

    exit_code = 75


class UnpredictableRowsError(RetrainingError):
    """The production model raised on the rows of some files, which were refused.

    The next start goes on without them.
    """


class RecipeError(RetrainingError):
    """The training recipe raised, or returned something that cannot be used."""


class StoreError(RetrainingError):
    """MLflow answered with an error that is not one of reach."""


class UnreadableFileError(Exception):
    """A data file that must be refused whole; the message is the reason a person reads."""
