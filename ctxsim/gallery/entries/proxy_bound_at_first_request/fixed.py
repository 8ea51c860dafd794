"""The same bank: the journal keeps the proxy, which is looked up whenever it is used."""

from __future__ import annotations

from flask import Flask, request

app = Flask(__name__)
about = request


def journal_line() -> str:
    return f"{about.method} {about.args['account']}"


@app.get("/balance")
def balance() -> str:
    app.logger.debug(journal_line())
    return f"account {request.args['account']}: 100"
