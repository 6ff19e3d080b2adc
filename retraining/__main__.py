"""The command `retraining`, as `pip install` makes it: the scripts of the clone under one name.

`retraining [COMMAND]` is `pipeline_orchestrator.py [COMMAND]`, `retraining register` is
`register_first_model.py`, and `retraining serve` is `prediction_service.py`. The project is
`--project`, else the working directory. Flags that every command takes may stand before these words
too, as in the image's `retraining --project /project`.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

SCRIPTS = {"register": "register_first_model", "serve": "prediction_service"}


def main(words: Sequence[str] | None = None) -> int:
    """Start the script that a command line means; its exit code."""
    given = list(sys.argv[1:] if words is None else words)
    script = _script_word(given)
    if script is None:
        import pipeline_orchestrator

        return pipeline_orchestrator.main(given)
    from importlib import import_module

    given.remove(script)
    code: int = import_module(SCRIPTS[script]).main(given)
    return code


def _script_word(given: Sequence[str]) -> str | None:
    """The word that means a script of its own, where it stands in the command's place."""
    if SCRIPTS.keys().isdisjoint(given):
        return None  # as nearly every start: no parser is made for it
    from retraining.console.command_words import as_far_as_understood

    command: str | None = as_far_as_understood(given).command
    return command if command in SCRIPTS else None


if __name__ == "__main__":
    sys.exit(main())
