"""`/labels` and `/ingest/batch` over HTTP: what is taken, what is refused, and what an answer never
shows.
"""

from __future__ import annotations

import csv
import io
import threading
from typing import TYPE_CHECKING, Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from tests.serving.services import body_of, running, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from retraining.settings import Settings
    from tests.serving.services import Reply, Running

SECRET = "Zanzibar-4711"
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture(autouse=True)
def folders(probes: Settings) -> Iterator[None]:
    for folder in (probes.new_data_dir, probes.used_data_dir):
        folder.mkdir(exist_ok=True)
    yield
    for path in probes.new_data_dir.iterdir():
        path.unlink()


def label(service: Running, *given: dict[str, Any]) -> Reply:
    return service.ask("POST", "/labels", {"labels": list(given)})


def batch(service: Running, batch_id: Any, *labels: Any, **more: Any) -> Reply:
    rows = body_of(*(float(k) for k in range(len(labels))))
    body = {"batch_id": batch_id, "labels": list(labels), **rows, **more}
    return service.ask("POST", "/ingest/batch", body)


def test_labels_and_rows_follow_a_log_that_was_moved_away(own_probes: Settings) -> None:
    log = own_probes.project / "predictions"
    with running(own_probes) as own:
        own.predict(1, ids=["before"])
        assert label(own, {"prediction_id": "before", "label": 1}).json["new"] == 1
        log.rename(own_probes.project / "moved")
        assert until(lambda: own.predict(1, ids=["after"]).json["logged"])
        assert label(own, {"prediction_id": "after", "label": 1}).json["new"] == 1
        rows = own.ask("GET", "/mlops/api/monitoring/predictions/recent/9").json["predictions"]
    assert [row["prediction_id"] for row in rows] == ["after"]


def test_a_label_is_read_however_it_is_written(service: Running) -> None:
    service.predict(1, ids=["spelling"])
    told = label(service, {"prediction_id": "spelling", "label": 1})
    assert told.json["new"] == 1
    for same in ("1", "1.0", 1.0, " 1 "):
        assert label(service, {"prediction_id": "spelling", "label": same}).json["repeated"] == 1
    for other in (7, "seven", True, 1.5):
        told = label(service, {"prediction_id": "spelling", "label": other})
        assert told.json["new_class"] == ["spelling"], other


@pytest.mark.parametrize(
    "wrong",
    [
        {"label": 1}, {"prediction_id": "a"}, {"prediction_id": "a", "label": None},
        {"prediction_id": "a", "label": "NA"},
        {"prediction_id": "", "label": 1}, {"prediction_id": "a\n", "label": 1},
        {"prediction_id": "a" * 129, "label": 1},
        {"prediction_id": "a", "label": [1]}, {"prediction_id": "a", "label": "\0"},
        {"prediction_id": "a", "label": "\ud800"},
        {"prediction_id": "a", "label": 1, "label_time": SECRET},
        {"prediction_id": "a", "label": 1, "label_time": 5},
        {"prediction_id": "a", "label": 1, "label_time": "0001-01-01T00:00:00+14:00"},
        {"prediction_id": "a", "label": 1, SECRET: 1},
    ],
)  # fmt: skip
def test_what_is_no_label_is_refused_without_its_values(
    service: Running, wrong: dict[str, Any]
) -> None:
    told = label(service, {"prediction_id": "good", "label": 1}, wrong)
    assert told.status == 422
    assert SECRET.encode() not in told.body
    assert label(service, {"prediction_id": "good", "label": 1}).json["unknown"] == ["good"]


def test_labels_count_in_the_metrics(service: Running) -> None:
    def counted() -> float:
        lines = service.ask("GET", "/metrics").body.decode().splitlines()
        name = 'retraining_labels_total{outcome="unknown"} '
        return next(float(line.removeprefix(name)) for line in lines if line.startswith(name))

    before = counted()
    label(service, {"prediction_id": "counted", "label": 1})
    assert counted() == before + 1


def test_a_batch_is_a_csv_file_that_reads_back(service: Running, probes: Settings) -> None:
    rows = [
        {"row": 0.1, "word": 'a,"b"\r\nc', "ok": True, "record_id": "r1"},
        {"row": 2, "word": "NA", "ok": None, "record_id": 5},
        {"row": None, "word": "", "ok": 0},
    ]
    sent = {"batch_id": "odd cells", "labels": [1, "0", 1.0], "dataframe_records": rows}
    told = service.ask("POST", "/ingest/batch", sent)
    assert told.status == 201, told
    text = (probes.new_data_dir / told.json["file"]).read_bytes().decode()
    found = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [tuple(row.values()) for row in found] == [
        ("r1", "0.1", 'a,"b"\r\nc', "true", "1"),
        ("5", "2", "NA", "", "0"),
        ("", "", "", "false", "1"),
    ]


def test_columns_of_a_batch_that_production_does_not_know_are_named(
    service: Running, probes: Settings
) -> None:
    row = {"row": 1, "word": "a", "ok": True, "größe, m": 3.5, "record_id": 7}
    sent = {"batch_id": "wider", "labels": [1], "dataframe_records": [row]}
    for status in (201, 200):
        told = service.ask("POST", "/ingest/batch", sent)
        assert told.status == status, told
        assert told.headers["x-ignored-columns"] == "gr%C3%B6%C3%9Fe%2C%20m,record_id"
    text = (probes.new_data_dir / told.json["file"]).read_text()
    assert text.splitlines()[0] == "record_id,row,word,ok,target"


def test_a_batch_with_too_few_labels_or_a_new_class_is_refused_with_rows(service: Running) -> None:
    told = batch(service, "b1", 1, None, None)
    assert told.status == 422
    assert told.json["columns"][0]["problem"] == "missing"
    assert told.json["columns"][0]["rows"] == [1, 2]
    told = batch(service, "b2", 1, 0, SECRET)
    assert told.json["columns"][0]["rows"] == [2]
    assert SECRET.encode() not in told.body


def test_many_that_send_one_batch_at_once_make_one_file(service: Running, probes: Settings) -> None:
    replies: list[Reply] = []

    def send() -> None:
        replies.append(batch(service, "at once", 1, 0, 1, 0, 1))

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(reply.status for reply in replies) == [200] * 7 + [201]
    assert len(list(probes.new_data_dir.iterdir())) == 1


def test_bytes_that_another_batch_brought_are_told_by_its_name(service: Running) -> None:
    assert batch(service, "monday", 1, 0).status == 201
    told = batch(service, "tuesday", 1, 0)
    assert (told.status, told.json["error_code"]) == (409, "same_bytes")
    assert "monday" in told.json["message"]


def test_a_folder_that_is_gone_is_503_and_a_retry_delivers(
    service: Running, probes: Settings
) -> None:
    away = probes.new_data_dir.with_name("away")
    probes.new_data_dir.rename(away)
    told = batch(service, "unmounted", 1, 0, 1)
    assert told.status == 503
    assert told.headers["retry-after"].isdecimal()
    away.rename(probes.new_data_dir)
    assert batch(service, "unmounted", 1, 0, 1).status == 201


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(body=ANY_JSON, path=st.sampled_from(["/labels", "/ingest/batch"]))
def test_no_body_is_an_error_of_ours(service: Running, path: str, body: Any) -> None:
    wrapped = (
        {"labels": body} if path == "/labels" else {"batch_id": "x", "labels": body, **body_of(1)}
    )
    for sent in (body, wrapped):
        assert service.ask("POST", path, sent).status in (200, 201, 400, 409, 413, 415, 422)
