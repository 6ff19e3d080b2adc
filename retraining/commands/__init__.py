"""Commands that people call: they read, or write what they say, and decide nothing. Each module has an `answer`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import TextIO

    from retraining.errors import RetrainingError


@dataclass(frozen=True)
class Answer:
    """What a command has to say: an object for `--json`, text for people, an exit code, and an error that came with it."""

    told: Any
    text: str
    code: int = 0
    error: RetrainingError | None = None

    def show(self, out: TextIO, err: TextIO, *, as_json: bool, quiet: bool) -> int:
        """Print it, results on stdout and the error on stderr; the exit code."""
        if as_json:
            print(json.dumps(self.told, ensure_ascii=False), file=out)
        elif self.text and not quiet:
            print(self.text, file=out)
        if self.error is not None:
            print("\n".join(self.error.lines()), file=err)
        return self.code
