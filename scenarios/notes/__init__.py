"""Notes in Starlette: login with a session cookie, notes in memory, an export, and an audit."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.routing import Route

from notes import accounts, pages, store
from notes.people import People


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    app.state.store = store.Store()
    yield
    app.state.store.close()


def create_app() -> Starlette:
    """The application, to be started by its lifespan."""
    return Starlette(
        routes=[
            Route("/", pages.index),
            Route("/login", accounts.log_in, methods=["POST"]),
            Route("/logout", accounts.log_out, methods=["POST"]),
            Route("/me", accounts.me),
            Route("/notes", pages.notes),
            Route("/notes", pages.add, methods=["POST"]),
            Route("/notes/{number:int}", pages.note),
            Route("/notes.txt", pages.export),
            Route("/echo", pages.echo, methods=["POST"]),
            Route("/slow", pages.slow),
        ],
        middleware=[
            Middleware(SessionMiddleware, secret_key="for trying things out"),
            Middleware(People),
        ],
        lifespan=lifespan,
    )
