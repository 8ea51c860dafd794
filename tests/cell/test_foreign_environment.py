"""In another environment a cell brings nothing of ours but ctxsim itself, and what it is lent."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
from driving import live, plan_of

from ctxsim.cell.plan import Load

OURS = (
    "pydantic",
    "click",
    "werkzeug",
    "flask",
    "jinja2",
    "blinker",
    "rich",
    "locust",
)
TELLING = f"""
import importlib, json, os, sys

import ctxsim
from ctxsim import pause

def there(name):
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True

asked = {OURS!r} + ("gevent", "greenlet", "zope.event", "ctxsim", "ctxsim.cell", "ctxsim.errors")
os.write(1, json.dumps([[n for n in asked if there(n)], sys.prefix, sys.path]).encode())

def app(environ, start_response):
    pause()
    ctxsim.pause(0)
    ctxsim.switchpoint("here")
    start_response("200 OK", [])
    return [environ["QUERY_STRING"].encode()]
"""


@pytest.fixture(scope="module")
def bare(tmp_path_factory) -> str:
    """The interpreter of a virtual environment in which nothing is installed."""
    folder = tmp_path_factory.mktemp("bare")
    made = [sys.executable, "-m", "venv", "--without-pip", "--symlinks", str(folder)]
    subprocess.run(made, check=True, timeout=60)
    return str(folder / "bin" / "python")


def lent_from() -> str:
    spec = importlib.util.find_spec("gevent")
    assert spec is not None
    return str(Path(str(spec.origin)).parent.parent)


def told_by(application, python, word, **keys):
    plan = plan_of("GET /?{canary}", target=application(TELLING), workers=word, **keys)
    lived = live(plan, python=python).finished()
    there, prefix, path = json.loads(lived.stdout)
    assert lived.tally.compared == lived.tally.requests == 200
    assert lived.findings == []
    assert Path(prefix) == Path(python).parents[1]
    return set(there), path


@pytest.mark.parametrize("word", ["sync", "threads:4", "tasks:10"])
def test_a_cell_brings_ctxsim_and_nothing_that_stands_beside_it(application, bare, word):
    """None of our dependencies is importable; `ctxsim` and its `pause` are."""
    there, path = told_by(application, bare, word)
    assert there == {"ctxsim", "ctxsim.cell", "ctxsim.errors"}
    assert lent_from() not in path
    root = Path(str(importlib.util.find_spec("ctxsim").origin)).parents[1]
    assert str(root) not in path


@pytest.mark.parametrize("word", ["greenlets:20", "greenlets:20:late", "threads:2 x greenlets:10"])
def test_what_is_lent_is_there_and_nothing_else_of_the_lender(application, bare, word):
    """gevent and greenlet come from the lender's folder, and no other package of it."""
    lent = ("gevent", "greenlet", "zope")
    there, path = told_by(application, bare, word, lent=lent, lent_from=lent_from())
    ours = {"ctxsim", "ctxsim.cell", "ctxsim.errors"}
    assert there == ours | {"gevent", "greenlet", "zope.event"}
    assert lent_from() not in path


def test_the_runtime_says_what_it_misses(application, bare):
    """An application of the runtime in such an environment ends with advice, not with a fault."""
    target = application("app = None", kind="runtime")
    lived = live(plan_of("GET /", target=target, load=Load(1)), python=bare)
    assert lived.ending.kind == "import"
    assert lived.ending.message.startswith("the runtime needs '")
    assert bare in lived.ending.message
