"""A clinic that keeps what belongs to a request in a dict, keyed by the number of its thread.

`from threading import get_ident` takes the function as it is at that moment. Where gevent patches
later, it goes on giving the thread's number to all greenlets.
"""

from __future__ import annotations

from threading import get_ident

from flask import Flask, request

from ctxsim import pause

app = Flask(__name__)
patients: dict[int, str] = {}


@app.before_request
def open_file() -> None:
    patients[get_ident()] = request.args["patient"]


@app.teardown_request
def close_file(error: BaseException | None) -> None:
    patients.pop(get_ident(), None)


@app.get("/file")
def file() -> str:
    pause(0.001)
    return f"File of {patients.get(get_ident(), 'nobody')}"
