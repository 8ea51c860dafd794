"""The same shop: `with` pops the mail application's context when the receipt is sent."""

from __future__ import annotations

from flask import Flask, current_app, request

mail = Flask("mail")
mail.config["SENDER"] = "shop@example.com"

app = Flask(__name__)


def send_receipt(customer: str) -> str:
    with mail.app_context():
        return f"{current_app.config['SENDER']} -> {customer}"


@app.post("/receipts")
def receipt() -> str:
    return send_receipt(request.form["customer"])
