"""RETRAIN_SCHEDULE is no setting: `check` answers it with the crontab line that does the same."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from retraining.commands.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from retraining.settings import Settings

NAME = "RETRAIN_SCHEDULE"
NIGHTLY = "17 2 * * *"  # not on the hour, when every other job starts too
WORDS = {
    "hourly": "17 * * * *",
    "daily": NIGHTLY,
    "nightly": NIGHTLY,
    "weekly": "17 2 * * 0",
    "monthly": "17 2 1 * *",
}
FIELD = r"[0-9*,/\-A-Za-z]+"


def answer_a_schedule(settings: Settings) -> Iterator[Problem]:
    """Say that cron starts the job, and with which line; nothing where no schedule was set."""
    text = settings.passed_on.get(NAME)
    if text is None:
        return
    when = as_crontab_fields(text)
    what = f"{NAME}={text} is not read: the job has no timer of its own, cron starts it."
    if when is None:
        what = (
            f"{what} {text!r} is no schedule that this can be read as; the line is a nightly one."
        )
    command = f"{settings.command} -q".replace("%", r"\%")  # cron takes % for the end of the line
    yield Problem(what, ".env", f"`crontab -e`, and this line: {when or NIGHTLY}  {command}", 0)


def as_crontab_fields(text: str) -> str | None:
    """The five fields of a crontab line that mean a schedule; None where it is none.

    >>> as_crontab_fields("@daily"), as_crontab_fields("03:30"), as_crontab_fields("6h")
    ('17 2 * * *', '30 3 * * *', '17 */6 * * *')
    """
    words = text.strip().lower().removeprefix("@")
    if words in WORDS:
        return WORDS[words]
    if re.fullmatch(rf"{FIELD}(\s+{FIELD}){{4}}", text.strip()):
        return " ".join(text.split())
    clock = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", words)
    if clock is not None:
        return f"{int(clock[2])} {int(clock[1])} * * *"
    hours = re.fullmatch(r"(?:every\s+)?(\d+)\s*h(?:ours?)?", words)
    if hours is not None and 1 <= int(hours[1]) <= 23:
        return f"17 */{int(hours[1])} * * *"
    return None
