"""The five forms in which rows may come as JSON -> columns of values by name, as they were sent."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from retraining.serving.refusals import bad_request, too_large, unfit

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    Columns = dict[str, list[Any]]

FORMS = ("features", "dataframe_records", "dataframe_split", "instances", "inputs")
_LISTED = ", ".join(FORMS)


@dataclass(frozen=True)
class SentRows:
    """Rows as they were sent: by column, `count` values of any JSON type.

    `None` where a record lacks the key.
    """

    columns: Mapping[str, Sequence[Any]]
    count: int


def sent_rows(
    body: Mapping[str, Any], names: Sequence[str], *, at_most: int, besides: Collection[str] = ()
) -> SentRows:
    """The rows of a request in whichever of the five forms they came.

    Args:
        body: the request's object: one of the forms, and what else the route takes.
        names: the schema's columns, in the order in which rows without names hold their values.
        at_most: rows.
        besides: keys that the route takes beside the rows.

    Raises:
        Refusal: 400 where it is not exactly one form, 413 for too many rows, 422 where the rows are
            no table.
    """
    forms = [form for form in FORMS if form in body]
    if len(forms) != 1:
        message = f'Send rows as exactly one of {_LISTED}: {{"dataframe_records": [{{...}}]}}.'
        raise bad_request("not_one_form", message)
    if set(body) - {*FORMS, *besides}:
        takes = ", ".join([forms[0], *besides])
        raise bad_request("unknown_key", f"The object has a key that is not known here ({takes}).")
    form = forms[0]
    columns = _READERS[form](body[form], names)
    count = len(next(iter(columns.values()), ()))
    if not count:
        raise unfit("There is no row in the request.")
    if count > at_most:
        raise too_large(f"{count} rows; at most {at_most} are taken (MAX_REQUEST_ROWS).")
    return SentRows(columns, count)


def _from_records(sent: Any, _names: Sequence[str]) -> Columns:
    """Objects by column name."""
    if not isinstance(sent, list) or not all(isinstance(record, dict) for record in sent):
        raise unfit("A list of objects was expected, one a row.")
    names = dict.fromkeys(chain.from_iterable(sent))
    return {name: [record.get(name) for record in sent] for name in names}


def _from_lists(sent: Any, names: Sequence[str]) -> Columns:
    """Lists of values in the signature's order."""
    return _by_name(sent, names, "A list of rows was expected, each a list of values")


def _from_split(sent: Any, _names: Sequence[str]) -> Columns:
    """Column names, and lists of values in their order; an index is taken and has no meaning."""
    if not isinstance(sent, dict) or not {"columns", "data"} <= sent.keys():
        raise unfit("An object with `columns` and `data` was expected.")
    names = sent["columns"]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise unfit("`columns` must be a list of names.")
    if max(Counter(names).values(), default=0) > 1:
        raise unfit("`columns` names a column twice.")
    return _by_name(sent["data"], names, "`data` must be a list of rows, each a list of values")


def _from_instances(sent: Any, names: Sequence[str]) -> Columns:
    """Objects by column name, or lists in the signature's order, which TensorFlow Serving takes."""
    by_order = isinstance(sent, list) and bool(sent) and isinstance(sent[0], list)
    return _from_lists(sent, names) if by_order else _from_records(sent, names)


def _from_inputs(sent: Any, _names: Sequence[str]) -> Columns:
    """Lists of values by column name."""
    if not isinstance(sent, dict) or not all(isinstance(values, list) for values in sent.values()):
        raise unfit("An object was expected: by column, a list of values.")
    if len(set(map(len, sent.values()))) > 1:
        raise unfit("The columns differ in length.")
    return sent


def _by_name(sent: Any, names: Sequence[str], expected: str) -> Columns:
    if not isinstance(sent, list) or not all(isinstance(row, list) for row in sent):
        raise unfit(f"{expected}.")
    wrong = [index for index, row in enumerate(sent) if len(row) != len(names)]
    if wrong:
        rows = ", ".join(map(str, wrong[:5]))
        raise unfit(f"{expected}, {len(names)} of them; rows {rows} have another number.")
    return {name: [row[place] for row in sent] for place, name in enumerate(names)}


_READERS: dict[str, Callable[[Any, Sequence[str]], Columns]] = {
    "features": _from_lists,
    "dataframe_records": _from_records,
    "dataframe_split": _from_split,
    "instances": _from_instances,
    "inputs": _from_inputs,
}
