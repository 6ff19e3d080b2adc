"""What no cycle can save, measured in one process: `python -m bench.floor PROJECT`.

Reading the new files with pyarrow, the recipe's fit on rows that are in memory already, and
predicting the test rows twice: by that model, and by one that knows nothing, for such a one is in
production in the cycle that is measured.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
from sklearn.dummy import DummyClassifier

import train_classification_model

TARGET, TEST_SHARE = "target", 0.2


def floor(project: Path) -> dict[str, float]:
    """Seconds of wall and CPU, and those of the fit alone."""
    everything = pa.concat_tables(
        [
            pa_csv.read_csv(path)
            for place in ("used_data", "new_data")
            for path in files(project / place)
        ]
    )
    table = everything.to_pandas()
    del everything
    cut = int(len(table) * (1 - TEST_SHARE))
    X, y = table.drop(columns=TARGET), table[TARGET]
    champion = DummyClassifier(strategy="prior").fit(X.iloc[:100], y.iloc[:100])
    began = time.perf_counter(), time.process_time()
    for path in files(project / "new_data"):
        pa_csv.read_csv(path)
    fit_began = time.perf_counter(), time.process_time()
    model = train_classification_model.train_model(X.iloc[:cut], y.iloc[:cut])
    fit_ended = time.perf_counter(), time.process_time()
    for one in (model, champion):
        one.predict(X.iloc[cut:])
    return {
        "wall": time.perf_counter() - began[0],
        "cpu": time.process_time() - began[1],
        "fit_wall": fit_ended[0] - fit_began[0],
        "fit_cpu": fit_ended[1] - fit_began[1],
    }


def files(folder: Path) -> list[Path]:
    """The data files of a folder, by name."""
    return sorted(folder.glob("*.csv"))


if __name__ == "__main__":
    print(json.dumps(floor(Path(sys.argv[1]))))
