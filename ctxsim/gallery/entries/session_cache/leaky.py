"""A shop that saves itself the decoding of session cookies: it keeps what it has opened.

The key is the cookie. New clients have none, which is a key too: they write to one session, and
each gets the cookie with what all of them wrote.
"""

from __future__ import annotations

from flask import Flask, Request, request, session
from flask.sessions import SecureCookieSessionInterface, SessionMixin

opened: dict[str, SessionMixin] = {}


class KeptSessions(SecureCookieSessionInterface):
    def open_session(self, app: Flask, request: Request) -> SessionMixin | None:
        cookie = request.cookies.get("session", "")
        if cookie not in opened:
            if len(opened) > 100:
                opened.clear()
            opened[cookie] = super().open_session(app, request)
        return opened[cookie]


app = Flask(__name__)
app.secret_key = "for trying things out"
app.session_interface = KeptSessions()


@app.get("/basket")
def basket() -> str:
    session["item"] = request.args["item"]
    return f"In your basket: {session['item']}"
