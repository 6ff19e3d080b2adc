"""The trainer: whatever a recipe does, the job gets a sound estimator or one line that says where
the recipe fails.
"""

from __future__ import annotations

import logging
import os
import pickle
import re
import signal
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import cloudpickle
import numpy as np
import pandas as pd
import pytest
import sklearn

from retraining.errors import RecipeError
from retraining.trainer import (
    check_recipe,
    load_recipe,
    pip_requirements,
    stdout_to_log,
    train,
    train_in_parts,
)
from retraining.trainer.contract import NEVER_SEEN

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from retraining.trainer import Recipe

    Written = Callable[..., Recipe]

SOUND = """
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

def train_model(X_train, y_train):
    filled = SimpleImputer(strategy="most_frequent")
    words = make_pipeline(filled, OneHotEncoder(handle_unknown="ignore"))
    columns = make_column_transformer((SimpleImputer(), ["x"]), (words, ["word"]))
    return make_pipeline(columns, RandomForestClassifier(5, random_state=0)).fit(X_train, y_train)
"""

# A classifier of the recipe's own, to be made wrong in one place by a test.
OWN = """
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

LIMIT = 0.0

class Above(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self
    def predict(self, X):
        return self.classes_[(X["x"].fillna(0) > LIMIT).astype(int)]
    def predict_proba(self, X):
        share = (X["x"].fillna(0) > LIMIT).astype(float)
        return np.column_stack([1 - share, share])

def train_model(X_train, y_train):
    return Above().fit(X_train, y_train)
"""


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """Write a recipe into a project, files beside it, and load it."""

    def write(text: str, **beside: str) -> Recipe:
        path = tmp_path / "train_classification_model.py"
        path.write_text(text, encoding="utf-8")
        for name, content in beside.items():
            file = tmp_path / f"{name.replace('__', '/')}.py"
            file.parent.mkdir(exist_ok=True)
            file.write_text(content, encoding="utf-8")
        return load_recipe(path)

    return write


def rows(count: int = 200) -> tuple[pd.DataFrame, pd.Series]:
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "x": rng.normal(size=count),
            "word": pd.Series(rng.choice(["red", "blue"], count), dtype="str"),
        }
    )
    X.loc[3, "x"] = X.loc[4, "word"] = np.nan
    return X, (X["x"] > 0).astype(int)


def in_another_process(folder: Path, estimator: object, X: pd.DataFrame) -> list[object]:
    """What a pickled estimator answers in a process that can import neither the project nor us."""
    (folder / "version.pkl").write_bytes(cloudpickle.dumps(estimator))
    X.to_pickle(folder / "rows.pkl")
    program = (
        "import pickle, json, pandas; e = pickle.load(open('version.pkl', 'rb')); "
        "print(e.predict(pandas.read_pickle('rows.pkl')).tolist())"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", program],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return list(eval(done.stdout))


# --- loading --------------------------------------------------------------------------------------


def test_a_recipe_is_loaded_with_its_text_and_digest(written: Written) -> None:
    recipe = written("# é\r\n" + SOUND)
    assert recipe.text.startswith("# é\r\n")
    assert recipe.path.name == "train_classification_model.py"
    assert len(recipe.sha256) == 64


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def train_model(X, y)\n    pass\n", "SyntaxError in line 1: expected ':'"),
        (
            "x = 1\nimport no_such_package\n",
            "ModuleNotFoundError in line 2: No module named 'no_such_package'",
        ),
        ("\n\n1 / 0\n", "ZeroDivisionError in line 3: division by zero"),
        ("import sys\nsys.exit('no data today')\n", "SystemExit in line 2: no data today"),
        ("import os\nos._exit(0)\n", "SystemExit in line 2: os._exit(0) would end the whole job"),
        ("from . import helper\n", "ImportError in line 1"),
        ("a\0", "null bytes"),
        ("", "defines no function train_model"),
        ("train_model = 5\n", "has a train_model that is not a function"),
        (
            "def train_model(X): ...\n",
            "cannot be called as train_model(X_train, y_train): too many positional arguments",
        ),
        (
            "def train_model(X, y, z): ...\n",
            "cannot be called as train_model(X_train, y_train): missing a required argument: 'z'",
        ),
    ],
)
def test_a_recipe_that_cannot_be_loaded_is_refused_in_one_line(
    written: Written, text: str, said: str
) -> None:
    with pytest.raises(RecipeError) as caught:
        written(text)
    assert said in str(caught.value)
    assert "recipe" in str(caught.value)
    assert "train_classification_model.py" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_error_in_a_file_beside_the_recipe_names_that_file(written: Written) -> None:
    with pytest.raises(
        RecipeError, match=r"NameError in helper\.py, line 2: name 'oops' is not defined"
    ):
        written("import helper\n" + SOUND, helper="\noops\n")


def test_a_missing_recipe_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"recipe .*nowhere\.py cannot be read: No such file"):
        load_recipe(tmp_path / "nowhere.py")


def test_an_encoding_that_the_recipe_declares_is_obeyed(tmp_path: Path) -> None:
    path = tmp_path / "recipe.py"
    path.write_bytes(
        "# coding: latin-1\nNAME = 'é'\ndef train_model(X, y): ...\n".encode("latin-1")
    )
    recipe = load_recipe(path)
    assert recipe.module.NAME == "é"
    assert "é" in recipe.text


def test_an_edited_recipe_and_an_edited_helper_are_read_afresh(written: Written) -> None:
    assert written("from helper import A\n" + SOUND, helper="A = 1\n").module.A == 1
    assert written("from helper import A\n" + SOUND, helper="A = 2\n").module.A == 2


def test_two_projects_do_not_see_each_others_helpers(tmp_path: Path) -> None:
    found = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "helper.py").write_text(f"NAME = {name!r}\n")
        (tmp_path / name / "recipe.py").write_text("def train_model(X, y): ...\nimport helper\n")
        found.append(load_recipe(tmp_path / name / "recipe.py").module.helper.NAME)
    assert found == ["one", "two"]
    assert "helper" not in sys.modules


def test_a_helper_added_later_is_found_though_the_folder_looks_unchanged(
    written: Written, tmp_path: Path
) -> None:
    """Python remembers a folder's names until its time of change moves on, which it does in
    steps.
    """
    written("try:\n    import helper\nexcept ImportError: ...\n" + SOUND)
    before = tmp_path.stat().st_mtime_ns
    (tmp_path / "helper.py").touch()
    os.utime(tmp_path, ns=(before, before))
    assert load_recipe(tmp_path / "train_classification_model.py").helpers.keys() == {"helper"}


def test_a_helper_is_one_module_however_often_it_is_imported(written: Written) -> None:
    again = "    import helper\n    assert helper.Above is Above\n"
    text = (
        f"from helper import Above\ndef train_model(X, y):\n{again}    return Above().fit(X, y)\n"
    )
    train(written(text, helper=OWN), *rows())


def test_loading_and_training_leave_no_trace_in_the_project_or_the_interpreter(
    written: Written, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    before = list(sys.path), sys.dont_write_bytecode
    recipe = written("import helper\n" + SOUND, helper="")
    train(recipe, *rows())
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "helper.py",
        "train_classification_model.py",
    ]
    assert (sys.path, sys.dont_write_bytecode) == before
    assert "helper" not in sys.modules


# --- a version carries its code -------------------------------------------------------------------


def test_classes_and_constants_of_the_recipe_travel_with_the_estimator(
    written: Written, tmp_path: Path
) -> None:
    X, y = rows()
    first = train(written(OWN), X, y).estimator
    travelled = pickle.loads(cloudpickle.dumps(first))
    train(written(OWN.replace("LIMIT = 0.0", "LIMIT = 99.0")), X, y)
    assert travelled.predict(X).tolist() == first.predict(X).tolist() == y.tolist()
    (tmp_path / "far").mkdir()
    assert in_another_process(tmp_path / "far", first, X) == y.tolist()


@pytest.mark.parametrize(
    ("imports", "where", "class_name"),
    [
        ("from helper import Above", "helper", "Above"),
        ("import helper", "helper", "helper.Above"),
        ("from features.build import Above", "features__build", "Above"),
        ("import features.build as f", "features__build", "f.Above"),
    ],
)
def test_code_beside_the_recipe_travels_too(
    written: Written, tmp_path: Path, imports: str, where: str, class_name: str
) -> None:
    X, y = rows()
    recipe = written(
        f"{imports}\ndef train_model(X, y):\n    return {class_name}().fit(X, y)\n", **{where: OWN}
    )
    assert check_recipe(recipe, X, y, needs_probabilities=True) == ()
    (tmp_path / "far").mkdir()
    assert in_another_process(tmp_path / "far", train(recipe, X, y).estimator, X) == y.tolist()


def test_a_helper_used_as_a_module_at_prediction_travels(written: Written, tmp_path: Path) -> None:
    text = "import helper\n" + OWN.replace('(X["x"].fillna(0) > LIMIT)', "helper.above(X)")
    recipe = written(text, helper="def above(X):\n    return X['x'].fillna(0) > 0\n")
    X, y = rows()
    assert check_recipe(recipe, X, y) == ()
    (tmp_path / "far").mkdir()
    assert in_another_process(tmp_path / "far", train(recipe, X, y).estimator, X) == y.tolist()


def test_a_helper_imported_inside_train_model_is_found(written: Written) -> None:
    recipe = written(
        "def train_model(X, y):\n    from helper import Above\n    return Above().fit(X, y)\n",
        helper=OWN,
    )
    assert check_recipe(recipe, *rows()) == ()


def test_a_helper_that_somebody_imported_before_travels_all_the_same(
    written: Written, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "helper.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))
    import helper  # type: ignore[import-not-found]

    try:
        X, y = rows()
        recipe = written(
            "from helper import Above\ndef train_model(X, y):\n    return Above().fit(X, y)\n",
            helper=OWN,
        )
        estimator = train(recipe, X, y).estimator
        assert sys.modules["helper"] is helper
        (tmp_path / "far").mkdir()
        assert in_another_process(tmp_path / "far", estimator, X) == y.tolist()
    finally:
        del sys.modules["helper"]


def test_an_import_that_would_fail_at_serving_is_found(
    written: Written, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # as where the project is the folder of the script itself
    monkeypatch.syspath_prepend(str(tmp_path))
    recipe = written(
        OWN.replace("        share", "        import helper\n        share"), helper=""
    )
    problems = check_recipe(recipe, *rows(), needs_probabilities=True)
    del sys.modules["helper"]  # the prediction imported it, as it would here
    assert len(problems) == 1
    assert "No module named 'helper'" in problems[0]
    assert "away from the project" in problems[0]


# --- calling --------------------------------------------------------------------------------------

UNUSABLE = {
    "raises": (
        "def train_model(X, y):\n    raise RuntimeError('the kiln\\nis cold')\n",
        "RuntimeError in line 2: the kiln is cold",
    ),
    "exits": ("import sys\ndef train_model(X, y):\n    sys.exit(0)\n", "SystemExit in line 3: 0"),
    "ends the process": (
        "import os\ndef train_model(X, y):\n    os._exit(0)\n",
        "SystemExit in line 3: os._exit(0) would end the whole job",
    ),
    "raises what is no Exception": (
        "class Panic(BaseException): ...\ndef train_model(X, y):\n    raise Panic('core')\n",
        "Panic in line 3: core",
    ),
    "returns None": ("def train_model(X, y): ...\n", "returned None"),
    "returns a pair": (
        "def train_model(X, y):\n    return object(), 0.9\n",
        "returned a tuple without predict",
    ),
    "returns a class": (
        OWN.replace("return Above().fit(X_train, y_train)", "return Above"),
        "returned the class Above",
    ),
    "returns it unfitted": (
        (
            "from sklearn.tree import DecisionTreeClassifier\ndef train_model(X, y):\n    return"
            " DecisionTreeClassifier()\n"
        ),
        "not fitted",
    ),
    "takes no raw columns": (
        (
            "from sklearn.tree import DecisionTreeClassifier as T\ndef train_model(X, y):\n   "
            " return T().fit(X[['x']].fillna(0), y)\n"
        ),
        "whose predict raises ValueError",
    ),
    "predicts an unknown class": (
        OWN.replace("return self.classes_[", "return np.array([0, 7])["),
        "predicts 7; the classes are 0, 1",
    ),
    "predicts nothing": (
        OWN.replace("return self.classes_[", "return np.array([0, np.nan])["),
        "predicts nan",
    ),
    "predicts one row too few": (
        OWN.replace(".astype(int)]", ".astype(int)][1:]"),
        "200 rows by an array of shape (199,)",
    ),
    "predicts a table": (
        OWN.replace(".astype(int)]", ".astype(int)][:, None]"),
        "200 rows by an array of shape (200, 1)",
    ),
    "breaks in its own predict": (
        OWN.replace("> LIMIT", "> limit"),
        "NameError in line 12: name 'limit' is not defined",
    ),
}


@pytest.mark.parametrize("how", UNUSABLE)
def test_an_unusable_recipe_ends_in_one_line_that_says_why(written: Written, how: str) -> None:
    text, said = UNUSABLE[how]
    recipe = written(text)
    with pytest.raises(RecipeError) as caught:
        train(recipe, *rows())
    assert said in str(caught.value)
    assert "recipe" in str(caught.value)
    assert "train_classification_model.py" in str(caught.value)
    assert any(said in problem for problem in check_recipe(recipe, *rows()))


PROBABILITIES = {
    "lacks them": (OWN.replace("predict_proba", "chances"), "without predict_proba"),
    "does not name its classes": (
        OWN.replace("self.classes_", "self.labels").replace("return self", "return self", 1),
        "whose classes_ are []",
    ),
    "gives one column": (
        OWN.replace("[1 - share, share]", "[share]"),
        "shape (200, 1), not (200, 2)",
    ),
    "gives what does not add up": (OWN.replace("1 - share", "2 - share"), "not probabilities"),
    "gives NaN": (OWN.replace("1 - share", "share * np.nan"), "not probabilities"),
    "raises": (
        OWN.replace("        share", "        1 / 0\n        share"),
        "predict_proba raises ZeroDivisionError in line 14",
    ),
}


@pytest.mark.parametrize("how", PROBABILITIES)
def test_probabilities_are_demanded_only_where_the_metric_takes_them(
    written: Written, how: str
) -> None:
    text, said = PROBABILITIES[how]
    recipe = written(text)
    train(recipe, *rows())
    with pytest.raises(RecipeError, match="recipe") as caught:
        train(recipe, *rows(), needs_probabilities=True)
    assert said in str(caught.value)


def test_an_interrupt_is_not_taken_for_an_error_of_the_recipe(written: Written) -> None:
    recipe = written("def train_model(X, y):\n    raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        train(recipe, *rows())


def test_a_process_that_the_recipe_forks_may_end_as_it_likes(written: Written) -> None:
    end = (
        "    pid = os.fork()\n    pid or os._exit(7)\n    assert os.waitpid(pid, 0)[1] >> 8 == 7\n"
    )
    before = os._exit
    assert (
        train(
            written("import os\n" + SOUND.replace("y_train):\n", f"y_train):\n{end}")), *rows()
        ).estimator
        is not None
    )
    assert os._exit is before


CRASH = """
import pandas as pd, sys
from pathlib import Path
from retraining.trainer import load_recipe, train
train(load_recipe(Path(sys.argv[1])), pd.DataFrame({"x": [0.0, 1.0]}), pd.Series([0, 1]))
"""


def test_a_recipe_that_crashes_says_where(written: Written) -> None:
    path = written("import ctypes\ndef train_model(X, y):\n    ctypes.string_at(0)\n").path
    done = subprocess.run(
        [sys.executable, "-c", CRASH, str(path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == -signal.SIGSEGV
    assert "Segmentation fault" in done.stderr
    assert f'File "{path}", line 3 in train_model' in done.stderr


@pytest.mark.parametrize(
    "harm",
    [
        "X_train['x'] = 0.0",
        "X_train.fillna(0, inplace=True)",
        "X_train.drop(columns='word', inplace=True)",
        "X_train.loc[:, 'x'] = 0.0; y_train[:] = 1",
        "X_train.index = range(5, 5 + len(X_train))",
        "X_train['x'].to_numpy()[:] = 0",
    ],
)
def test_a_recipe_cannot_harm_the_table_it_is_given(written: Written, harm: str) -> None:
    X, y = rows()
    before = X.copy(deep=True), y.copy(deep=True)
    recipe = written(SOUND.replace("    words =", f"    {harm}\n    words ="))
    with suppress(RecipeError):
        train(recipe, X, y)
    pd.testing.assert_frame_equal(X, before[0])
    pd.testing.assert_series_equal(y, before[1])


def test_nothing_that_a_recipe_prints_reaches_stdout(
    written: Written, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    noise = (
        "print('from Python'); import os; os.write(1, b'from C\\n'); os.system('echo from a"
        " child'); print('{n}', flush=True)"
    )
    text = noise.format(n=1) + OWN.replace(
        "    return Above()", f"    {noise.format(n=2)}\n    return Above()"
    )
    text = text.replace(
        "        return self.classes_", f"        {noise.format(n=3)}\n        return self.classes_"
    )
    with caplog.at_level(logging.INFO, logger="retraining"):
        train(written(text), *rows())
    print("ours")
    assert capfd.readouterr().out == "ours\n"
    printed = " ".join(caplog.messages)
    assert all(
        word in printed for word in ("from Python", "from C", "from a child", ": 1", ": 2", ": 3")
    )


def test_a_flood_of_prints_is_cut_short_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="retraining"), stdout_to_log():
        print("\x1b[31m" + "x" * 100_000)
        print("more\n" * 5_000)
    assert len(caplog.messages) == 1_001
    assert max(map(len, caplog.messages)) < 600
    assert "\x1b" not in caplog.text


def test_a_job_started_with_stdout_closed_still_trains(
    written: Written, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    written("print('loaded')\n" + OWN)
    program = (
        "from pathlib import Path\nimport pandas as pd\nfrom retraining.trainer import load_recipe,"
        " train\nrecipe = load_recipe(Path('train_classification_model.py'))\ntrain(recipe,"
        " pd.DataFrame({'x': [1.0, -1.0]}), pd.Series([1, 0]))\n"
    )
    command = f'{sys.executable} -B -c "$PROGRAM" >&-'
    environment = {**os.environ, "PROGRAM": program, "PYTHONPATH": str(pytestconfig.rootpath)}
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


# --- the contract ---------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [SOUND, OWN])
def test_a_sound_recipe_has_no_problems(written: Written, text: str) -> None:
    X, y = rows()
    assert check_recipe(written(text), X, y, needs_probabilities=True) == ()
    assert check_recipe(written(text), X, y.map({0: "no", 1: "yes"})) == ()


TWICE = """
CALLS = []
def train_model(X, y):
    CALLS.append(1)
    1 / (2 - len(CALLS))
    return Above().fit(X, y)
"""
NO_IMPUTER = (
    SOUND.replace("(SimpleImputer(), ", "('passthrough', ")
    .replace("RandomForestClassifier(5, ", "LogisticRegression(")
    .replace("ensemble import RandomForestClassifier", "linear_model import LogisticRegression")
)
FORGETFUL = "\n    def __getstate__(self):\n        return {'classes_': self.classes_[::-1]}\n"
BREACHES = {
    "no missing numbers": (NO_IMPUTER, "given a missing value in the column 'x'"),
    "no missing strings": (
        OWN.replace('(X["x"]', '(X["word"].map(len).where(X["word"] > "", X["x"])'),
        "given a missing value in the column 'word'",
    ),
    "no new categories": (
        SOUND.replace('handle_unknown="ignore"', ""),
        f"given the category {NEVER_SEEN!r} in the column 'word'",
    ),
    "chance": (
        SOUND.replace("5, random_state=0", "5, max_depth=1"),
        "another model when called again",
    ),
    "works once": (
        OWN + TWICE,
        "ZeroDivisionError in line 23: division by zero, when called a second time",
    ),
    "in place": (
        SOUND.replace("    words =", "    X_train['x'] += 1e-9\n    words ="),
        "changes the table that it is given",
    ),
    "unpicklable": (
        OWN.replace(
            "        return self\n", "        self.rows = (0 for _ in y)\n        return self\n"
        ),
        "cannot be pickled",
    ),
    "forgetful": (
        OWN.replace("BaseEstimator):", f"BaseEstimator):{FORGETFUL}"),
        "predicts otherwise once pickled",
    ),
    "imports us": ("import retraining.errors\n" + SOUND, "imports retraining"),
    "imports us later": (
        "def later():\n    from retraining.records import Label\n" + SOUND,
        "imports retraining",
    ),
}


@pytest.mark.parametrize("how", BREACHES)
def test_each_breach_of_the_contract_is_one_named_problem(written: Written, how: str) -> None:
    text, said = BREACHES[how]
    X, y = rows()
    X = X.fillna({"x": 0.0, "word": "red"})
    problems = check_recipe(written(text), X, y, needs_probabilities=True)
    assert len(problems) == 1, problems
    assert said in problems[0]
    assert problems[0].startswith("The training recipe /")
    assert problems[0].endswith(".")


def test_a_check_leaves_its_rows_as_they_were(written: Written) -> None:
    X, y = rows()
    before = X.copy(deep=True)
    check_recipe(written(SOUND.replace("    words =", "    X_train['x'] = 0.0\n    words =")), X, y)
    pd.testing.assert_frame_equal(X, before)


# --- requirements ---------------------------------------------------------------------------------


def test_requirements_are_pins_of_what_the_recipe_and_its_helpers_import(written: Written) -> None:
    helper = (
        "import imblearn.under_sampling\nfrom os import path\ntry:\n    import"
        " no_such_package\nexcept ImportError: ...\n"
    )
    pins = pip_requirements(written("import json, helper\n" + SOUND, helper=helper))
    assert [pin.split("==")[0] for pin in pins] == [
        "cloudpickle",
        "imbalanced-learn",
        "numpy",
        "pandas",
        "scikit-learn",
    ]
    assert f"scikit-learn=={sklearn.__version__}" in pins


# --- a recipe that learns in parts ----------------------------------------------------------------


PARTED = (
    OWN
    + """
import pandas as pd

def train_model_in_parts(parts):
    read = [part() for part in parts]
    X, y = (pd.concat(each, ignore_index=True) for each in zip(*read))
    return Above().fit(X, y)
"""
)


def parts_of(X: pd.DataFrame, y: pd.Series, count: int = 3) -> list[Callable[[], object]]:
    cuts = np.array_split(np.arange(len(X)), count)
    return [lambda rows=rows: (X.iloc[rows], y.iloc[rows]) for rows in cuts]


def test_a_recipe_may_learn_in_parts_and_most_do_not(written: Written) -> None:
    X, y = rows()
    assert written(OWN).train_model_in_parts is None
    recipe = written(PARTED)
    trained = train_in_parts(recipe, parts_of(X, y), frozenset({0, 1}), rows=len(X))
    assert trained.estimator.predict(X).tolist() == y.tolist()
    assert check_recipe(recipe, X, y) == ()


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (("Above().fit(X, y)\n", "None\n"), "train_model_in_parts must return a fitted"),
        (("[part() for part in parts]", "[part() for part in parts[:1]]"), None),
        (("read = [", "raise MemoryError('too much')\n    read = ["), "MemoryError"),
        (("Above().fit(X, y)\n", "Above()\n"), "classes_"),
    ],
)
def test_the_second_function_is_tried_as_the_first_is(
    written: Written, broken: tuple[str, str], said: str | None
) -> None:
    head, tail = PARTED.split("import pandas as pd")
    recipe = written(head + "import pandas as pd" + tail.replace(*broken))
    problems = check_recipe(recipe, *rows())
    if said is None:
        assert problems == ()  # it learned less, which is its own affair
        return
    [problem] = problems
    assert said in problem
    assert problem.endswith("(train_model_in_parts).")
    with pytest.raises(RecipeError, match="recipe"):
        train_in_parts(recipe, parts_of(*rows()), frozenset({0, 1}), rows=200)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("train_model_in_parts = 5\n", "has a train_model_in_parts that is not a function"),
        ("def train_model_in_parts(): ...\n", "cannot be called as train_model_in_parts(parts)"),
    ],
)
def test_a_second_function_that_cannot_be_called_is_refused_at_once(
    written: Written, text: str, said: str
) -> None:
    with pytest.raises(RecipeError, match=re.escape(said)):
        written(OWN + text)
