"""The same shop: a context variable is each greenlet's own, patched or not."""

from __future__ import annotations

from contextvars import ContextVar

from flask import Flask, request

from ctxsim import pause

app = Flask(__name__)
customer: ContextVar[str | None] = ContextVar("customer", default=None)


@app.before_request
def find_customer() -> None:
    customer.set(request.args["customer"])


@app.teardown_request
def forget_customer(error: BaseException | None) -> None:
    customer.set(None)


@app.get("/basket")
def basket() -> str:
    pause(0.001)
    return f"Basket of {customer.get()}"
