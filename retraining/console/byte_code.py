"""Byte code that a full disk cut short: Python then fails at every start, and does not say which
file it is. Standard library only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from retraining.errors import NOTHING_CHANGED, DamagedCodeError

if TYPE_CHECKING:
    from collections.abc import Iterator

# importlib's function that reads a .pyc; `bytecode_path` is its argument
READER = "_compile_bytecode"


def damaged_code(error: BaseException) -> DamagedCodeError | None:
    """The error for a compiled file that cannot be read, where that is what `error` came from;
    else None.
    """
    for one in _with_causes(error):
        path = _file_being_read(one)
        if path is not None:
            return DamagedCodeError(
                f"The compiled code {path} is cut short or damaged, which a full disk does.",
                unchanged=NOTHING_CHANGED,
                remedy=(
                    f"Free space, then delete the file (`rm {path}`): Python reads the source"
                    " instead."
                ),
            )
    return None


def _with_causes(error: BaseException) -> Iterator[BaseException]:
    """An error and those that it came from, each once: a chain may end in itself."""
    passed: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in passed:
        passed.add(id(one))
        yield one
        one = one.__cause__ or one.__context__


def _file_being_read(error: BaseException) -> str | None:
    trace = error.__traceback__
    while trace is not None:
        frame = trace.tb_frame
        if frame.f_code.co_name == READER and frame.f_code.co_filename.startswith("<frozen"):
            return str(frame.f_locals.get("bytecode_path"))
        trace = trace.tb_next
    return None
