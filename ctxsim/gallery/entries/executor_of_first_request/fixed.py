"""The same notes: each job is given the tenant that it works for."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from flask import Flask, request

app = Flask(__name__)
pool = ThreadPoolExecutor(2)


def search(tenant: str) -> str:
    return f"Notes of {tenant}"


@app.get("/search")
def found() -> str:
    return pool.submit(search, request.args["tenant"]).result()
