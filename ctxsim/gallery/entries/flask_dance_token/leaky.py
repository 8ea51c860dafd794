"""A service that hands its users' pages the OAuth token that they need, without asking anybody.

Flask-Dance keeps the OAuth session, and with it the token that it has loaded, on the blueprint, of
which there is one for the whole process. From where a request takes that session until it reads the
token, nothing waits: another request has to begin in just these lines, on another thread.
"""

from __future__ import annotations

from flask import Flask, request
from flask_dance.consumer import OAuth2ConsumerBlueprint

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


@app.get("/token")
def token():
    provider = blueprint.session
    return {"token": (provider.token or {}).get("access_token")}
