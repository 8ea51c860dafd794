"""The same notes: each job runs in a copy of the request's context, which ends with it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar, copy_context

from flask import Flask, request

app = Flask(__name__)
pool = ThreadPoolExecutor(2)
tenant: ContextVar[str] = ContextVar("tenant", default="public")


def search(name: str | None, words: str) -> str:
    if name is not None:
        tenant.set(name)
    return f"notes of {tenant.get()} about {words}"


@app.get("/search")
def found() -> str:
    job = copy_context().run
    return pool.submit(job, search, request.args.get("tenant"), request.args["words"]).result()
