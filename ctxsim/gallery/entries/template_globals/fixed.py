"""The same wiki: a context processor gives each rendering the reader of its own request."""

from __future__ import annotations

from flask import Flask, render_template_string, request

from ctxsim import pause

app = Flask(__name__)


@app.context_processor
def greet() -> dict[str, str]:
    return {"reader": request.args["reader"]}


@app.get("/page")
def page() -> str:
    pause(0.001)
    return render_template_string("<p>You read this as {{ reader }}.</p>")
