"""The command `retraining`, as `pip install` makes it: the scripts of the clone under one name.

`retraining [COMMAND]` is `pipeline_orchestrator.py [COMMAND]`, `retraining register` is `register_first_model.py`, and
`retraining serve` is `prediction_service.py`. The project is `--project`, else the working directory.
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
    script = SCRIPTS.get(given[0]) if given else None
    if script is None:
        import pipeline_orchestrator

        return pipeline_orchestrator.main(given)
    from importlib import import_module

    found: int = import_module(script).main(given[1:])
    return found


if __name__ == "__main__":
    sys.exit(main())
