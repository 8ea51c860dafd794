"""A shop that writes the invoice in a thread of its own, from what is in the session.

Flask before 1.1 opens the session anew, from the cookie, in each copy of a request context: the
thread sees the session as it was when the request began, without what the view has put into it.
"""

from __future__ import annotations

import collections
import collections.abc
import threading

# Werkzeug and Jinja of that time look for these where Python before 3.10 had them.
for name in collections.abc.__all__:
    setattr(collections, name, getattr(collections.abc, name))

from flask import Flask, copy_current_request_context, request, session

app = Flask(__name__)
app.secret_key = "not a secret"


@app.route("/checkout", methods=["POST"])
def check_out():
    session["order"] = request.form["order"]
    invoices = []

    @copy_current_request_context
    def write_invoice():
        invoices.append(f"invoice for {session.get('order', 'nothing')}")

    writer = threading.Thread(target=write_invoice)
    writer.start()
    writer.join()
    return invoices[0]
