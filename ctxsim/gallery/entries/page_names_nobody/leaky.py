"""An account page whose template asks for `name`, while the view passes `customer`.

Jinja shows nothing for a name that it is not given. So the page is the same for everybody, and
whoever compares it with what one user should see compares nothing.
"""

from __future__ import annotations

from flask import Flask, render_template_string, request

PAGE = "<h1>Account of {{ name }}</h1>"

app = Flask(__name__)


@app.get("/account")
def account() -> str:
    customer = request.args["name"]
    return render_template_string(PAGE, customer=customer)
