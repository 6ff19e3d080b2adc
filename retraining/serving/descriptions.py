"""How the routes are described in `/openapi.json`.

Bodies, answers and examples, written by hand since rows have no fixed type.

The examples of rows are made from the schema of the version that answers, so that `/docs` can try
them out as they stand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from retraining.serving.rows import example_row

if TYPE_CHECKING:
    from collections.abc import Mapping

    from retraining.records import Schema
    from retraining.serving.tokens import Scope

    Json = dict[str, Any]

JSON = "application/json"
SCOPE = "x-scope"  # that the caller's token must hold
ROWS_EXAMPLE = "x-example-of-rows"  # marks a body whose examples are made from the schema
_ERROR = {
    "type": "object",
    "required": ["error_code", "message", "columns", "request_id"],
    "properties": {
        "error_code": {"type": "string"},
        "message": {"type": "string"},
        "columns": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "problem": {"enum": ["missing", "type", "range"]},
                    "expected": {"type": "string"},
                    "rows": {"type": "array", "items": {"type": "integer"}},
                },
            },
        },
        "request_id": {"type": "string"},
    },
}
_STATUS = {
    400: "No JSON, or not of the form that the route takes",
    401: "No token, or one that is not known",
    403: "The token does not hold the scope, or the host name is not allowed",
    404: "Not found",
    409: "It is there already, or runs already",
    413: "Too many bytes or rows",
    415: "Another content type",
    422: "Rows, ids or values that do not fit",
    429: "Too many rows a second; Retry-After says when to ask again",
    503: "Not now; Retry-After says when to ask again",
}
_RECORD = {"type": "object", "additionalProperties": True}
_LIST_OF_LISTS = {"type": "array", "items": {"type": "array", "items": {}}}
FORMS: Json = {
    "features": {**_LIST_OF_LISTS, "description": "Rows in the signature's order."},
    "dataframe_records": {"type": "array", "items": _RECORD},
    "dataframe_split": {
        "type": "object",
        "required": ["columns", "data"],
        "properties": {
            "columns": {"type": "array", "items": {"type": "string"}},
            "data": _LIST_OF_LISTS,
        },
    },
    "instances": {"type": "array", "items": _RECORD},
    "inputs": {"type": "object", "additionalProperties": {"type": "array", "items": {}}},
}
PREDICT_BODY: Json = {
    "type": "object",
    "description": "Exactly one of the five forms of rows.",
    "properties": {
        **FORMS,
        "ids": {"type": "array", "items": {"type": "string", "minLength": 1, "maxLength": 128}},
        "client_request_id": {"type": "string"},
    },
}
PREDICT_ANSWER: Json = {
    "predictions": [1],
    "classes": [0, 1],
    "probabilities": [[0.2, 0.8]],
    "prediction_ids": ["01a2181f7199fece0258b5a06a2d1cda-0"],
    "repeated_ids": [],
    "request_id": "01a2181f71986d98cfc77c37e1fc5ab5",
    "client_request_id": "order 17",
    "logged": True,
    "model": {"name": "classifier", "version": 3, "alias": "production"},
}
LABELS_BODY: Json = {
    "type": "object",
    "required": ["labels"],
    "properties": {
        "labels": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["prediction_id", "label"],
                "properties": {
                    "prediction_id": {"type": "string", "minLength": 1, "maxLength": 128},
                    "label": {"description": "A class: a number, a boolean or a text."},
                    "label_time": {
                        "type": "string",
                        "description": (
                            "ISO 8601; without a zone UTC; when it was received, if missing."
                        ),
                    },
                },
            },
        }
    },
    "example": {
        "labels": [
            {"prediction_id": "order-17", "label": 1},
            {"prediction_id": "order-18", "label": 0, "label_time": "2026-03-01T10:00:00Z"},
        ]
    },
}
LABELS_ANSWER: Json = {"new": 2, "repeated": 0, "changed": 0, "unknown": [], "new_class": []}
BATCH_BODY: Json = {
    "type": "object",
    "description": "A batch of labelled rows, in exactly one of the five forms.",
    "required": ["batch_id", "labels"],
    "properties": {
        **FORMS,
        "batch_id": {"type": "string", "minLength": 1, "maxLength": 200},
        "labels": {"type": "array", "items": {}, "description": "One a row; null: not known."},
    },
    "example": {
        "batch_id": "2026-03-01",
        "labels": [1],
        "dataframe_records": [{"speed": 1.5, "city": "north"}],
    },
}
BATCH_ANSWER: Json = {
    "batch_id": "2026-03-01",
    "file": "batch-2026-03-01-9f86d081884c.csv",
    "rows": 1,
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "repeated": False,
}
TRIGGER_BODY: Json = {
    "type": "object",
    "properties": {
        "force": {"type": "boolean", "default": False},
        "why": {"type": "string", "default": ""},
    },
}


def described(
    what: str,
    answer: Any,
    *errors: int,
    status: int = 200,
    bodies: Mapping[str, Json] | None = None,
    scope: Scope | None = None,
) -> Json:
    """What a route's decorator is told.

    Args:
        what: the answer in a few words.
        answer: an example of the answer: text as it is, anything else as JSON.
        errors: statuses that the route may answer with, besides.
        status: of the answer.
        bodies: by content type, what OpenAPI calls a media type: a schema and examples.
        scope: that the caller's token must hold.
    """
    kind = "text/plain" if isinstance(answer, str) else JSON
    error = {"content": {JSON: {"schema": {"$ref": "#/components/schemas/Error"}}}}
    known = [*errors, *((401, 403) if scope else ())]
    answers: dict[int, Json] = {
        status: {"description": what, "content": {kind: {"example": answer}}}
    }
    answers |= {code: {"description": _STATUS[code], **error} for code in sorted(known)}
    extra: Json = {} if scope is None else {SCOPE: scope, "security": [{"token": []}]}
    if bodies is not None:
        extra["requestBody"] = {"required": True, "content": dict(bodies)}
    return {"status_code": status, "responses": answers, "openapi_extra": extra}


def rows_as_json(schema: Json) -> Json:
    """A media type whose examples are rows of the version that answers."""
    return {JSON: {"schema": schema, ROWS_EXAMPLE: True}}


def completed(description: Json, schema: Schema | None) -> Json:
    """The whole description: shared parts added, examples of rows made from a version's schema."""
    components = description.setdefault("components", {})
    components.setdefault("schemas", {})["Error"] = _ERROR
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    examples = examples_of_rows(schema)
    # FastAPI's, which no route answers with
    for name in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(name, None)
    for operations in description["paths"].values():
        for operation in operations.values():
            if "HTTPValidationError" in str(operation["responses"].get("422")):
                del operation["responses"]["422"]
            for media in operation.get("requestBody", {}).get("content", {}).values():
                if media.pop(ROWS_EXAMPLE, False):
                    media["examples"] = examples
    return description


def examples_of_rows(schema: Schema | None) -> Json:
    """By form, one row as that form holds it.

    Of no columns in particular where there is no version yet.
    """
    row = {"speed": 1.5, "city": "north"} if schema is None else example_row(schema)
    names, values = list(row), list(row.values())
    forms: Json = {
        "dataframe_records": [row],
        "features": [values],
        "dataframe_split": {"columns": names, "data": [values]},
        "instances": [row],
        "inputs": {name: [value] for name, value in row.items()},
    }
    return {form: {"value": {form: rows}} for form, rows in forms.items()}
