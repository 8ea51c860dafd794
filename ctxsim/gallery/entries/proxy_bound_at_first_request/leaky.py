"""A bank with a journal that says which request it writes about.

What it writes about is set with the first request, to `request._get_current_object()`: the journal
describes that request for ever.
"""

from __future__ import annotations

from flask import Flask, request

app = Flask(__name__)
about = None


def journal_line() -> str:
    global about
    if about is None:
        about = request._get_current_object()
    return f"{about.method} {about.args['account']}"


@app.get("/balance")
def balance() -> str:
    app.logger.debug(journal_line())
    return f"account {request.args['account']}: 100"
