"""The cart: kept in the session, shown, filled and exported."""

from __future__ import annotations

from collections.abc import Iterator

from blinker import Namespace
from flask import (
    Flask,
    Response,
    abort,
    flash,
    g,
    redirect,
    render_template,
    request,
    session,
    stream_with_context,
    url_for,
)
from werkzeug.wrappers import Response as Redirection

from shop import database
from shop.accounts import require_user

item_added = Namespace().signal("item-added")


def register(app: Flask) -> None:
    app.add_url_rule("/cart", view_func=cart)
    app.add_url_rule("/cart", view_func=add, methods=["POST"])
    app.add_url_rule("/cart.csv", view_func=export)
    item_added.connect(say_what_was_added)


def cart() -> str:
    return render_template("cart.html", user=require_user(), items=session.get("cart", []))


def add() -> Redirection:
    user = require_user()
    item = request.form["item"]
    if database.price(item) is None:
        abort(404)
    session["cart"] = [*session.get("cart", [])[-4:], item]
    session["note"] = request.form.get("note", "")
    item_added.send(user, item=item)
    return redirect(url_for("cart"))


def say_what_was_added(user: str, item: str) -> None:
    flash(f"{user}, {item} is in your cart.")


@stream_with_context
def _lines() -> Iterator[str]:
    # The context is kept while the client reads, so g and the session are there for each part.
    yield f"user,{session['user']}\n"
    for item in session.get("cart", []):
        yield f"{g.tag},{item},{database.CATALOGUE[item]}\n"
    yield f"end,{g.tag}\n"


def export() -> Response:
    require_user()
    return Response(_lines(), mimetype="text/csv")
