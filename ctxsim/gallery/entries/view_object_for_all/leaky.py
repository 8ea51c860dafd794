"""A shop with a class-based view, of which Flask makes one object when told not to make many.

`self.customer` is written in one line and read in the next. Only a thread that comes just between
the two changes it.
"""

from __future__ import annotations

from flask import Flask, request
from flask.views import View

app = Flask(__name__)


class Account(View):
    init_every_request = False

    def dispatch_request(self) -> str:
        self.customer = request.args["customer"]
        return self.page()

    def page(self) -> str:
        return f"Account of {self.customer}"


app.add_url_rule("/account", view_func=Account.as_view("account"))
