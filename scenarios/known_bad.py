"""What not to do: the current user in a variable of the module."""

from __future__ import annotations

from ctxsim import pause
from ctxsim.runtime import App, request

app = App(__name__)
current_user = "nobody"


@app.before_request
def find_user() -> None:
    global current_user  # noqa: PLW0603 - this is the mistake
    authorization = request.authorization
    current_user = authorization.username or "nobody" if authorization else "nobody"


@app.get("/orders")
def orders() -> str:
    pause(0.001)
    return f"Orders of {current_user}"
