"""The same with a list of what the request itself has sent."""

from __future__ import annotations

from flask import Flask, request
from flask_mail import Mail, Message

from ctxsim import pause

app = Flask(__name__)
app.config.update(MAIL_SUPPRESS_SEND=True, MAIL_DEFAULT_SENDER="shop@example.org", TESTING=True)
mail = Mail(app)


@app.post("/orders")
def place_order():
    order = request.form["order"]
    message = Message(f"your order {order}", recipients=["customer@example.org"], body="thanks")
    # The invoice is made, and the mail server is slow.
    pause(0.001)
    mail.send(message)
    pause(0.001)
    sent = [message]
    return "we wrote: " + "; ".join(each.subject for each in sent)
