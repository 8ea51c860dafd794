"""The same notes: the stack is a tuple in a context variable, so each worker has its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from flask import Flask, request

from ctxsim import pause

app = Flask(__name__)
tenants: ContextVar[tuple[str, ...]] = ContextVar("tenants", default=())


@contextmanager
def acting_for(tenant: str) -> Iterator[None]:
    token = tenants.set((*tenants.get(), tenant))
    try:
        yield
    finally:
        tenants.reset(token)


@app.get("/notes")
def notes() -> str:
    with acting_for(request.args["tenant"]):
        pause(0.001)
        return f"Notes of {tenants.get()[-1]}"
