"""A small application with a login: each user sees a profile and keeps notes."""

from __future__ import annotations

from typing import Any

from ctxsim import pause
from ctxsim.runtime import App, Response, abort, g, request, session

app = App(__name__)
app.secret_key = "for trying things out"

QUERY_S = 3.0


@app.before_request
def find_user() -> None:
    g.user = session.get("user")


@app.after_request
def name_user(response: Response) -> Response:
    response.headers["X-User"] = g.user or "nobody"
    return response


def ask_database() -> None:
    """Wait as for a slow database: meanwhile thousands of other requests come and go."""
    pause(QUERY_S)


@app.post("/login")
def login() -> str:
    name = request.form["name"]
    ask_database()
    session["user"] = g.user = name
    return f"Welcome, {g.user}."


@app.get("/profile")
def profile() -> str:
    if g.user is None:
        abort(401)
    ask_database()
    return f"{session['user']}, your request is {request.args['tag']}."


@app.post("/notes")
def add_note() -> dict[str, Any]:
    g.note = request.json["note"]
    ask_database()
    return {"user": g.user, "note": g.note, "tag": request.args.get("tag")}
