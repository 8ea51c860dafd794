"""The same clinic: looks go to the log, and the process counts them by page."""

from __future__ import annotations

from collections import Counter

from flask import Flask, request

app = Flask(__name__)
looks: Counter[str] = Counter()


@app.get("/file")
def file() -> str:
    patient = request.args["patient"]
    looks[request.path] += 1
    app.logger.info("file of %s", patient)
    return f"File of {patient}"
