"""The same shop: each request has a view object of its own, which is Flask's default."""

from __future__ import annotations

from flask import Flask, request
from flask.views import View

app = Flask(__name__)


class Account(View):
    def dispatch_request(self) -> str:
        self.customer = request.args["customer"]
        return self.page()

    def page(self) -> str:
        return f"Account of {self.customer}"


app.add_url_rule("/account", view_func=Account.as_view("account"))
