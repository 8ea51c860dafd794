"""The same seed gives the same result on every Python that is here, where lines are selected."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import ctxsim

ROOT = Path(ctxsim.__file__).parents[1]
# Those of the Makefile.
FOLDERS = (".venv", ".venv-3.12", ".venv-3.13")
# Statements that compilers of several versions come to in several ways, beside the race.
SHOP = """
from flask import Flask, request

app = Flask(__name__)
names = ["a", "b", "c"]
current = {}

@app.get("/buy")
def buy():
    found = {
        name: [
            other
            for other in names
            if other != name
        ]
        for name in names
    }
    current["user"] = request.args.get(
        "user",
    )
    for name in names: current[name] = len(found[name])
    key = lambda each: each
    return "{} {}".format(
        current["user"],
        sorted(names, key=key),
    )
"""
SCENARIO = """
version: 1
target: {app: shop.py:app}
users: {count: 3}
steps: [{get: '/buy?user={canary}'}]
workers: ['threads:3', 'greenlets:3']
schedule: {kind: auto, budget: 300, granularity: line}
faults: none
seed: 7
"""


def others():
    for folder in FOLDERS:
        python = ROOT / folder / "bin" / "python"
        if python.exists() and Path(sys.prefix) != ROOT / folder:
            yield python


def result(python, folder):
    command = [python, "-m", "ctxsim", "run", "shop.yaml", "--no-cases", "-q", "--format", "json"]
    ended = subprocess.run(
        command,
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1, ended.stderr
    return without_times(json.loads(ended.stdout))


def without_times(told):
    if isinstance(told, list):
        return [without_times(each) for each in told]
    if not isinstance(told, dict):
        return told
    told = {key: value for key, value in told.items() if not key.endswith(("_s", "_ms"))}
    return {key: without_times(value) for key, value in told.items() if key != "python"}


def test_a_search_by_lines_gives_the_same_result_on_the_other_versions(tmp_path):
    pythons = list(others())
    if not pythons:
        pytest.skip("no other Python's environment: make test makes one in a VENV of its own")
    (tmp_path / "shop.py").write_text(SHOP, encoding="utf-8")
    (tmp_path / "shop.yaml").write_text(SCENARIO, encoding="utf-8")
    here = result(sys.executable, tmp_path)
    assert here["findings"]
    for each in pythons:
        assert result(each, tmp_path) == here
