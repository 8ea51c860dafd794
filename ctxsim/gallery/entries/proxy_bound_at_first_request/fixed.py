"""The same bank: the journal keeps the proxy, which is looked up whenever it is used."""

from __future__ import annotations

from flask import Flask, request

app = Flask(__name__)


class Journal:
    def __init__(self, about: object) -> None:
        self.about = about

    def line(self) -> str:
        return f"{self.about.method} {self.about.args['account']}"


journal = Journal(request)


@app.get("/balance")
def balance() -> str:
    journal.line()
    return f"account {request.args['account']}: 100"
