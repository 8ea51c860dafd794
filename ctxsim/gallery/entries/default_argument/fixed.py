"""The same clinic: the fields of a letter are made when it is written."""

from __future__ import annotations

from flask import Flask, request

app = Flask(__name__)


def letter(patient: str, remark: str | None, fields: dict[str, str] | None = None) -> str:
    fields = {**(fields or {}), "patient": patient}
    if remark is not None:
        fields["remark"] = remark
    return "; ".join(f"{name}: {value}" for name, value in fields.items())


@app.get("/letter")
def write() -> str:
    return letter(request.args["patient"], request.args.get("remark"))
