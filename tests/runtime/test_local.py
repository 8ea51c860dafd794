"""Local and LocalStack on every storage."""

from __future__ import annotations

import pytest

from ctxsim.runtime import Local, LocalStack, release_local
from ctxsim.runtime.local import live_locals

pytestmark = pytest.mark.usefixtures("storage")


def test_a_local_keeps_attributes() -> None:
    """What is set can be read, listed and deleted."""
    local = Local()
    local.a, local.b = 1, None
    assert (local.a, local.b, sorted(local)) == (1, None, [("a", 1), ("b", None)])
    del local.a
    assert dict(local) == {"b": None}
    release_local(local)


def test_a_missing_attribute_is_named() -> None:
    """Reading and deleting what is not set raise AttributeError with the name."""
    local = Local()
    with pytest.raises(AttributeError, match=r"^user$"):
        local.user  # noqa: B018
    with pytest.raises(AttributeError, match=r"^user$"):
        del local.user


def test_releasing_a_local_forgets_everything() -> None:
    """After release_local the worker has no attributes, and may set them again."""
    local = Local()
    local.a = 1
    release_local(local)
    assert dict(local) == {}
    local.a = 2
    assert local.a == 2
    release_local(local)


def test_deleting_the_last_attribute_leaves_nothing() -> None:
    """The slot is empty then, so that nothing outlives it."""
    local = Local()
    local.a = 1
    del local.a
    assert not list(local)


def test_a_stack_pops_in_reverse() -> None:
    """push, top and pop; popping an empty stack gives None."""
    stack: LocalStack[int] = LocalStack()
    assert (stack.top, stack.pop(), len(stack)) == (None, None, 0)
    assert stack.push(1) == [1]
    assert stack.push(2) == [1, 2]
    assert (stack.top, list(stack)) == (2, [1, 2])
    assert (stack.pop(), stack.pop(), stack.pop(), stack.top) == (2, 1, None, None)


def test_a_pushed_none_is_an_item() -> None:
    """None can be pushed; the stack is not empty then."""
    stack: LocalStack[None] = LocalStack()
    stack.push(None)
    assert (len(stack), stack.top) == (1, None)
    release_local(stack)
    assert len(stack) == 0


def test_what_push_gives_does_not_change() -> None:
    """Each push makes a list of its own, because a copied context may hold the old one."""
    stack: LocalStack[int] = LocalStack()
    first = stack.push(1)
    stack.push(2)
    assert first == [1]
    release_local(stack)


def test_live_locals_are_listed() -> None:
    """A harness can find every Local and LocalStack, as long as it exists."""
    local, stack = Local(), LocalStack[int]("thread")
    assert {id(local), id(stack)} <= {id(found) for found in live_locals()}
    gone = id(local)
    del local
    assert gone not in {id(found) for found in live_locals()}
