"""A retraining job around an MLflow registry."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

__version__ = "0.1.0"


def _tell_of_damaged_code(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Name a compiled file that cannot be read; it may be one that the edge in `cli` is made of."""
    from retraining.console.byte_code import damaged_code

    damaged = damaged_code(error)
    if damaged is None:
        sys.__excepthook__(kind, error, trace)
    else:
        sys.stderr.write("\n".join(damaged.lines()) + "\n")


def _refuse_windows() -> None:
    """End a start on Windows, which has neither the locks nor the renames that the job stands
    on.
    """
    try:
        import fcntl  # noqa: F401 - not there on Windows alone
    except ImportError:
        from retraining.errors import UsageError

        refused = UsageError(
            "Windows lacks the locks that keep two cycles apart: this runs on Linux and macOS.",
            remedy="Start it in WSL (`wsl --install`), or in the image of deploy/Dockerfile.",
        )
        sys.stderr.write("\n".join(refused.lines()) + "\n")
        sys.exit(refused.exit_code)


# installation compiles: a start on a full disk would leave half a file
sys.dont_write_bytecode = True
sys.excepthook = _tell_of_damaged_code
_refuse_windows()
