"""How long each room's tests took in the last `make test`: `python -m bench.test_rooms`.

Seconds of the tests themselves, added up as if one core had run them all. `make test` leaves them
in `build/tests.xml`.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree as ET

CLONE = Path(__file__).resolve().parent.parent
OF_ALL_ROOMS = "tests/*.py"


def main() -> None:
    """Print a table, the longest first."""
    parser = argparse.ArgumentParser(description=__doc__)
    default = CLONE / "build" / "tests.xml"
    parser.add_argument("--file", type=Path, default=default, help="a JUnit file of pytest")
    args = parser.parse_args()
    seconds: dict[str, list[float]] = defaultdict(list)
    for case in ET.parse(args.file).iter("testcase"):
        seconds[room_of(case.get("classname", ""))].append(float(case.get("time", 0)))
    print("| tests | how many | seconds |\n|---|---|---|")
    for room in sorted(seconds, key=lambda room: -sum(seconds[room])):
        print(f"| `{room}` | {len(seconds[room]):,} | {sum(seconds[room]):,.0f} |")


def room_of(module: str) -> str:
    """The folder of a test's module, as pytest names it in JUnit's files.

    >>> room_of("tests.cycle.test_gate"), room_of("tests.test_cli")
    ('tests/cycle/', 'tests/*.py')
    """
    folders = module.split(".")[:-1]
    return f"{'/'.join(folders[:2])}/" if len(folders) > 1 else OF_ALL_ROOMS


if __name__ == "__main__":
    main()
