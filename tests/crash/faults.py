"""Makes the Nth call of one kind to the operating system fail, for paths inside a project."""

from __future__ import annotations

import builtins
import errno
import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable

BY_PATH = {
    "open": ("os.open", "io.open"),
    "rename": ("os.rename", "os.replace"),
    "link": ("os.link",),
    "unlink": ("os.unlink", "os.remove"),
}
CALLS = (*BY_PATH, "write", "fsync")
ERRNOS = ("EIO", "ENOSPC", "EACCES")


@dataclass
class Fault:
    """`call` number `nth` that touches a path below `root` raises, and all that follow where it is
    `lasting`.

    `seen` counts such calls, `nth` 0 only counts.
    """

    call: str
    error: str
    nth: int
    root: str
    lasting: bool = False
    seen: int = 0

    @property
    def happened(self) -> bool:
        return 0 < self.nth <= self.seen

    def count(self, path: object) -> None:
        text = os.fsdecode(path) if isinstance(path, (str, bytes, os.PathLike)) else str(path)
        if not text.startswith(self.root):
            return
        self.seen += 1
        if self.seen == self.nth or (self.lasting and self.happened):
            number = getattr(errno, self.error)
            raise OSError(number, os.strerror(number), text)

    def install(self) -> None:
        if self.call == "fsync":
            os.fsync = self._before(
                os.fsync, lambda descriptor: Path(f"/proc/self/fd/{descriptor}").readlink()
            )
        elif self.call == "write":
            self._install_on_writes()
        else:
            for name in BY_PATH[self.call]:
                module, attribute = (os, io)[name.startswith("io")], name.partition(".")[2]
                setattr(
                    module, attribute, self._before(getattr(module, attribute), lambda path: path)
                )
            builtins.open = io.open

    def _before(
        self, real: Callable[..., Any], path_of: Callable[[Any], object]
    ) -> Callable[..., Any]:
        def call(first: Any, *more: Any, **named: Any) -> Any:
            self.count(path_of(first))
            return real(first, *more, **named)

        return call

    def _install_on_writes(self) -> None:
        real = io.open

        def opened(file: Any, *more: Any, **named: Any) -> Any:
            stream = real(file, *more, **named)
            below = isinstance(file, (str, Path)) and str(file).startswith(self.root)
            return Failing(stream, self, str(file)) if below and stream.writable() else stream

        io.open = builtins.open = opened


class Failing:
    """A file whose writes are counted."""

    def __init__(self, stream: Any, fault: Fault, path: str) -> None:
        self._stream, self._fault, self._path = stream, fault, path

    def write(self, data: Any) -> Any:
        self._fault.count(self._path)
        return self._stream.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def __iter__(self) -> Any:
        return iter(self._stream)
