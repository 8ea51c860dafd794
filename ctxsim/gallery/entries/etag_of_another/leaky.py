"""A wiki whose views leave the version of the page for `after_request`, in a variable of the module.

Bodies are always right. The header is that of whichever view came last, and a client's next
conditional request is answered with "not modified" for another page.
"""

from __future__ import annotations

from flask import Flask, Response, request

from ctxsim import pause

app = Flask(__name__)
version = ""


@app.get("/page")
def page() -> str:
    global version
    version = f"v1-{request.args['page']}"
    pause(0.001)
    return f"This is {request.args['page']}"


@app.after_request
def tag(response: Response) -> Response:
    response.set_etag(version)
    return response
