"""A shop in German that sends some of its mails in Dutch or French.

Flask-Babel before 1.0 keeps the function that chooses the locale on the extension; `force_locale`
replaces it and afterwards puts back what it found. Two blocks that overlap and end in the order in
which they began put back one of the two forced locales, and it stays for good. Nothing waits inside
of the block: only a switch between two lines makes them overlap.
"""

from __future__ import annotations

import werkzeug
from flask import Flask
from werkzeug.datastructures import ImmutableDict

# Where Flask-Babel 0.12 looks for it: Werkzeug had it there before 1.0.
werkzeug.ImmutableDict = ImmutableDict

from flask_babel import Babel, force_locale, get_locale

app = Flask(__name__)
babel = Babel(app)


@babel.localeselector
def language_of_shop():
    return "de"


@app.post("/mails/<language>/<number>")
def send_mail(language, number):
    with force_locale(language):
        return f"mail {number} in {get_locale()}"


@app.get("/orders/<number>")
def show_order(number):
    return f"order {number} in {get_locale()}"
