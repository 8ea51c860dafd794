"""A shop that sends its confirmations from a thread, with a copy of the request's context.

By the time the mail is written the request has been answered: its teardown has closed the database,
and what the thread reads is a request that is over.
"""

from __future__ import annotations

import threading

from flask import Flask, copy_current_request_context, request

from ctxsim import pause

app = Flask(__name__)


@app.post("/orders")
def order() -> str:
    number = request.form["order"]

    @copy_current_request_context
    def confirm() -> None:
        pause(0.01)
        app.logger.debug("order %s is confirmed", request.form["order"])

    threading.Thread(target=confirm).start()
    return f"order {number} is placed"
