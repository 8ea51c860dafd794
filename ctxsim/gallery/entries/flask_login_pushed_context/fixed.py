"""The same with an app context that ends with the block that needs it."""

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


with app.app_context():
    check_settings()
