"""A connection to MongoDB with a limit for all waiting, and its errors as ours.

No text of the driver's is shown that could hold a part of the address: a password with an unescaped
`@` or `:` makes the driver quote it.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from bson.codec_options import CodecOptions, DatetimeConversion
from pymongo import MongoClient, ReadPreference, WriteConcern
from pymongo.errors import (
    ConfigurationError,
    InvalidName,
    InvalidURI,
    OperationFailure,
    PyMongoError,
)
from pymongo.read_concern import ReadConcern

from retraining.errors import (
    CredentialsRefusedError,
    RetrainingError,
    SettingsError,
    UnreachableError,
)
from retraining.masking import without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from pymongo.collection import Collection

    from retraining.settings import Settings

LEDGER_SUFFIX = "_retraining"
NOT_AUTHORIZED = 13
AUTHENTICATION_FAILED = (18, 8000)  # 8000 is Atlas's
# InvalidOptions, CommandNotSupported, ReadConcernMajorityNotEnabled, NotImplemented
NO_MAJORITY_READS = (72, 115, 148, 238)
# One odd document must not end the scan: a date beyond the year 9999 and broken UTF-8 reach the
# checks of the cells.
TOLERANT = CodecOptions(
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
    unicode_decode_error_handler="surrogateescape",
)
UNCHANGED = (
    "Files that were complete before stay delivered; nothing is half-delivered, and the watermark"
    " did not move."
)


@dataclass(frozen=True)
class Patience:
    """Longest waits in milliseconds.

    The driver tries a call twice and the first error ends the export: under two minutes in all.
    """

    find_a_server: int = 10_000
    hear_an_answer: int = 45_000
    # of ids, by the server; a collection too large for that has all its ids compared instead
    count: int = 25_000


@dataclass(frozen=True)
class Collections:
    """The user's documents, the collection beside them for the ledger, and the server's time as
    this connection began.
    """

    documents: Collection[dict[str, Any]]
    ledger: Collection[dict[str, Any]]
    server_time: datetime
    is_empty: bool  # no document, which is also what a collection looks like that is not there


@contextmanager
def connected(settings: Settings, patience: Patience) -> Iterator[Collections]:
    """The user's collections, over a connection that is closed at the end.

    Raises:
        SettingsError: the address or a name is malformed.
        CredentialsRefusedError: the server refused the user, or what the user may do is not enough.
        UnreachableError: the server cannot be reached, went away, or answered with any other error.
    """
    client = _client(settings, patience)
    try:
        yield _collections(client, settings, patience)
    except InvalidName as error:
        raise SettingsError(
            (f"DATABASE_NAME or COLLECTION_NAME: {error}",), where="MongoDB"
        ) from error
    except PyMongoError as error:
        raise _in_our_words(error, settings) from error
    finally:
        client.close()


def _client(settings: Settings, patience: Patience) -> MongoClient[dict[str, Any]]:
    try:
        return MongoClient(
            settings.mongo_uri,
            appname="retraining",
            serverSelectionTimeoutMS=patience.find_a_server,
            connectTimeoutMS=patience.find_a_server,
            socketTimeoutMS=patience.hear_an_answer,
        )
    except (InvalidURI, ConfigurationError, ValueError) as error:
        if str(settings.mongo_uri).startswith("mongodb+srv:") and not isinstance(error, InvalidURI):
            raise _unreachable(settings, "its name was not found (mongodb+srv)") from None
        # The driver's message may quote the password, so it is looked at and not shown.
        fault = "not an address of MongoDB"
        if "password is required" in str(error).lower():
            fault = "it names a user and no password"
        problem = (
            f"MONGO_URI: {fault} (mongodb://USER:PASSWORD@HOST:PORT/, special characters as %40 and"
            " so on)"
        )
        raise SettingsError((problem,), where="MongoDB") from None


def _collections(
    client: MongoClient[dict[str, Any]], settings: Settings, patience: Patience
) -> Collections:
    database = client[str(settings.database_name)]
    name = str(settings.collection_name)
    # Reads from a secondary could count a document that the next read, from a staler one, does not
    # show.
    options: Mapping[str, Any] = {
        "codec_options": TOLERANT,
        "read_preference": ReadPreference.PRIMARY,
        "write_concern": WriteConcern("majority", wtimeout=patience.hear_an_answer),
    }

    def collection(name: str, concern: ReadConcern) -> Collection[dict[str, Any]]:
        return database.get_collection(name, read_concern=concern, **options)

    concern = ReadConcern("majority")
    try:
        first = collection(name, concern).find_one({}, {"_id": 1})
    except OperationFailure as error:
        if error.code not in NO_MAJORITY_READS:
            raise
        concern = ReadConcern()
        first = collection(name, concern).find_one({}, {"_id": 1})
    if first == {}:
        raise SettingsError(
            (f"COLLECTION_NAME: {name} is a view without _id, which identifies documents",),
            where="MongoDB",
        )
    now = client.admin.command("hello")["localTime"].replace(tzinfo=UTC)
    return Collections(
        collection(name, concern),
        collection(name + LEDGER_SUFFIX, concern),
        now,
        is_empty=first is None,
    )


def _in_our_words(error: PyMongoError, settings: Settings) -> RetrainingError:
    code = error.code if isinstance(error, OperationFailure) else None
    if code in AUTHENTICATION_FAILED:
        return CredentialsRefusedError(
            f"MongoDB at {_hosts(settings)} refused the user or the password in MONGO_URI.",
            unchanged=UNCHANGED,
            remedy=(
                "Correct the user, the password (special characters as %40 and so on) or the"
                " authSource in MONGO_URI."
            ),
        )
    if code == NOT_AUTHORIZED:
        name, database = settings.collection_name, settings.database_name
        return CredentialsRefusedError(
            f"MongoDB at {_hosts(settings)} does not let this user read {name} and write"
            f" {name}{LEDGER_SUFFIX} in {database}.",
            unchanged=UNCHANGED,
            remedy=(
                f"Put a user into MONGO_URI, and grant it readWrite on {database}, or find on"
                f" {name} and find, insert, update and createIndex on {name}{LEDGER_SUFFIX}, which"
                " holds what was exported."
            ),
        )
    return _unreachable(settings, _short(error, settings))


def _unreachable(settings: Settings, why: str) -> UnreachableError:
    return UnreachableError(
        f"MongoDB at {_hosts(settings)} did not serve the export: {why}.",
        unchanged=UNCHANGED,
        remedy="Start the server or correct MONGO_URI; the next run exports what is missing.",
    )


def _hosts(settings: Settings) -> str:
    """The hosts of the address, without user, password or options."""
    hosts = (
        str(settings.mongo_uri)
        .rpartition("://")[2]
        .rpartition("@")[2]
        .partition("/")[0]
        .partition("?")[0]
    )
    return hosts if re.fullmatch(r"[\w.,:\[\]-]+", hosts) else "MONGO_URI"


def _short(error: PyMongoError, settings: Settings) -> str:
    """The first clause of the driver's message, which goes on for lines, with every secret blotted
    out.
    """
    text = (
        re.split(r",? (?:full error|Timeout|\(configured timeouts)\b", str(error))[0].strip()
        or type(error).__name__
    )
    secrets = settings.secrets()
    shown = {*secrets, *map(unquote, secrets)}  # the driver may show them without their %40
    longest_first = sorted(shown, key=len, reverse=True)
    return without_secrets(text, longest_first)[:300].rstrip(". ")
