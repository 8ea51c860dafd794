"""Pushing, nesting and popping app contexts and request contexts, on every storage."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from greenlet import greenlet

from ctxsim import switchpoint
from ctxsim.errors import ContextOrderError, OutsideContextError
from ctxsim.runtime import (
    App,
    after_this_request,
    copy_current_request_context,
    current_app,
    g,
    has_app_context,
    has_request_context,
    request,
    session,
    stream_with_context,
)
from ctxsim.runtime.stacks import STACKS


@pytest.fixture
def heard() -> Iterator[list[tuple[str, object]]]:
    """What the runtime tells a driving cell."""
    told: list[tuple[str, object]] = []
    switchpoint.drive(listening=lambda name, subject: told.append((name, subject)))
    yield told
    switchpoint.drive()


pytestmark = pytest.mark.usefixtures("storage")


def test_an_app_context_by_hand(app: App) -> None:
    """current_app and g are there inside, and not after."""
    with app.app_context() as context:
        g.name = "ann"
        assert (current_app.name, context.g.name, has_app_context()) == ("shop", "ann", True)
        assert (has_request_context(), "name" in g, list(g), g.get("x", 1)) == (
            False, True, ["name"], 1,
        )  # fmt: skip
        assert (g.pop("name"), g.pop("name", None), g.setdefault("n", 2)) == ("ann", None, 2)
        with pytest.raises(KeyError):
            g.pop("name")
        assert repr(g) == "<g of 'shop'>"
    assert not has_app_context()


def test_nested_apps_stack() -> None:
    """The innermost app is current, each has its own g, and leaving gives the outer one back."""
    one, two = App("one"), App("two")
    with one.app_context() as outer:
        g.x = 1
        with two.app_context() as inner:
            assert (current_app.name, g.get("x"), inner.previous) == ("two", None, outer)
        assert (current_app.name, g.x, inner.previous) == ("one", 1, None)


def test_a_request_context_reuses_the_app_context_of_its_own_app(app: App) -> None:
    """As in Flask 3.1; another app's context is covered by one of its own."""
    other = App("other")
    with app.app_context():
        g.x = 1
        with app.test_request_context():
            assert g.x == 1
        with other.test_request_context():
            assert (current_app.name, g.get("x")) == ("other", None)
        assert (current_app.name, g.x) == ("shop", 1)


def test_one_context_can_be_pushed_twice(app: App) -> None:
    """Teardown runs at the last pop only."""
    ended: list[object] = []
    app.teardown_request(ended.append)
    context = app.test_request_context("/twice")
    context.push()
    with app.test_request_context("/between"):
        context.push()
        assert request.path == "/twice"
        context.pop()
        assert (request.path, ended) == ("/between", [])
    ended.clear()
    context.pop()
    assert ended == [None]


def test_popping_in_the_wrong_order_names_both(app: App, heard: list[Any]) -> None:
    """The error shows the context and the current one, and the cell is told."""
    outer, inner = app.test_request_context("/outer"), app.test_request_context("/inner")
    outer.push()
    inner.push()
    with pytest.raises(ContextOrderError, match=r"/outer.*is not the current one.*/inner"):
        outer.pop()
    assert ("context.mispop", outer) in heard
    forget()


def test_a_context_that_was_never_pushed_cannot_be_popped(app: App, heard: list[Any]) -> None:
    """Nor one that was popped already."""
    context = app.app_context()
    with pytest.raises(ContextOrderError, match="never pushed, or popped already"):
        context.pop()
    assert ("context.mispop", context) in heard


@pytest.mark.parametrize("kind", ["thread", "greenlet", "copied context"])
def test_another_worker_cannot_pop(app: App, heard: list[Any], kind: str) -> None:
    """Whatever the storage shares, a context is popped where it was pushed."""
    context = app.test_request_context("/mine")
    context.push()
    caught: list[ContextOrderError] = []

    def pop() -> None:
        with pytest.raises(ContextOrderError) as error:
            context.pop()
        caught.append(error.value)

    run_elsewhere(kind, pop)
    assert "/mine" in str(caught[0])
    assert "pushed by another worker" in str(caught[0])
    assert ("context.mispop", context) in heard
    forget()


def run_elsewhere(kind: str, function: Any) -> None:
    if kind == "thread":
        thread = threading.Thread(target=function)
        thread.start()
        thread.join(10)
    elif kind == "greenlet":
        greenlet(function).switch()
    else:
        contextvars.copy_context().run(function)


def forget() -> None:
    """Drop what is still pushed, as only the end of a worker does."""
    STACKS.request_set(None)
    STACKS.app_set(None)


def test_pushes_and_pops_are_told(app: App, heard: list[Any]) -> None:
    """A cell hears of each context, the app's around the request's."""
    with app.test_request_context("/"):
        pass
    kinds = [(name, type(subject).__name__) for name, subject in heard]
    assert kinds == [
        ("context.push", "AppContext"),
        ("context.push", "RequestContext"),
        ("context.pop", "RequestContext"),
        ("context.pop", "AppContext"),
    ]


@pytest.mark.parametrize("kind", ["thread", "greenlet"])
def test_a_copied_request_context_goes_to_another_worker(app: App, kind: str) -> None:
    """copy_current_request_context brings request and session along, and teardown runs there."""
    seen: list[Any] = []
    with app.test_request_context("/copied"):
        session["user"] = "ann"

        @copy_current_request_context
        def work(word: str) -> None:
            seen.append((word, request.path, session["user"], current_app.name))

        run_elsewhere(kind, lambda: work("hello"))
    assert seen == [("hello", "/copied", "ann", "shop")]


@pytest.mark.parametrize(
    "function", [copy_current_request_context, after_this_request, stream_with_context]
)
def test_what_needs_a_request_says_so_outside(function: Any) -> None:
    """The error names the function and how to push a context."""
    with pytest.raises(OutsideContextError, match=rf"{function.__name__} was called outside"):
        function(lambda: iter(()))()


def test_a_teardown_gets_the_exception(app: App) -> None:
    """Both kinds get what left the with block, the function that was declared last first."""
    ended: list[Any] = []
    for name in ("first", "second"):
        app.teardown_request(lambda exc, name=name: ended.append(("request", name, exc)))
        app.teardown_appcontext(lambda exc, name=name: ended.append(("app", name, exc)))
    problem = ValueError("x")
    with pytest.raises(ValueError, match="x"), app.test_request_context():
        raise problem
    assert ended == [
        (kind, name, problem) for kind in ("request", "app") for name in ("second", "first")
    ]
