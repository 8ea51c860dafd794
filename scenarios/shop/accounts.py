"""Login with a session cookie, and the current user of each request."""

from __future__ import annotations

from flask import Flask, Response, abort, g, redirect, request, session, url_for
from werkzeug.wrappers import Response as Redirection

from shop import database, users


def register(app: Flask) -> None:
    app.before_request(find_user)
    app.after_request(tag_response)
    app.teardown_request(forget_user)
    app.add_url_rule("/login", view_func=login, methods=["POST"])


def find_user() -> None:
    g.tag = request.args.get("tag", "")
    users.remember(session.get("user"))
    database.wait()


def tag_response(response: Response) -> Response:
    response.headers["X-Request-Tag"] = g.tag
    return response


def forget_user(_error: BaseException | None) -> None:
    g.pop("user", None)


def login() -> Redirection:
    session.clear()
    session["user"] = request.form["name"]
    return redirect(url_for("cart"))


def require_user() -> str:
    """The current user's name; a visitor is turned away with 401."""
    name = users.current_user()
    if name is None:
        abort(401)
    return name
