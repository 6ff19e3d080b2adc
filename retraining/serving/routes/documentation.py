"""`/openapi.json` describes the routes; `/docs` tries them and loads nothing from elsewhere."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, FastAPI, HTTPException, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.openapi.utils import get_openapi
from starlette.responses import FileResponse

from retraining.serving.descriptions import SCOPE, completed
from retraining.serving.requests import json_answer
from retraining.serving.scoped import ScopedRoute
from retraining.serving.service import service_of

if TYPE_CHECKING:
    from retraining.records import Schema

ABOUT = "Predictions by the version of the registry that holds the production alias."
PARTS = ("swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png")
router = APIRouter(route_class=ScopedRoute, include_in_schema=False)


@router.get("/openapi.json", openapi_extra={SCOPE: "read"})
async def openapi(request: Request) -> Response:
    """Every route, with examples that the version which answers now can answer."""
    model = service_of(request).production.model
    return json_answer(description_of(request.app, None if model is None else model.schema))


@router.get("/docs", openapi_extra={SCOPE: "read"})
async def docs(request: Request) -> Response:
    """Swagger UI, from the package that brings it."""
    root = request.scope.get("root_path", "")
    return get_swagger_ui_html(
        title=request.app.title,
        openapi_url=f"{root}/openapi.json",
        swagger_js_url=f"{root}/docs/{PARTS[0]}",
        swagger_css_url=f"{root}/docs/{PARTS[1]}",
        swagger_favicon_url=f"{root}/docs/{PARTS[2]}",
    )


@router.get("/docs/{part}", openapi_extra={SCOPE: "read"})
async def docs_part(part: str) -> Response:
    """A script, a style or a picture of the page."""
    if part not in PARTS:
        raise HTTPException(404)
    return FileResponse(_folder() / part)


def description_of(app: FastAPI, schema: Schema | None) -> dict[str, Any]:
    """The application as OpenAPI describes it; examples of rows are of this schema."""
    described = get_openapi(
        title=app.title, version=app.version, description=ABOUT, routes=app.routes
    )
    return completed(described, schema)


@cache
def _folder() -> Path:
    return Path(str(files("swagger_ui") / "static"))
