"""A clinic that writes letters from a template and a dict of fields.

`fields={}` is evaluated once. A remark that one letter brings stays in the dict for all that follow.
"""

from __future__ import annotations

from flask import Flask, request

app = Flask(__name__)


def letter(patient: str, remark: str | None, fields: dict[str, str] = {}) -> str:
    fields["patient"] = patient
    if remark is not None:
        fields["remark"] = remark
    return "; ".join(f"{name}: {value}" for name, value in fields.items())


@app.get("/letter")
def write() -> str:
    return letter(request.args["patient"], request.args.get("remark"))
