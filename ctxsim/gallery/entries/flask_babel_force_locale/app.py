"""A shop whose pages are in the customer's language, and whose order mails are in Dutch.

Flask-Babel before 1.0 keeps the function that chooses the locale on the extension, and
`force_locale` replaces it there for as long as its block lasts. While one request writes its mail,
every other request is Dutch, too. Since 1.0 the forced locale is kept with the request.
"""

from __future__ import annotations

import werkzeug
from flask import Flask, request
from werkzeug.datastructures import ImmutableDict

from ctxsim import pause

# Where Flask-Babel 0.12 looks for it: Werkzeug had it there before 1.0.
werkzeug.ImmutableDict = ImmutableDict

from flask_babel import Babel, force_locale, get_locale

app = Flask(__name__)
babel = Babel(app)


@babel.localeselector
def language_of_customer():
    return request.args["lang"]


@app.post("/orders/<number>")
def place_order(number):
    with force_locale("nl"):
        # The mail server takes its time.
        pause(0.002)
        mail = f"{get_locale()} mail for {number}"
    return mail


@app.get("/orders/<number>")
def show_order(number):
    pause(0.001)
    return f"{get_locale()} page for {number}"
