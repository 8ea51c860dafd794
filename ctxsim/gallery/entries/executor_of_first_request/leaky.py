"""Notes whose search runs in a pool that is made when it is needed first.

The pool's `initializer` gives each thread the tenant. It is called once for a thread, with the
tenant of the request that made the pool.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from flask import Flask, request

app = Flask(__name__)
worker = threading.local()
pool = None


def begin(tenant: str) -> None:
    worker.tenant = tenant


def search() -> str:
    return f"Notes of {worker.tenant}"


@app.get("/search")
def found() -> str:
    global pool
    if pool is None:
        pool = ThreadPoolExecutor(2, initializer=begin, initargs=(request.args["tenant"],))
    return pool.submit(search).result()
