"""Choosing a storage for the process."""

from __future__ import annotations

import pytest

from ctxsim.runtime import App, Local, LocalStack, request, storages, use_storage
from ctxsim.runtime.selection import selected_storage


def test_the_storages_have_names() -> None:
    """The names are public, the default comes first."""
    assert storages == ("contextvar", "greenlet", "thread", "ident", "shared")
    assert selected_storage() == "contextvar"


def test_an_unknown_storage_is_refused_with_the_known_ones() -> None:
    """The error lists what there is, for the selection and for a Local of its own."""
    for make in (use_storage, Local, LocalStack):
        with pytest.raises(ValueError, match=r"no storage called 'redis'.*contextvar, greenlet"):
            make("redis")  # type: ignore[operator]


@pytest.mark.usefixtures("storage")
def test_no_change_while_a_context_is_pushed(app: App) -> None:
    """The pushed context could not be popped from another storage, so the change is refused."""
    with app.test_request_context("/here"), pytest.raises(RuntimeError, match=r"/here.*is pushed"):
        use_storage("thread")
    with app.app_context(), pytest.raises(RuntimeError, match="is pushed"):
        use_storage("thread")


def test_existing_locals_move_with_the_selection() -> None:
    """Locals and stacks that name no storage start empty on the new one; proxies follow them."""
    local, stack, own = Local(), LocalStack[str](), Local("thread")
    proxy = local("name")
    local.name = own.name = "before"
    assert proxy.upper() == proxy.upper() == "BEFORE"
    stack.push("before")
    use_storage("shared")
    try:
        assert (dict(local), stack.top, dict(own)) == ({}, None, {"name": "before"})
        local.name = "after"
        assert proxy.upper() == "AFTER"
    finally:
        use_storage("contextvar")
    assert dict(local) == {}


def test_shortcuts_of_the_context_proxies_move_too(app: App) -> None:
    """`request.path`, read before the change, does not look into the old storage after it."""
    with app.test_request_context("/one"):
        assert [request.path, request.path] == ["/one", "/one"]
    use_storage("greenlet")
    try:
        with app.test_request_context("/two"):
            assert [request.path, request.path] == ["/two", "/two"]
    finally:
        use_storage("contextvar")
