"""A shop that sends a receipt with the settings of its mail application.

The mail application's context is pushed for that, and nothing pops it. At the end of the request
Flask pops the innermost context, and that is not the one of the request.
"""

from __future__ import annotations

from flask import Flask, current_app, request

mail = Flask("mail")
mail.config["SENDER"] = "shop@example.com"

app = Flask(__name__)


def send_receipt(customer: str) -> str:
    mail.app_context().push()
    return f"{current_app.config['SENDER']} -> {customer}"


@app.post("/receipts")
def receipt() -> str:
    return send_receipt(request.form["customer"])
