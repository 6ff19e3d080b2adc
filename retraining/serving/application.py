"""The application: routes, their common edge, and the parts that live as long as it does."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.exceptions import HTTPException

from retraining import __version__
from retraining.serving.edge import Edge, not_routed, refused
from retraining.serving.refusals import Refusal
from retraining.serving.routes import (
    documentation,
    health,
    ingesting,
    labelling,
    mlflow_protocol,
    monitoring,
    operating,
    page,
    predicting,
)
from retraining.serving.straight import Straight

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from retraining.serving.service import Service


def application(service: Service, barrier: Callable[[], None] | None = None) -> FastAPI:
    """The application of a service.

    Its parts start and end with it, and `barrier` is waited at in between.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(service.start)
        if barrier is not None:
            await asyncio.to_thread(barrier)
        yield
        await asyncio.to_thread(service.close)

    app = FastAPI(
        title="Predictions",
        version=__version__,
        lifespan=lifespan,
        openapi_url=None,
        redirect_slashes=False,  # a proxy in front has another address than the one we know
    )
    app.state.service = service
    groups = (
        predicting,
        mlflow_protocol,
        labelling,
        ingesting,
        monitoring,
        operating,
        health,
        documentation,
        page,
    )
    for group in groups:
        app.include_router(group.router)
    app.include_router(page.pages)
    app.add_exception_handler(Refusal, refused)
    app.add_exception_handler(HTTPException, not_routed)
    app.add_middleware(Straight, route=predicting.route)
    app.add_middleware(
        Edge, door=service.access, intake=service.intake, count=service.metrics.answered
    )
    return app
