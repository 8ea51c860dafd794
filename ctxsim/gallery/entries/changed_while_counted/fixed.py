"""The same clinic: it goes through a copy, which is made in one step."""

from __future__ import annotations

from flask import Flask, request

from ctxsim import pause

app = Flask(__name__)
waiting: dict[str, int] = {"first aid": 1, "x-ray": 1}


@app.post("/visits")
def visit() -> str:
    patient = request.form["patient"]
    waiting[patient] = 1
    try:
        pause(0.001)
    finally:
        del waiting[patient]
    return f"{patient} was seen"


@app.get("/queue")
def queue() -> str:
    total = 0
    for number in list(waiting.values()):
        total += number
        pause()
    return f"{request.args['tag']}: somebody is waiting"
