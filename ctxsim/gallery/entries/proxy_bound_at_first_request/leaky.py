"""A bank with a journal that knows the request that it writes about.

The journal is made with the first request, from `request._get_current_object()`: it describes that
request for ever.
"""

from __future__ import annotations

from flask import Flask, request

app = Flask(__name__)
journal = None


class Journal:
    def __init__(self, about: object) -> None:
        self.about = about

    def line(self) -> str:
        return f"{self.about.method} {self.about.args['account']}"


@app.get("/balance")
def balance() -> str:
    global journal
    if journal is None:
        journal = Journal(request._get_current_object())
    journal.line()
    return f"account {request.args['account']}: 100"
