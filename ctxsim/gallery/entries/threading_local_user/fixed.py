"""The same portal: the patient is set for each request, also to nobody, and forgotten at its end."""

from __future__ import annotations

import threading

from flask import Flask, request

app = Flask(__name__)
current = threading.local()


@app.before_request
def find_patient() -> None:
    current.patient = request.authorization.username if request.authorization else None


@app.teardown_request
def forget_patient(error: BaseException | None) -> None:
    current.patient = None


@app.get("/portal")
def portal() -> str:
    patient = current.patient
    return f"Results of {patient}, {request.args['tag']}" if patient else "Please log in"
