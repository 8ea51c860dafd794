"""The same with an OAuth session for each request."""

from __future__ import annotations

from flask import Flask, request
from flask_dance.consumer import OAuth2ConsumerBlueprint
from flask_dance.consumer.requests import OAuth2Session

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
    provider = OAuth2Session(client_id="dashboard", blueprint=blueprint)
    return {"token": (provider.token or {}).get("access_token")}
