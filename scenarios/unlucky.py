"""A shop that writes all its receipts with one object.

Each request fills it in and prints it. That goes well unless another request comes in between,
which hardly ever happens: nothing is waited for there.
"""

from __future__ import annotations

from ctxsim.runtime import App, request

app = App(__name__)


class Receipt:
    """What is printed at the end of a sale."""

    def __init__(self) -> None:
        self.customer = ""
        self.total = 0

    def text(self) -> str:
        """The receipt as it is printed."""
        return f"{self.customer} pays {self.total}"


receipt = Receipt()


@app.get("/receipt")
def show() -> str:
    receipt.customer = request.args["customer"]
    receipt.total = 3 * int(request.args["price"])
    return receipt.text()
