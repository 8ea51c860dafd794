"""A form that stores what its sender wrote.

webargs before 5.1.3 keeps the parsed JSON body on its parser, of which there is one for the whole
process, from the first field that is read to the end of the parse. Two requests that are parsed at
the same time get the body of one of them.
"""

from __future__ import annotations

from flask import Flask
from webargs import fields
from webargs.flaskparser import use_args

app = Flask(__name__)


@app.post("/letters")
@use_args({"subject": fields.Str(required=True), "text": fields.Str(required=True)})
def send_letter(letter):
    return f"{letter['subject']}: {letter['text']}"
