"""The clinic as a loop: each visit is asked about by an id, and what became of the patient is sent
later: see README.md.

    python examples/diabetes/visits.py ask --guideline new     # predictions of 1,200 visits, asked
    by their ids python examples/diabetes/visits.py outcomes                # weeks later: what
    became of them

The service must run on this project. Between the two commands the outcomes lie in `visits.json`:
only the simulation knows them so early.
"""

from __future__ import annotations

import argparse
import json
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import data_simulator  # type: ignore[import-not-found]  # noqa: E402 - it lies beside this script

if TYPE_CHECKING:
    from collections.abc import Sequence

AT_ONCE = 100
TARGET = data_simulator.TARGET


def main(words: Sequence[str]) -> int:
    """Ask, or tell; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("ask", "outcomes"))
    parser.add_argument("--url", default="http://127.0.0.1:8002", help="of the service")
    parser.add_argument("--guideline", choices=tuple(data_simulator.RISK), default="old")
    parser.add_argument("--visits", type=int, default=1200)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--notes", type=Path, default=HERE / "visits.json")
    args = parser.parse_args(words)
    if args.what == "ask":
        ask(args)
    else:
        tell(args)
    return 0


def ask(args: argparse.Namespace) -> None:
    """Predictions of visits, each under its own id; notes down what will become of the patients."""
    table = data_simulator.simulate(args.visits, args.seed, args.guideline)
    ids = [f"visit-{args.seed}-{number:05d}" for number in range(len(table))]
    outcomes = dict(zip(ids, table.pop(TARGET).tolist(), strict=True))
    rows = table.astype(float).to_dict("records")
    right = 0
    for start in range(0, len(rows), AT_ONCE):
        some = slice(start, start + AT_ONCE)
        answer = post(args.url + "/predict", {"ids": ids[some], "dataframe_records": rows[some]})
        pairs = zip(ids[some], answer["predictions"], strict=True)
        right += sum(outcomes[name] == predicted for name, predicted in pairs)
    args.notes.write_text(json.dumps(outcomes))
    version, share = answer["model"]["version"], right / len(rows)
    print(
        f"{len(rows)} visits asked about, answered by v{version}; {share:.0%} will turn out right"
    )


def tell(args: argparse.Namespace) -> None:
    """The outcomes of the visits that were asked about."""
    outcomes = json.loads(args.notes.read_text())
    labels = [{"prediction_id": name, "label": outcome} for name, outcome in outcomes.items()]
    answer = post(args.url + "/labels", {"labels": labels})
    unknown = len(answer["unknown"])
    print(f"{answer['new']} outcomes taken, {answer['repeated']} known, {unknown} unknown")


def post(url: str, body: Any) -> Any:
    """What the service answers."""
    content = json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, content, headers)  # noqa: S310
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        return json.load(answer)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
