"""A guest book that greets by name, also in a header for the page's script.

Bottle's `request` and `response` are thread-locals. Where greenlets run in a thread that is not
patched, all of them have the same two objects: while one waits, another takes them over.
"""

from __future__ import annotations

from bottle import Bottle, request, response

from ctxsim import pause

app = Bottle()


@app.get("/hello")
def hello():
    response.set_header("X-Guest", request.query.name)
    # The guest book is in a database.
    pause(0.001)
    return f"hello {request.query.name}"
