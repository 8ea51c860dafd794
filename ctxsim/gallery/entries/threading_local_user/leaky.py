"""A clinic's portal with its current patient in a `threading.local`.

A request that brings credentials sets the patient; one that brings none leaves what is there. Worker
threads are reused, so a visitor gets the patient whom the thread served before.
"""

from __future__ import annotations

import threading

from flask import Flask, request

app = Flask(__name__)
current = threading.local()


@app.before_request
def find_patient() -> None:
    if request.authorization:
        current.patient = request.authorization.username


@app.get("/portal")
def portal() -> str:
    patient = getattr(current, "patient", None)
    return f"Results of {patient}, {request.args['tag']}" if patient else "Please log in"
