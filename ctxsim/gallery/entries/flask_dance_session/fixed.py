"""The same with an OAuth session for each request."""

from __future__ import annotations

import requests
from flask import Flask, request
from flask_dance.consumer import OAuth2ConsumerBlueprint
from flask_dance.consumer.requests import OAuth2Session
from requests.adapters import BaseAdapter

from ctxsim import pause


class AccountServer(BaseAdapter):
    """The provider, in this process: it tells whose token was shown."""

    def send(self, prepared, **options):
        pause(0.001)
        answer = requests.Response()
        answer.status_code, answer.request, answer.url = 200, prepared, prepared.url
        answer._content = prepared.headers.get("Authorization", "nobody").encode()
        return answer

    def close(self):
        """There is no connection."""


app = Flask(__name__)
app.secret_key = "not a secret"
blueprint = OAuth2ConsumerBlueprint(
    "provider",
    __name__,
    client_id="dashboard",
    client_secret="not a secret",
    base_url="https://provider.example/",
    token_url="https://provider.example/token",
    authorization_url="https://provider.example/authorize",
)
app.register_blueprint(blueprint)


@app.post("/login")
def log_in():
    blueprint.token = {"access_token": request.form["token"], "token_type": "Bearer"}
    return "logged in"


@app.get("/dashboard")
def dashboard():
    provider = OAuth2Session(
        client_id="dashboard", blueprint=blueprint, base_url=blueprint.base_url
    )
    provider.mount("https://", AccountServer())
    if not provider.authorized:
        return "please log in", 401
    first = provider.get("/account").text
    second = provider.get("/orders").text
    return f"account of {first}, orders of {second}"
