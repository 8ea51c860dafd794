"""The same, with what the request says taken before the first wait, and a response of its own."""

from __future__ import annotations

from bottle import Bottle, HTTPResponse, request

from ctxsim import pause

# Errors are left to the server: the page that Bottle makes of one shows whose turn it is by then.
app = Bottle(catchall=False)


@app.get("/hello")
def hello():
    name = request.query.name
    # The guest book is in a database.
    pause(0.001)
    answer = HTTPResponse(f"hello {name}")
    answer.set_header("X-Guest", name)
    return answer
