"""The same bank: the generator closes over the name, which was read while the context was there."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Flask, Response, request

from ctxsim import pause

app = Flask(__name__)


@app.get("/statement.csv")
def statement() -> Response:
    customer = request.args["customer"]

    def lines() -> Iterator[str]:
        yield "date,customer\n"
        pause(0.001)
        yield f"2024-05-01,{customer}\n"

    return Response(lines(), mimetype="text/csv")
