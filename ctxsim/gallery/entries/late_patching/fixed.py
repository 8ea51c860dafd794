"""The same clinic: what belongs to a request is kept in `g`, however threads are counted."""

from __future__ import annotations

from flask import Flask, g, request

from ctxsim import pause

app = Flask(__name__)


@app.before_request
def open_file() -> None:
    g.patient = request.args["patient"]


@app.get("/file")
def file() -> str:
    pause(0.001)
    return f"File of {g.get('patient', 'nobody')}"
