"""ctxsim in one virtual environment, the application in another; neither sees the other's."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path

import pytest

OLD_FLASK = ("flask==2.2.5", "werkzeug==2.2.3")

APP = """
import sys

import flask
import werkzeug
from flask import Flask, g, redirect, request, session

try:
    import pydantic
except ImportError:
    pydantic = None

app = Flask(__name__)
app.secret_key = "not a secret"
current = {}


@app.post("/login")
def login():
    session["name"] = request.form["name"]
    return redirect("/me")


@app.get("/me")
def me():
    import time

    g.name = session.get("name", "nobody")
    time.sleep(0.001)
    seen = "pydantic" if pydantic else "no pydantic"
    return f"{g.name} {request.args['tag']} on {werkzeug.__version__}, {seen}"


@app.get("/global")
def leak():
    import time

    current["name"] = session.get("name", "nobody")
    time.sleep(0.002)
    return f"{current['name']} {request.args['tag']}"
"""

SCENARIO = """
version: 1
name: an old Flask
target: {{app: "old_shop:app", python: {python}}}
users: {{count: 10, vars: {{name: "user{{n}}"}}}}
steps:
  - post: /login
    form: {{name: "{{user.name}}"}}
    expect: {{status: 302}}
  - get: {route}?tag={{canary}}
    expect: {{contains: [{expected}]}}
    mine: "{{user.name}}"
workers: [sync, "threads:4", "tasks:4:to_thread", "greenlets:10"]
load: {{requests: 120}}
seed: 5
"""


@pytest.fixture(scope="module")
def old_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that holds Flask 2.2 with its Werkzeug, and nothing of ctxsim's."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True, symlinks=True)
    python = folder / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", *OLD_FLASK], check=True, timeout=110)
    return python


def run(folder: Path, python: Path, *, route: str, expected: str) -> tuple[int, dict]:
    (folder / "old_shop.py").write_text(APP)
    text = SCENARIO.format(python=python, route=route, expected=expected)
    (folder / "old.yaml").write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "ctxsim", "run", "old.yaml", "--format", "json", "-q"],
        cwd=folder,
        capture_output=True,
        timeout=100,
        check=False,
    )
    return done.returncode, json.loads(done.stdout)


def test_an_application_on_flask_2_2_is_clean_in_its_own_environment(tmp_path, old_python):
    expected = '"{user.name} {canary} on 2.2.3, no pydantic"'
    code, result = run(tmp_path, old_python, route="/me", expected=expected)
    assert (code, result["verdict"]) == (0, "clean"), result["findings"]
    versions = result["environment"]["target"]["versions"]
    assert (versions["flask"], versions["werkzeug"]) == ("2.2.5", "2.2.3")


def test_a_leak_in_that_application_is_found_from_here(tmp_path, old_python):
    code, result = run(tmp_path, old_python, route="/global", expected='"{user.name}"')
    assert (code, result["verdict"]) == (1, "findings")
    # With greenlets of a lent gevent as well: that environment has none.
    leaking = {cell["workers"] for cell in result["cells"] if "CTX201" in cell["codes"]}
    assert leaking == {"threads:4", "tasks:4:to_thread", "greenlets:10"}
