"""Notes on the runtime, with the `ident` storage of old; the author stands in a `Local`.

Nothing releases the `Local`. With context variables the end of a thread would do it; a dict keyed by
numbers keeps the value for the next thread, or greenlet, of that number.
"""

from __future__ import annotations

from ctxsim.runtime import App, Local, request

app = App(__name__)
who = Local()


@app.before_request
def find_author() -> None:
    who.author = request.args["author"]


@app.get("/notes")
def notes() -> str:
    return f"Notes of {who.author}"
