"""Notes for many tenants, with a stack of its own for the current one, pushed by a context manager.

It works as long as requests come one by one. The list belongs to no worker: where they overlap, its
top is the tenant who came last.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask, request

from ctxsim import pause

app = Flask(__name__)
tenants: list[str] = []


@contextmanager
def acting_for(tenant: str) -> Iterator[None]:
    tenants.append(tenant)
    try:
        yield
    finally:
        tenants.remove(tenant)


@app.get("/notes")
def notes() -> str:
    with acting_for(request.args["tenant"]):
        pause(0.001)
        return f"Notes of {tenants[-1]}"
