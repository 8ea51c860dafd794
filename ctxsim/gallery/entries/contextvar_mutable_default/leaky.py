"""A shop that shows which pages its customer looked at last, kept in a context variable.

The variable's default is a list, made once. Nobody ever sets the variable, so all contexts append to
the one list.
"""

from __future__ import annotations

from contextvars import ContextVar

from flask import Flask, request

app = Flask(__name__)
trail: ContextVar[list[str]] = ContextVar("trail", default=[])


@app.get("/look")
def look() -> str:
    seen = trail.get()
    seen.append(request.args["item"])
    del seen[:-3]
    return f"Seen lately: {', '.join(seen)}"
