"""A registration that asks the database whether a name is taken.

webargs before 5.1.3 keeps the parsed JSON body on its parser, of which there is one for the whole
process. The look-up is made by a validator, in the midst of a parse: whoever is parsed meanwhile
reads the fields of the other's body.
"""

from __future__ import annotations

from flask import Flask
from webargs import fields
from webargs.flaskparser import use_args

from ctxsim import pause

app = Flask(__name__)


def must_be_free(name):
    # One query.
    pause(0.001)


@app.post("/members")
@use_args({"name": fields.Str(validate=must_be_free), "mail": fields.Str(required=True)})
def register(member):
    return f"welcome {member['name']}, we wrote to {member['mail']}"
