"""What each worker word is in truth, as an application inside it can tell."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest
from driving import live, plan_of

from ctxsim.cell.plan import Load, Users

TELLING = """
import _thread, asyncio, contextvars, json, os, sys, threading, time

import ctxsim

imported = contextvars.ContextVar("imported", default=False)
imported.set(True)
known = contextvars.ContextVar("known", default=False)
def is_patched(thing):
    return "gevent" in thing.__module__

at_import = is_patched(threading.local)
native = _thread._local
if is_patched(native):
    native = sys.modules["gevent.monkey"].get_original("_thread", "_local")
of_thread = native()
of_thread.main = True

def tell(**facts):
    os.write(1, json.dumps(facts).encode() + b"\\n")

def in_task():
    try:
        return asyncio.current_task() is not None
    except RuntimeError:
        return False

def greenlet_is_known():
    if "greenlet" not in sys.modules:
        return None
    held = sys.modules["greenlet"].getcurrent().__dict__
    found = "known" in held
    held["known"] = True
    return found

def app(environ, start_response):
    tell(
        thread=id(of_thread.__dict__),
        main=hasattr(of_thread, "main"),
        thread_known=hasattr(of_thread, "known"),
        greenlet_known=greenlet_is_known(),
        context_known=known.get(),
        inherits=imported.get(),
        local_patched_at_import=at_import,
        local_patched=is_patched(threading.local),
        sleep_patched=is_patched(time.sleep),
        task=in_task(),
    )
    known.set(True)
    of_thread.known = True
    ctxsim.pause()
    start_response("200 OK", [])
    return [environ["QUERY_STRING"].encode()]
"""


@dataclass(frozen=True)
class Truth:
    """`threads`: how many carry requests; `new_*`: each request has one of its own.

    `greenlets`: "new" for each request, "pool" where they are reused, "" where none are loaded.
    """

    threads: range = range(1, 2)
    main: bool = False
    new_thread: bool = False
    greenlets: str = ""
    new_context: bool = True
    inherits: bool = False
    local_at_import: bool = False
    local: bool = False
    sleep: bool = False
    task: bool = False


REQUESTS = 500
POOL_OF_4, POOL_OF_10 = range(2, 5), range(2, 11)
TRUTHS = {
    "sync": Truth(main=True, new_context=False, inherits=True),
    "threads:4": Truth(POOL_OF_4, new_context=False),
    "threads:4:fresh": Truth(range(2, REQUESTS + 1), new_thread=True),
    "threads:4:copied": Truth(POOL_OF_4, inherits=True),
    "greenlets:20": Truth(main=True, greenlets="new", local_at_import=True, local=True, sleep=True),
    "greenlets:20:unpatched": Truth(main=True, greenlets="new"),
    "greenlets:20:late": Truth(main=True, greenlets="new", local=True, sleep=True),
    "greenlets:20:partial": Truth(main=True, greenlets="new", sleep=True),
    "greenlets:20:copied": Truth(
        main=True, greenlets="new", inherits=True, local_at_import=True, local=True, sleep=True
    ),
    "threads:2 x greenlets:10": Truth(range(2, 3), greenlets="pool", new_context=False, sleep=True),
    "tasks:10": Truth(main=True, inherits=True, task=True),
    "tasks:10:to_thread": Truth(POOL_OF_10, inherits=True),
    "tasks:10:executor": Truth(POOL_OF_10, new_context=False),
}


@pytest.mark.parametrize("word", TRUTHS)
def test_a_worker_word_is_what_it_says(application, word):
    """Threads, greenlets, tasks, contexts and patches are those of the word's server."""
    plan = plan_of(
        "GET /?{canary}",
        target=application(TELLING),
        workers=word,
        users=Users(count=40, visitor=False),
        # Enough for a worker that begins late, on a busy machine, to find some left.
        load=Load(requests=REQUESTS),
    )
    lived = live(plan).finished()
    told = [json.loads(line) for line in lived.stdout.splitlines()]
    assert len(told) == REQUESTS
    truth = TRUTHS[word]

    def every(name):
        [only] = {each[name] for each in told}
        return only

    def ever(name):
        return any(each[name] for each in told)

    assert len({each["thread"] for each in told}) in truth.threads
    assert every("main") == truth.main
    assert ever("thread_known") != truth.new_thread
    known = {each["greenlet_known"] for each in told}
    assert known == {"new": {False}, "pool": {False, True}, "": {None}}[truth.greenlets]
    assert ever("context_known") != truth.new_context
    assert every("inherits") == truth.inherits
    assert every("local_patched_at_import") == truth.local_at_import
    assert every("local_patched") == truth.local
    assert every("sleep_patched") == truth.sleep
    assert every("task") == truth.task
