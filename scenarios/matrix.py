"""One application with two everyday mistakes; how it is served decides what they do.

Two things are wrong: an app context is pushed at import and never popped, and the current user is
forgotten only after requests that went well.
"""

from __future__ import annotations

from ctxsim import pause
from ctxsim.runtime import App, Local, g, release_local, request

app = App(__name__)
app.app_context().push()

who = Local()


@app.before_request
def find_user() -> None:
    g.tag = request.args["tag"]
    if request.authorization is not None:
        who.name = request.authorization.username


@app.teardown_request
def forget_user(error: BaseException | None) -> None:
    if error is None:
        release_local(who)


@app.get("/hello")
def hello() -> str:
    pause(0.001)
    name = getattr(who, "name", "stranger")
    return f"Hello {name}, your request is {g.tag}."
