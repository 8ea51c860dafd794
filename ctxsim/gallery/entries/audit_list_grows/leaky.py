"""A clinic that notes each look at a file in a list, for an audit that reads it some day.

The list only grows, and the names of all patients stay in the memory of the process.
"""

from __future__ import annotations

from flask import Flask, request

app = Flask(__name__)
looks: list[dict[str, str]] = []


@app.get("/file")
def file() -> str:
    patient = request.args["patient"]
    looks.append({"path": request.path, "patient": patient})
    return f"File of {patient}"
