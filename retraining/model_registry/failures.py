"""What MLflow, its server, its database or a disk raised -> one of our errors, in words that a
person can act on.
"""

from __future__ import annotations

import re

from retraining.drivers import missing_driver
from retraining.errors import (
    CredentialsRefusedError,
    DamagedStoreError,
    MissingDriverError,
    RetrainingError,
    StoreError,
    UnreachableError,
)
from retraining.folders import disks

UNCERTAIN = (
    "No file was moved by this step; the next run looks up what MLflow holds before it goes on."
)
_OUT_OF_REACH = (408, 429, 502, 503, 504)
_NOT_THERE = ("RESOURCE_DOES_NOT_EXIST", "NOT_FOUND")
_STATUS = re.compile(
    r"too many (\d{3}) error responses|failed with error code (\d{3})|^(\d{3}) (?:Client|Server)"
    r" Error"
)

_CAUSE = re.compile(
    r"Connection refused|[Tt]imed out|too many \d{3} error responses|Name or service not"
    r" known|Temporary failure in name resolution"
    r"|Connection reset by peer|Remote end closed connection without response|certificate verify"
    r" failed|No route to host"
)
# SQLAlchemy puts the class of the driver's error before what the database said
_DRIVER = re.compile(r"\((?:\w+\.)+\w+\) (.+)")

_USER_REFUSED = re.compile(
    r"password authentication failed|no password supplied|no pg_hba.conf entry|role \S+ does not"
    r" exist"
    r"|Access denied for user|Login failed for user"
)
_NO_SUCH_DATABASE = re.compile(r"database \S+ does not exist|Unknown database")
_DAMAGED = re.compile(
    r"file is not a database|database disk image is malformed|malformed database schema"
)
_DATABASE_AWAY = re.compile(
    r"server closed the connection|terminating connection|the connection is (closed|lost)"
    r"|database system is (starting up|shutting down|in recovery)|too many clients|Lost connection"
    r" to MySQL"
)


class UnclearStoreError(StoreError):
    """The server broke down while it answered: what it was asked to do may have been done."""


def without_credentials(uri: str) -> str:
    """A URI as it may be shown: no user, no password."""
    return re.sub(r"://[^/@\s]*@", "://", uri)


def is_file(store: str) -> bool:
    """Whether the store is a sqlite file, which nobody has to start."""
    return store.startswith("sqlite:")


def is_not_there(error: Exception) -> bool:
    """Whether MLflow said that what was asked for does not exist."""
    return getattr(error, "error_code", None) in _NOT_THERE


def already_exists(error: Exception) -> bool:
    """Whether MLflow said that what was to be made is there already."""
    return getattr(error, "error_code", None) == "RESOURCE_ALREADY_EXISTS"


def is_locked(error: Exception) -> bool:
    """Whether a sqlite store was locked by another process: the transaction did not happen and may
    be tried again.
    """
    return "database is locked" in str(error)


def translated(error: Exception, store: str) -> RetrainingError:
    """The error to raise in place of `error`.

    `store` is the tracking URI, shown without credentials.
    """
    if isinstance(error, RetrainingError):
        return error
    shown, message, status = without_credentials(store), _said(error), _http_status(error)
    for_a_person = (
        _driver_missing(error, shown)
        or _user_refused(store, message, status)
        or _damaged(store, message)
    )
    if for_a_person is not None:
        return for_a_person
    if is_locked(error):
        return _locked(shown)
    is_of_the_disk = _is_full(error) or _is_forbidden(error)
    no_answer = status in _OUT_OF_REACH or (status is None and _is_out_of_reach(error))
    if no_answer and not is_file(store) and not is_of_the_disk:
        return unreachable(store, message)
    what, remedy = _what_and_remedy(error, store, message)
    kind = UnclearStoreError if status is not None and status >= 500 else StoreError
    return kind(f"{what}: {message}", unchanged=UNCERTAIN, remedy=remedy)


def _damaged(store: str, message: str) -> DamagedStoreError | None:
    """A sqlite file that no start can heal."""
    if not is_file(store) or _DAMAGED.search(message) is None:
        return None
    return DamagedStoreError(
        f"The MLflow store {store} is damaged, or is no such store: {message}",
        remedy=(
            "Restore the file from a backup (docs/production.md says how); keep the damaged one:"
            " sqlite3's `.recover` may still read it."
        ),
    )


def _locked(shown: str) -> UnreachableError:
    return UnreachableError(
        f"The MLflow store {shown} stayed locked by another process.",
        unchanged=UNCERTAIN,
        remedy=(
            "Find what holds it (`fuser` on the file shows the process), or run `make server`"
            " and point MLFLOW_TRACKING_URI to it."
        ),
    )


def _what_and_remedy(error: Exception, store: str, message: str) -> tuple[str, str]:
    """What is wrong with a store that does answer, and what to do about it."""
    shown = without_credentials(store)
    if _is_full(error):
        what = f"The disk of the MLflow store {shown} or of its artifacts is full"
        return what, "Free space there, then run again."
    if _is_forbidden(error):
        what = f"This user may not read and write all that the MLflow store {shown} consists of"
        remedy = (
            "Give the job's user the right to read and write the database's file, its folder and"
            " the artifacts."
        )
        return what, remedy
    if not is_file(store) and _NO_SUCH_DATABASE.search(message):
        what = f"The MLflow store {shown} is not there"
        remedy = (
            "Create the database (`createdb NAME`), or correct the name in MLFLOW_TRACKING_URI."
        )
        return what, remedy
    what = f"MLflow ({shown}) answered with an error"
    if isinstance(error, OSError):
        what = f"A file for MLflow ({shown}) cannot be read or written"
    remedy = (
        "The log in .retraining/logs/ has the whole answer, and the server's log, where there"
        " is one, says more."
    )
    return what, remedy


def _driver_missing(error: Exception, shown: str) -> RetrainingError | None:
    """The installation lacks what the store needs: the database's driver."""
    driver = missing_driver(error)
    if driver is None:
        return None
    return MissingDriverError(
        f"MLflow at {shown} needs the package {driver.package}, which is not installed here.",
        remedy=f"{driver.remedy}: MLFLOW_TRACKING_URI.",
    )


def _user_refused(store: str, message: str, status: int | None) -> CredentialsRefusedError | None:
    shown = without_credentials(store)
    if status in (401, 403):
        return CredentialsRefusedError(
            f"The MLflow server at {shown} refused the request ({status}): {message}",
            unchanged=UNCERTAIN,
            remedy=(
                "Check MLFLOW_TRACKING_USERNAME, MLFLOW_TRACKING_PASSWORD or MLFLOW_TRACKING_TOKEN,"
                " and the server's --allowed-hosts."
            ),
        )
    if not is_file(store) and _USER_REFUSED.search(message):
        return CredentialsRefusedError(
            f"The database at {shown} refused the user: {message}",
            remedy="Correct user and password in MLFLOW_TRACKING_URI.",
        )
    return None


def unreachable(store: str, message: str) -> UnreachableError:
    """The error for a store that does not answer, or not in time."""
    if is_file(store):
        remedy = (
            "Look at the disk that the file is on, and at what else uses it; the next run goes on"
            " from here."
        )
    elif _STATUS.search(message):
        remedy = (
            "Look at the MLflow server's log and at its database, or correct MLFLOW_TRACKING_URI in"
            " .env; the next run goes on from here."
        )
    else:
        what = "the MLflow server (`make server`)" if store.startswith("http") else "the database"
        remedy = (
            f"Start {what} or correct MLFLOW_TRACKING_URI in .env; the next run goes on from here."
        )
    return UnreachableError(
        f"MLflow at {without_credentials(store)} cannot be reached: {message}",
        unchanged=UNCERTAIN,
        remedy=remedy,
    )


def _said(error: Exception) -> str:
    """What went wrong, in a line: of a request's nested causes the one that a person knows."""
    text = without_credentials(str(error).strip() or type(error).__name__)
    if driver := _DRIVER.search(text):
        text = driver[1]
    if text.startswith("API request to") and (cause := _CAUSE.search(text)):
        return cause[0]
    line = text.splitlines()[0]
    return line if len(line) <= 300 else line[:299] + "…"


def _http_status(error: Exception) -> int | None:
    if found := _STATUS.search(str(error)):
        return int(next(group for group in found.groups() if group))
    by_code = {
        "TEMPORARILY_UNAVAILABLE": 503,
        "UNAUTHENTICATED": 401,
        "PERMISSION_DENIED": 403,
        "REQUEST_LIMIT_EXCEEDED": 429,
    }
    return by_code.get(str(getattr(error, "error_code", "")))


def _is_out_of_reach(error: Exception) -> bool:
    message = str(error)
    lost = "failed with exception" in message or "failed with timeout exception" in message
    return (
        (message.startswith("API request to") and lost)
        or isinstance(error, (ConnectionError, TimeoutError))
        or "ConnectionPool" in message
        or _DATABASE_AWAY.search(message) is not None
    )


def _is_full(error: Exception) -> bool:
    return disks.is_full(error) or "disk is full" in str(error) or "No space left" in str(error)


def _is_forbidden(error: Exception) -> bool:
    """Whether a file may not be opened or written.

    Sqlite does not say more of one that it cannot open.
    """
    message = str(error)
    return (
        disks.is_forbidden(error)
        or "attempt to write a readonly database" in message
        or "unable to open database file" in message
    )
