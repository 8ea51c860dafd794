"""A shop in Flask: login, cart, templates, signals, a streamed export and error pages."""

from __future__ import annotations

from flask import Flask

from shop import accounts, cart, pages, users


def create_app() -> Flask:
    """The shop as it should be: the current user is kept in `g`."""
    return _create(users.InRequest())


def create_app_with_global_user() -> Flask:
    """The same shop with one mistake: the current user is kept in a variable of a module."""
    return _create(users.InModule())


def _create(current: users.Current) -> Flask:
    app = Flask(__name__)
    app.secret_key = "for trying things out"
    app.extensions["current_user"] = current
    for part in (accounts, cart, pages):
        part.register(app)
    return app
