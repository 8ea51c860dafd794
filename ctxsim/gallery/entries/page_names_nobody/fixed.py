"""An account page whose view passes what its template asks for."""

from __future__ import annotations

from flask import Flask, render_template_string, request

PAGE = "<h1>Account of {{ customer }}</h1>"

app = Flask(__name__)


@app.get("/account")
def account() -> str:
    customer = request.args["name"]
    return render_template_string(PAGE, customer=customer)
