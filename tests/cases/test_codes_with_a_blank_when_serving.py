"""README's `predict(rows)` on codes that pandas reads as 1.0, since a cell beside them is blank:
the model learned 1, and 1.0 is a value that it has never seen.
"""

from __future__ import annotations

import io
import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow.types import ColSpec, Schema

from tests.projects import CLONE

SCHEMA = Schema([ColSpec("string", "code"), ColSpec("double", "amount"), ColSpec("boolean", "new")])
MODEL = SimpleNamespace(metadata=SimpleNamespace(get_input_schema=lambda: SCHEMA))
BATCH = "amount,new,code\n1,True,1\n2.5,,\n3,False,2\n"


@pytest.mark.parametrize(
    "rows",
    [
        pd.read_csv(io.StringIO(BATCH)),
        pd.read_csv(io.StringIO(BATCH)).astype({"code": "category"}),
        pd.read_csv(io.StringIO(BATCH)).convert_dtypes(),
        pd.read_csv(io.StringIO(BATCH), dtype={"code": "str"}),
        pd.DataFrame({"amount": [1, 2.5, 3], "new": [1.0, None, 0.0], "code": [1, None, 2]}),
    ],
    ids=["as read", "categories", "nullable", "texts", "made"],
)
def test_a_code_beside_a_blank_is_what_the_file_holds(rows: pd.DataFrame) -> None:
    readme = (CLONE / "README.md").read_text()
    source = re.search(r"^def typed\(.*?(?=^def )", readme, re.MULTILINE | re.DOTALL)
    assert source is not None
    names: dict[str, Any] = {}
    exec(source[0], names)
    typed = names["typed"](rows, MODEL)
    assert typed["code"].tolist()[::2] == ["1", "2"]
    assert typed["code"].isna().tolist() == [False, True, False]
    np.testing.assert_array_equal(typed["amount"], [1.0, 2.5, 3.0])
    np.testing.assert_array_equal(typed["new"], [1.0, np.nan, 0.0])
