"""The same clinic: the receiver is connected for as long as the page is rendered."""

from __future__ import annotations

from typing import Any

from flask import Flask, g, render_template_string, request, template_rendered

app = Flask(__name__)


@template_rendered.connect_via(app)
def note(sender: Flask, **details: Any) -> None:
    g.rendered = details["template"].name


@app.get("/file")
def file() -> str:
    return render_template_string("File of {{ patient }}", patient=request.args["patient"])
