"""The same bank: the job is given the account."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from flask import Flask, request

app = Flask(__name__)
pool = ThreadPoolExecutor(2)


def audit(account: str) -> None:
    app.logger.debug("%s was looked at", account)


@app.get("/balance")
def balance() -> str:
    pool.submit(audit, request.args["account"])
    return f"account {request.args['account']}: 100"
