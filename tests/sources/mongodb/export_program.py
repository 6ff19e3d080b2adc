"""One export as a process of its own, so that it can be killed:
`python -m tests.sources.mongodb.export_program PROJECT`.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

from retraining.errors import RetrainingError
from retraining.settings import load
from retraining.sources.mongodb.fetching import Patience, fetch
from tests.sources.mongodb.material import SCHEMA

settings = load(Path(sys.argv[1]))
try:
    fetched = fetch(
        settings,
        SCHEMA,
        clock=lambda: datetime.now(UTC),
        patience=Patience(find_a_server=3000, hear_an_answer=600_000),
    )
except RetrainingError as error:
    print(*error.lines(), sep="\n", file=sys.stderr)
    sys.exit(error.exit_code)
print(fetched)
