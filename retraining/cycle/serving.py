"""What the production version answers on the files of a cycle; a file whose rows it cannot take is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retraining.cycle.rows import predictions, whole_files
from retraining.errors import DamagedModelError, UnpredictableRowsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from retraining.cycle.opening import Cycle
    from retraining.cycle.rows import Section
    from retraining.records import DataFile
    from retraining.statistics import Predictions


def served_answers(cycle: Cycle, sections: Sequence[Section]) -> Predictions:
    """Production's answers on the labelled rows of this cycle's files.

    Raises:
        UnpredictableRowsError: it raises on the rows of some files; they were refused.
        DamagedModelError: it raises on those of every file.
    """
    try:
        return predictions(cycle.job, cycle.production, sections)
    except DamagedModelError:
        _refuse_those_to_blame(cycle)
        raise


def _refuse_those_to_blame(cycle: Cycle) -> None:
    """Some values are too much for some models (1e300 for a tree of 32-bit floats): one file must not stop all others for ever."""
    files, folder = cycle.claimed.files, cycle.job.settings.quarantine_dir
    reasons = {file: reason for file in files if (reason := _why_not_predicted(cycle, file))}
    if not reasons or len(reasons) == len(files):
        return
    for file, reason in reasons.items():
        cycle.job.refuse(
            file.name,
            f"production (v{cycle.production.number}) cannot predict its rows: {reason}",
            file.sha256,
        )
    first = next(iter(reasons))
    raise UnpredictableRowsError(
        f"v{cycle.production.number} cannot predict the rows of {len(reasons)} of {len(files)} files: {first.name!r}: {reasons[first]}.",
        unchanged=f"These files are in {folder}, each with its reason beside it; no alias moved.",
        remedy="The next start goes on without them. Mend and `requeue` them, or let the recipe cope with such values.",
    )


def _why_not_predicted(cycle: Cycle, file: DataFile) -> str | None:
    try:
        predictions(cycle.job, cycle.production, whole_files([file]))
    except DamagedModelError as error:
        return str(error.__cause__ or error.what).strip().rstrip(".")
    return None
