"""A bank that streams statements. `request` is gone when the generator runs, so the customer's name
is put into a dict of the module.

The export that started last has its name there, and all the others that are still being sent take it.
"""

from __future__ import annotations

from collections.abc import Iterator

from flask import Flask, Response, request

from ctxsim import pause

app = Flask(__name__)
export: dict[str, str] = {}


@app.get("/statement.csv")
def statement() -> Response:
    export["customer"] = request.args["customer"]

    def lines() -> Iterator[str]:
        yield "date,customer\n"
        pause(0.001)
        yield f"2024-05-01,{export['customer']}\n"

    return Response(lines(), mimetype="text/csv")
