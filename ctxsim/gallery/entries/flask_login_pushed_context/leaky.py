"""A members' area with Flask-Login.

Somebody needed an app context at start-up and pushed one, and it is never popped. Requests that run
in that thread, or in a copy of its context, use that one app context, and with it the one `g` in
which Flask-Login keeps the current user: the first user stays logged in for everybody.
"""

from __future__ import annotations

from flask import Flask, current_app
from flask_login import LoginManager, UserMixin, current_user

from ctxsim import pause

app = Flask(__name__)
app.secret_key = "not a secret"
login = LoginManager(app)


class Member(UserMixin):
    def __init__(self, name):
        self.id = name


@login.request_loader
def find_member(request):
    given = request.authorization
    return Member(given.username) if given else None


@app.get("/home")
def home():
    pause(0.001)
    if not current_user.is_authenticated:
        return "please log in", 401
    return f"hello {current_user.id}"


def check_settings():
    assert current_app.secret_key


app.app_context().push()
check_settings()
