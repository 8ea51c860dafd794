"""Bookings in FastAPI: dependencies, models, sync and async endpoints, work after the response."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.middleware.sessions import SessionMiddleware

from bookings import guests, rooms
from bookings.ledger import FullError, Ledger


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.ledger = Ledger()
    yield


def create_app() -> FastAPI:
    """The application, to be started by its lifespan."""
    app = FastAPI(title="bookings", lifespan=lifespan)
    app.include_router(guests.router)
    app.include_router(rooms.router)
    app.exception_handler(FullError)(say_full)
    app.middleware("http")(tag_response)
    app.add_middleware(SessionMiddleware, secret_key="for trying things out")
    return app


async def tag_response(
    request: Request, answer: Callable[[Request], Awaitable[Response]]
) -> Response:
    response = await answer(request)
    response.headers["X-Request-Tag"] = request.query_params.get("tag", "")
    return response


async def say_full(request: Request, error: Exception) -> JSONResponse:
    tag = request.query_params.get("tag", "")
    return JSONResponse({"full": str(error), "tag": tag}, status_code=409)
