"""A Flask application, written as one would be: `/global` leaks between users, `/g` does not."""

from __future__ import annotations

from flask import Flask, g, request

app = Flask(__name__)
current_user = None


@app.before_request
def authenticate():
    global current_user  # noqa: PLW0603 - this is the leak
    current_user = request.args["user"]
    g.user = request.args["user"]


@app.get("/global")
def greet_by_global():
    greeting = "hello "
    return greeting + current_user


@app.get("/g")
def greet_by_g():
    greeting = "hello "
    return greeting + g.user
