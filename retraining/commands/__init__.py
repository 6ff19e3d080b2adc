"""The commands that people call, one module each: its flags (`add_flags`) and its `answer`.

A command reads, or writes what its name says. No decision of a cycle is made here. Modules without
an `answer` are shared by several commands.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from retraining.console.failures import in_three_lines

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO


class Answer(NamedTuple):
    """What a command has to say: an object for `--json`, text for people, an exit code, and the
    failure that it ended with, if any.
    """

    result: Any
    text: str = ""
    code: int = 0
    failure: BaseException | None = None

    def show(
        self,
        out: TextIO,
        err: TextIO,
        spell: Callable[[str], str],
        *,
        as_json: bool,
        quiet: bool,
        verbose: bool,
    ) -> int:
        """Print it, results on stdout and the failure on stderr, its advice as `spell` words it.

        The exit code.
        """
        if as_json:
            # ASCII: a file's name may be no text in any encoding
            out.write(json.dumps(self.result) + "\n")
        elif self.text and not quiet:
            out.write(self.text + "\n")
        if self.failure is not None:
            if verbose:
                import traceback

                traceback.print_exception(self.failure, file=err)
            *said, advice = in_three_lines(self.failure)[1]
            err.write("\n".join([*said, spell(advice)]) + "\n")
        return self.code
