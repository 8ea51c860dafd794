"""The same notes: the `Local` is released at the end of each request."""

from __future__ import annotations

from ctxsim.runtime import App, Local, release_local, request

app = App(__name__)
who = Local()


@app.before_request
def find_author() -> None:
    who.author = request.args["author"]


@app.teardown_request
def forget_author(error: BaseException | None) -> None:
    release_local(who)


@app.get("/notes")
def notes() -> str:
    return f"Notes of {who.author}"
