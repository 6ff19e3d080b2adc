"""`/invocations` answers what MLflow's own scoring server answers.

And shows nothing of the caller's rows where it refuses.
"""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import mlflow
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import scoring_server

from retraining.settings import load
from tests.projects import Project
from tests.serving.services import running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.serving.services import Reply, Running

JSON, CSV, PARQUET = "application/json", "text/csv", "application/vnd.apache.parquet"
SECRET = "Zanzibar-4711"
ROWS = pd.DataFrame(
    {
        "speed": [1.5, -0.5, 0.25, None],
        "load": [0.5, 1.25, -2.0, 0.0],
        "city": ["north", "south", "nowhere", "north"],
    }
)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Project:
    return Project.with_first_model(tmp_path_factory.mktemp("real") / "project", empty_store)


@pytest.fixture(scope="module")
def service(project: Project) -> Iterator[Running]:
    with running(load(project.folder)) as it:
        yield it


@pytest.fixture(scope="module")
def theirs(project: Project) -> Any:
    """The version as MLflow's server loads it."""
    mlflow.set_tracking_uri(load(project.folder).mlflow_tracking_uri)
    return mlflow.pyfunc.load_model("models:/classifier@production")


def bodies() -> dict[str, tuple[str, bytes]]:
    records = json.loads(ROWS.to_json(orient="records"))
    split = json.loads(ROWS.to_json(orient="split"))
    inputs = ROWS.dropna().to_dict(orient="list")
    parquet, text = io.BytesIO(), ROWS.to_csv(index=False).encode()
    ROWS.to_parquet(parquet)
    whole = [{**record, "load": 2} for record in records]
    wider = [{**record, "door": SECRET} for record in records]
    narrower = [{"speed": 1.0, "city": "north"}]
    return {
        "records": (JSON, told(dataframe_records=records)),
        "records of whole numbers": (JSON, told(dataframe_records=whole)),
        "records with another column": (JSON, told(dataframe_records=wider)),
        "records without a column": (JSON, told(dataframe_records=narrower)),
        "split": (JSON, told(dataframe_split=split)),
        "instances": (JSON, told(instances=records[:3])),
        "inputs": (JSON, told(inputs=inputs)),
        "inputs with one value for all rows": (JSON, told(inputs={**inputs, "door": SECRET})),
        "inputs of no rows": (JSON, told(inputs={"": [], "door": SECRET})),
        "charset": (f"{JSON}; charset=utf-8", told(dataframe_split=split)),
        "params": (JSON, told(dataframe_split=split, params={})),
        "csv": (CSV, text),
        "csv of other order": (CSV, ROWS[["city", "load", "speed"]].to_csv(index=False).encode()),
        "csv with a word for a number": (CSV, text.replace(b"1.25", SECRET.encode())),
        "parquet": (PARQUET, parquet.getvalue()),
        "no parquet": (PARQUET, b"PAR1"),
        "a word for a number": (JSON, told(dataframe_records=[{**records[0], "load": SECRET}])),
        "two forms": (JSON, told(dataframe_records=records, inputs=inputs)),
        "features, which is ours": (JSON, told(features=[[1.0, 2.0, "north"]])),
        "a list": (JSON, b"[1]"),
        "no json": (JSON, f"{{{SECRET}".encode()),
        "another type": ("application/octet-stream", b"x"),
        "another charset": (f"{JSON}; charset=latin-1", b"{}"),
    }  # fmt: skip


def told(**content: Any) -> bytes:
    return json.dumps(content).encode()


def ask(service: Running, kind: str, body: bytes) -> Reply:
    return service.ask("POST", "/invocations", body, Content_Type=kind)


def their_answer(model: Any, kind: str, body: bytes) -> tuple[int, Any]:
    """Status and answer of MLflow's server."""
    try:
        told = scoring_server.invocations(body, kind, model, model.metadata.get_input_schema())
    except MlflowException as error:
        return error.get_http_status_code(), None
    return told.status, json.loads(told.response) if told.status == 200 else None


@pytest.mark.parametrize("name", bodies())
def test_what_mlflows_server_answers_we_answer_and_refuse_what_it_refuses(
    service: Running, theirs: Any, name: str
) -> None:
    kind, body = bodies()[name]
    reply = ask(service, kind, body)
    status, answer = their_answer(theirs, kind, body)
    assert (reply.status == 200) == (status == 200), reply
    assert reply.status == status or (status == 400 and reply.status < 500)
    if status == 200:
        assert reply.json == answer
    assert SECRET not in reply.body.decode()


def test_its_rows_are_logged_under_the_requests_id(service: Running) -> None:
    kind, body = bodies()["csv"]
    reply = service.ask("POST", "/invocations", body, Content_Type=kind, X_Request_Id="from-mlflow")
    assert reply.status == 200
    newest = service.parts.log.last_rows(4)
    assert {row["city"] for row in newest} == {"north", "south", "nowhere"}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"speed;load;city\n1,5;2;north\n", "Separate the cells of CSV by commas."),
        (b"door\n1\n", "None of the columns that were sent is one of the model's."),
        (b"speed,load,city\n", "There is no row in the request."),
    ],
)
def test_csv_without_a_column_of_the_models_is_told_from_csv_without_rows(
    service: Running, body: bytes, said: str
) -> None:
    reply = ask(service, CSV, body)
    assert reply.status == 422
    assert said in reply.json["message"]


def test_ping_and_version_are_there(service: Running) -> None:
    assert service.ask("GET", "/ping").status == 200
    assert service.ask("GET", "/version").body.decode() == mlflow.__version__


def test_mlflows_own_client_code_gets_its_answers(service: Running) -> None:
    """The lines of MLflow's documentation for Python clients, with another address."""
    import requests

    data = {"dataframe_split": ROWS.dropna().to_dict(orient="split")}
    headers = {"Content-Type": "application/json"}
    endpoint = f"http://127.0.0.1:{service.port}/invocations"
    r = requests.post(endpoint, data=json.dumps(data), headers=headers, timeout=10)
    assert len(r.json()["predictions"]) == 3
