"""`/predict` over HTTP.

Each caller its own answers, refusals without values, and never a 500 that a caller could cause.
"""

from __future__ import annotations

import gzip
import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from retraining.serving.forms import FORMS
from tests.serving.services import FRAGILE, Caller, body_of, running

if TYPE_CHECKING:
    from retraining.settings import Settings
    from tests.serving.services import Running

SECRET = "Zanzibar-4711"
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(SECRET)
)
ANY_JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner)
)
NAMES = st.sampled_from(("row", "word", "ok", "other", ""))
RECORDS = st.lists(st.dictionaries(NAMES, ANY_JSON, max_size=4), max_size=3)
TABLES = (
    RECORDS
    | st.dictionaries(NAMES, st.lists(ANY_JSON, max_size=3), max_size=4)
    | st.fixed_dictionaries(
        {"columns": st.lists(NAMES, max_size=4), "data": st.lists(st.lists(ANY_JSON, max_size=4))}
    )
    | ANY_JSON
)
REQUESTS = st.dictionaries(
    st.sampled_from((*FORMS, "ids", "client_request_id", "more")), TABLES, max_size=3
)


def test_an_answer_names_rows_classes_version_and_request(service: Running) -> None:
    reply = service.predict(3, 4, client_request_id="order 17", ids=["a", "b"])
    assert reply.status == 200
    told = reply.json
    assert told["predictions"] == [3, 4]
    assert told["classes"] == [0, 1]
    assert told["probabilities"] == [[0.0001, 0.9999]] * 2
    assert told["prediction_ids"] == ["a", "b"]
    assert told["client_request_id"] == "order 17"
    assert told["model"] == {"name": "classifier", "version": 1, "alias": "production"}
    assert reply.headers["x-model-version"] == "1"
    assert reply.headers["x-request-id"] == told["request_id"]


def test_ids_made_here_sort_by_time(service: Running) -> None:
    made = [
        identifier for _ in range(5) for identifier in service.predict(1).json["prediction_ids"]
    ]
    assert made == sorted(made)
    assert len(set(made)) == 5


@pytest.mark.parametrize("sent", ["", "x" * 129, "tab\there", "naïve"])
def test_a_request_id_that_is_none_is_replaced(service: Running, sent: str) -> None:
    caller = service.caller()
    reply = caller.ask("POST", "/predict", body_of(1), X_Request_Id=sent)
    assert reply.status == 200
    assert reply.headers["x-request-id"] != sent


def test_ignored_columns_are_named_in_a_header_that_any_name_fits(service: Running) -> None:
    row = {"row": 1, "word": "a", "ok": True, "größe, m": 3, "record_id": 7}
    reply = service.ask("POST", "/predict", {"instances": [row]})
    assert reply.headers["x-ignored-columns"] == "gr%C3%B6%C3%9Fe%2C%20m,record_id"


def test_callers_at_once_get_their_own_answers(service: Running) -> None:
    """A slice of the soak: each row carries a number that the model gives back."""
    right: list[Any] = []

    def ask(thread: int) -> None:
        caller = service.caller()
        for turn in range(40):
            rows = [thread * 1000 + turn * 10 + place for place in range(1 + turn % 3)]
            right.append(caller.predict(*rows).json["predictions"] == rows)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert right == [True] * 16 * 40


def test_rows_that_make_the_model_raise_fail_their_own_request_alone(service: Running) -> None:
    statuses: dict[int, set[int]] = {0: set(), 1: set()}

    def ask(kind: int) -> None:
        caller = service.caller()
        for _ in range(30):
            statuses[kind].add(caller.predict(FRAGILE if kind else 7).status)

    threads = [threading.Thread(target=ask, args=(kind,)) for kind in (0, 0, 0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == {0: {200}, 1: {500}}


def test_an_error_of_the_model_is_told_by_an_id_and_no_text(
    service: Running, caplog: pytest.LogCaptureFixture
) -> None:
    body = {"dataframe_records": [{"row": FRAGILE, "word": SECRET, "ok": True}]}
    reply = service.ask("POST", "/predict", body)
    assert reply.status == 500
    assert reply.json["request_id"] == reply.headers["x-request-id"]
    assert reply.headers["x-model-version"] == "1", "it was asked"
    assert SECRET not in reply.body.decode() + caplog.text
    assert reply.json["request_id"] in caplog.text


def test_a_refusal_after_the_model_was_asked_names_its_version(own_probes: Settings) -> None:
    unwritable = own_probes._replace(
        prediction_log_uri="sqlite:////proc/nowhere/predictions.db",
        prediction_log_when_full="refuse",
    )
    with running(unwritable) as service:
        reply = service.predict(1)
    assert (reply.status, reply.headers["x-model-version"]) == (503, "1")
    assert reply.headers["retry-after"].isdecimal()


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "not_one_form"),
        ({"features": [[1, "a", True]], "inputs": {}}, 400, "not_one_form"),
        ({"features": [[1, "a", True]], "idz": ["x"]}, 400, "unknown_key"),
        ({"features": []}, 422, "rows_do_not_fit"),
        ({"features": [[1, "a"]]}, 422, "rows_do_not_fit"),
        (
            {"dataframe_split": {"columns": ["row", "row"], "data": [[1, 2]]}},
            422,
            "rows_do_not_fit",
        ),
        (body_of(1, ids=["a", "b"]), 422, "rows_do_not_fit"),
        (body_of(1, ids=[""]), 422, "rows_do_not_fit"),
        (body_of(1, ids=["a\nb"]), 422, "rows_do_not_fit"),
        (body_of(1, ids=["x" * 129]), 422, "rows_do_not_fit"),
        (body_of(1, client_request_id=7), 422, "rows_do_not_fit"),
        ([1], 400, "not_an_object"),
    ],
)
def test_what_is_no_request_is_refused(service: Running, body: Any, status: int, code: str) -> None:
    reply = service.ask("POST", "/predict", body)
    assert (reply.status, reply.json["error_code"]) == (status, code)


def test_every_column_that_does_not_fit_is_named_at_once(service: Running) -> None:
    rows = [{"row": SECRET, "word": 3}, {"row": 1e308, "word": "a"}]
    reply = service.ask("POST", "/predict", {"dataframe_records": rows})
    assert reply.status == 422
    assert SECRET not in reply.body.decode()
    assert [(c["name"], c["problem"], c["rows"]) for c in reply.json["columns"]] == [
        ("row", "type", [0]),
        ("word", "type", [0]),
        ("ok", "missing", []),
    ]


@hypothesis_settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(body=REQUESTS | ANY_JSON)
def test_any_json_is_answered_or_refused_in_the_same_form(service: Running, body: Any) -> None:
    told = service.ask(
        "POST", "/predict", json.dumps(body).encode(), Content_Type="application/json"
    )
    assert told.status in (200, 400, 413, 422), told
    if told.status != 200:
        assert told.json.keys() == {"error_code", "message", "columns", "request_id"}
        assert SECRET not in json.dumps(told.json["message"])


@hypothesis_settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(body=st.binary(max_size=60))
def test_any_bytes_are_refused(service: Running, body: bytes) -> None:
    told = service.ask("POST", "/predict", body, Content_Type="application/json")
    assert told.status in (400, 422), told


def test_a_body_that_is_not_declared_as_json_is_415(service: Running) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/json; charset=x"):
        assert service.ask("POST", "/predict", b"{}", Content_Type=kind).status == 415


def test_a_compressed_body_is_415_whatever_it_is_declared_as(service: Running) -> None:
    body = gzip.compress(json.dumps(body_of(1)).encode())
    sent = {"Content_Type": "application/json", "Content_Encoding": "gzip"}
    reply = service.ask("POST", "/predict", body, **sent)
    assert (reply.status, reply.json["error_code"]) == (415, "compressed")


@pytest.mark.parametrize("path", ["/live", "/ready", "/health"])
def test_health_may_be_asked_for_its_head_alone(service: Running, path: str) -> None:
    reply = service.ask("HEAD", path)
    assert (reply.status, reply.body) == (200, b"")


def test_every_answer_carries_an_id_and_unknown_routes_the_errors_form(service: Running) -> None:
    for method, path, status in (
        ("GET", "/predict", 405),
        ("POST", "/predict/", 404),
        ("GET", f"/{SECRET}", 404),
        ("DELETE", "/health", 405),
        ("GET", "/live", 200),
    ):
        reply = service.ask(method, path)
        assert reply.status == status
        assert reply.headers["x-request-id"]
        assert SECRET not in reply.body.decode()


def test_a_caller_that_leaves_does_not_stop_the_others(service: Running) -> None:
    for _ in range(5):
        leaving = Caller(service.port)
        leaving._connection.request(
            "POST", "/predict", json.dumps(body_of(1)), {"Content-Type": "application/json"}
        )
        leaving._connection.close()
    assert service.predict(8).json["predictions"] == [8]
