"""Retention, CTX402: told with the path of each store, and silent where nothing is kept."""

from __future__ import annotations

import pytest
from driving import live, plan_of, step

from ctxsim.cell.plan import Load, Shared

SAY = "GET /say?tag={canary}"
WORDS = ("sync", "threads:4", "greenlets:20", "tasks:10", "tasks:10:to_thread")

APP = """
import collections, contextvars, functools, threading, types
from urllib.parse import parse_qs

class Entry:
    def __init__(self, user):
        self.user = user

class Slotted:
    __slots__ = ("tag",)
    def __init__(self, tag):
        self.tag = tag

class State:
    last = None

class Node:
    def __init__(self, value, next):
        self.value, self.next = value, next

CACHE, ENTRIES, STATE = {{}}, [], types.SimpleNamespace()
chain = None
last = None
history = contextvars.ContextVar("history")
local = threading.local()

@functools.lru_cache
def looked_up(tag):
    return [tag]

def remembering(seen={{}}, /):
    return seen

def make():
    kept = []
    def remember(tag):
        kept.append(tag)
    return remember
remember = make()
generators = []

def lasting(tag):
    yield tag

def app(environ, start_response):
    global last, chain
    tag = parse_qs(environ["QUERY_STRING"]).get("tag", ["none"])[0]
    {keep}
    start_response("200 OK", [])
    return [tag.encode()]
"""

KEEPS = {
    "a variable": ("last = tag", "app.last", 1),
    "an attribute": ("STATE.last = tag", "app.STATE.last", 1),
    "a dict's entry": ("CACHE['user'] = tag", "app.CACHE['user']", 1),
    "a dict by data": ("CACHE[tag] = 1", "app.CACHE[...]", 200),
    "a list of objects": ("ENTRIES.append(Entry(tag))", "app.ENTRIES[...]", 200),
    "objects with slots": ("ENTRIES.append(Slotted(tag))", "app.ENTRIES[...]", 200),
    "bytes": ("ENTRIES.append(tag.encode())", "app.ENTRIES[...]", 200),
    "the environ": ("last = environ", "app.last", 1),
    "a class's attribute": ("State.last = tag", "app.State.last", 1),
    "a cache of a function": ("looked_up(tag)", "app.looked_up(...)", 128),
    "a default argument": (
        "remembering()['last'] = tag",
        "default argument seen of app.remembering['last']",
        1,
    ),
    "a closure": ("remember(tag)", "closure variable kept of app.remember[...]", 200),
    "a chain": ("chain = Node(tag, chain)", "app.chain", 200),
    "generators": (
        "each = lasting(tag); next(each); generators.append(each)",
        "app.generators[...]",
        200,
    ),
}


def carried(application, keep, word="sync", **keys):
    target = application(APP.format(keep=keep))
    return live(plan_of(SAY, target=target, workers=word, **keys)).finished()


@pytest.mark.parametrize("kind", KEEPS)
def test_a_store_is_told_by_its_path_and_how_many_requests_it_keeps(application, kind):
    """Each kind of store is one finding, with the path from its module."""
    keep, place, count = KEEPS[kind]
    found = carried(application, keep)
    told = {(f.code, f.cause[2]): f.count for f in found.findings}
    assert told.pop(("CTX402", place)) == count, found.told()
    assert not told, found.told()


@pytest.mark.parametrize("word", WORDS)
def test_it_is_told_under_each_worker_model(application, word):
    """Who carried the requests makes no difference."""
    found = carried(application, "ENTRIES.append(Entry(tag))", word)
    assert found.codes == {"CTX402"}, found.told()
    assert found.tally.requests == 200


@pytest.mark.parametrize("word", WORDS)
def test_an_application_that_keeps_nothing_is_clean(application, word):
    """Neither ctxsim's own objects nor the interpreter's count."""
    found = carried(application, "pass", word)
    assert found.codes == set(), found.told()
