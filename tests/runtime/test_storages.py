"""What each storage isolates, and what it does not."""

from __future__ import annotations

import contextvars
import subprocess
import sys
import threading
from functools import partial
from typing import Any

import pytest
from carriers import CARRIERS
from greenlet import greenlet

from ctxsim.runtime import App, Local, LocalStack, Request, g, request, storages, use_storage

ISOLATED = {
    ("contextvar", "threads"): True,
    ("contextvar", "greenlets"): True,
    ("contextvar", "tasks"): True,
    ("contextvar", "copies"): True,
    ("greenlet", "threads"): True,
    ("greenlet", "greenlets"): True,
    ("greenlet", "tasks"): False,
    ("greenlet", "copies"): False,
    ("thread", "threads"): True,
    ("thread", "greenlets"): False,
    ("thread", "tasks"): False,
    ("thread", "copies"): False,
    ("ident", "threads"): True,
    ("ident", "greenlets"): True,
    ("ident", "tasks"): False,
    ("ident", "copies"): False,
    ("shared", "threads"): False,
    ("shared", "greenlets"): False,
    ("shared", "tasks"): False,
    ("shared", "copies"): False,
}


def local_works(local: Local, names: list[str]) -> list[Any]:
    return [(partial(setattr, local, "name", name), lambda: local.name) for name in names]


@pytest.mark.parametrize("workers", CARRIERS)
@pytest.mark.parametrize("storage", storages)
def test_a_local_is_isolated_as_its_storage_says(storage: str, workers: str) -> None:
    """Three workers write, then read: each its own value, or all the last one that was written."""
    local = Local(storage)
    names = ["ann", "bob", "eve"]
    seen = CARRIERS[workers](local_works(local, names))
    assert (seen == names) is ISOLATED[storage, workers]
    if not ISOLATED[storage, workers]:
        assert len(set(seen)) == 1
    local.__release_local__()


@pytest.mark.parametrize("workers", CARRIERS)
@pytest.mark.parametrize("storage", storages)
def test_contexts_are_isolated_as_the_storage_says(storage: str, workers: str) -> None:
    """The same holds for `request` and `g`, which the selected storage keeps."""
    use_storage(storage)
    app, ended = App("shop"), []

    def work(path: str) -> Any:
        context = app.request_context(Request("GET", path).environ)

        def write() -> None:
            context.push()
            g.path = path

        def read() -> str:
            ended.append(context)
            return f"{request.path} {g.path}"

        return write, read

    seen = CARRIERS[workers]([work(path) for path in ("/a", "/b", "/c")])
    assert (seen == ["/a /a", "/b /b", "/c /c"]) is ISOLATED[storage, workers]
    use_fresh(storage)


def use_fresh(storage: str) -> None:
    """Drop what is pushed on this worker, as no application could."""
    from ctxsim.runtime.stacks import STACKS  # noqa: PLC0415 - what only this clean-up may touch

    STACKS.app_set(None)
    STACKS.request_set(None)
    use_storage("contextvar")


@pytest.mark.parametrize("storage", storages)
def test_a_new_thread_has_nothing_but_what_is_shared(storage: str) -> None:
    """A thread starts empty, unless one value serves all."""
    local, seen = Local(storage), []
    local.name = "main"
    thread = threading.Thread(target=lambda: seen.append(dict(local)))
    thread.start()
    thread.join(10)
    assert seen == [{"name": "main"} if storage == "shared" else {}]
    local.__release_local__()


@pytest.mark.parametrize("storage", storages)
def test_a_thread_that_runs_a_copied_context_inherits_from_context_variables_alone(
    storage: str,
) -> None:
    """A copied context brings its parent's values to another thread; the other storages do not."""
    local, seen = Local(storage), []
    local.name = "main"
    context = contextvars.copy_context()
    thread = threading.Thread(target=lambda: context.run(lambda: seen.append(dict(local))))
    thread.start()
    thread.join(10)
    inherits = storage in {"contextvar", "shared"}
    assert seen == [{"name": "main"} if inherits else {}]
    local.__release_local__()


def die_after(step: Any, workers: str) -> int:
    """Run `step` in a worker of its own that ends; give the worker's number."""
    numbers: list[int] = []
    if workers == "threads":
        body = threading.Thread(target=lambda: (numbers.append(threading.get_ident()), step()))
        body.start()
        body.join(10)
        return numbers[0]
    worker = greenlet(step)
    numbers.append(id(worker))
    worker.switch()
    return numbers[0]


@pytest.mark.parametrize("workers", ["threads", "greenlets"])
@pytest.mark.parametrize("storage", storages)
def test_a_recycled_number_inherits_under_ident_alone(storage: str, workers: str) -> None:
    """A worker with a dead one's number sees what that one left, if values are keyed by number."""
    local = Local(storage)
    seen: list[Any] = []
    for _ in range(200):
        dead = die_after(partial(setattr, local, "name", "dead"), workers)
        after = die_after(lambda: seen.append(dict(local)), workers)
        if after == dead:
            break
        seen.clear()
    else:
        pytest.skip("the interpreter never used a number again in 200 attempts")
    inherits = storage in {"ident", "shared"} or (storage, workers) == ("thread", "greenlets")
    assert seen == [{"name": "dead"} if inherits else {}]
    local.__release_local__()


@pytest.mark.parametrize("workers", ["threads", "greenlets"])
def test_released_values_are_not_inherited(workers: str) -> None:
    """Under ident, a worker that releases before it ends leaves nothing to the next."""
    local = Local("ident")

    def release() -> None:
        local.name = "dead"
        local.__release_local__()

    seen: list[Any] = []
    for _ in range(50):
        die_after(release, workers)
        die_after(lambda: seen.append(dict(local)), workers)
    assert seen == [{}] * 50


@pytest.mark.parametrize("storage", storages)
def test_a_copied_context_shares_no_mutable_state(storage: str) -> None:
    """What is pushed inside a copy is not on the parent's stack, if contexts separate at all."""
    stack: LocalStack[str] = LocalStack(storage)
    stack.push("outer")
    contextvars.copy_context().run(stack.push, "inner")
    assert list(stack) == (["outer"] if storage == "contextvar" else ["outer", "inner"])
    stack.__release_local__()


PATCHED = """
import sys
if sys.argv[1] == "patched":
    from gevent import monkey; monkey.patch_all()
import gevent
from ctxsim.runtime import Local
if sys.argv[1] == "late":
    from gevent import monkey; monkey.patch_all()
local, seen = Local("thread"), []
def work(name):
    local.name = name
    gevent.sleep(0)
    seen.append(local.name == name)
gevent.joinall([gevent.spawn(work, name) for name in "abc"])
print(all(seen))
"""


@pytest.mark.parametrize(
    ("patching", "isolated"), [("patched", True), ("late", True), ("none", False)]
)
def test_thread_locals_are_gevents_once_it_has_patched(patching: str, isolated: bool) -> None:
    """What `threading.local` is when the slot is made decides, as it does in production."""
    command = [sys.executable, "-W", "ignore", "-c", PATCHED, patching]
    done = subprocess.run(command, check=True, timeout=60, capture_output=True, text=True)
    assert done.stdout.strip() == str(isolated)
