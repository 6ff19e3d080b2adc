"""Traffic against what production learned, as Evidently shows it:
`python report.py EXPORT_DIR REPORT.html`.

It takes what `monitor --export EXPORT_DIR` wrote, and nothing else of the job: run it in a virtual
environment of its own.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd
from evidently import Report
from evidently.presets import DataDriftPreset


def main() -> None:
    """Write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("export", type=Path, help="where predictions.csv and reference.csv are")
    parser.add_argument("report", type=Path, help="the page to write")
    args = parser.parse_args()
    reference = pd.read_csv(args.export / "reference.csv")
    traffic = pd.read_csv(args.export / "predictions.csv", dtype={"prediction_id": str})
    # the last column of the reference is the target, whose labels come late: features alone are
    # compared
    features = list(reference.columns)[:-1]
    found = Report([DataDriftPreset()]).run(traffic[features], reference[features])
    found.save_html(str(args.report))
    print(f"Wrote {args.report}: {len(traffic)} predictions against {len(reference)} learned rows.")


if __name__ == "__main__":
    main()
