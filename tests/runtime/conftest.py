"""Every test of the runtime gives back what it took: contexts, variables, greenlets, threads."""

from __future__ import annotations

import contextvars
import gc
import threading
from collections.abc import Iterator

import pytest
from greenlet import greenlet

from ctxsim.runtime import App, has_app_context, has_request_context, storages, use_storage


def live_greenlets() -> list[greenlet]:
    found = [o for o in gc.get_objects() if isinstance(o, greenlet)]
    return [o for o in found if not o.dead and o.parent is not None]


@pytest.fixture(scope="module", autouse=True)
def only_new_objects() -> Iterator[None]:
    """Hide what exists already from the search for greenlets, because it walks all objects."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def set_variables() -> set[str]:
    # A slot that holds None is empty: that is how a storage forgets.
    held = contextvars.copy_context().items()
    return {
        variable.name for variable, value in held if value is not None and "ctxsim" in str(variable)
    }


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """Fail a test that leaves a context, a context variable, a greenlet or a thread behind."""
    threads, variables = set(threading.enumerate()), set_variables()
    yield
    left = has_app_context(), has_request_context()
    assert left == (False, False), f"left contexts behind (app, request): {left}"
    assert set_variables() <= variables
    assert live_greenlets() == []
    assert set(threading.enumerate()) <= threads


@pytest.fixture(params=storages)
def storage(request: pytest.FixtureRequest) -> Iterator[str]:
    """Run the test once on each storage."""
    use_storage(request.param)
    yield request.param
    use_storage("contextvar")


@pytest.fixture
def app() -> App:
    made = App("shop")
    made.secret_key = "a key for tests"
    made.testing = True
    return made
