"""Notes whose search runs in a thread pool; the tenant travels in a context variable.

Jobs run in the context of the pool's thread, which is never emptied. A job without a tenant finds
the tenant of the job before.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar

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
    return pool.submit(search, request.args.get("tenant"), request.args["words"]).result()
