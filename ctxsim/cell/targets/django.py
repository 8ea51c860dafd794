"""What Django leaves to the first request: to import the URLconf, with it all views, and more.

A project's `wsgi.py` and `asgi.py` name the settings alone. Who reads the modules of views, context
processors and the like before any request has come would see none of them.

Of errors that it answers for itself Django tells by a signal.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from ctxsim.cell.objects import instances
from ctxsim.cell.targets import importing
from ctxsim.cell.witness.reasons import keep_reason
from ctxsim.cell.witness.record import Current

_ERRORS = (400, 403, 404, 500)


def serves() -> bool:
    """Whether Django answers requests here; others may use its models alone, without URLs."""
    handlers = sys.modules.get("django.core.handlers.base")
    return handlers is not None and bool(instances(handlers.BaseHandler))


def listen(current: Current) -> None:
    """Keep why requests fail that are answered with 500, where Django serves any."""
    if not serves():
        return
    signals: Any = sys.modules["django.core.signals"]

    def failed(**_named: object) -> None:
        # As the signal's documentation has it, the error is the one that is being handled.
        error = sys.exc_info()[1]
        if error is not None:
            keep_reason(current, error)

    signals.got_request_exception.connect(failed, weak=False)


def load() -> None:
    """Import the URLconf, what it includes, the views, and what settings name; raises TargetError.

    What settings name and cannot be imported is left to the request that needs it.
    """
    if not serves():
        return
    urls: Any = sys.modules["django.urls"]
    try:
        _enter(urls.get_resolver().url_patterns)
    except BaseException as error:
        raise importing.failed("importing Django's URLconf failed", error) from error
    for code in _ERRORS:
        with contextlib.suppress(Exception):
            urls.get_resolver().resolve_error_handler(code)
    for name in _named():
        with contextlib.suppress(Exception):
            sys.modules["django.utils.module_loading"].import_string(name)


def _named() -> Iterator[str]:
    """Functions and classes of the project's own that its settings name, and requests import."""
    settings = sys.modules["django.conf"].settings
    named = [*settings.AUTHENTICATION_BACKENDS, *settings.DATABASE_ROUTERS]
    for engine in settings.TEMPLATES:
        named += engine.get("OPTIONS", {}).get("context_processors", ())
    # Those of Django itself may need what the project has not installed.
    yield from (each for each in named if isinstance(each, str) and not each.startswith("django."))


def _enter(patterns: Iterable[Any]) -> None:
    # An included URLconf that is given by its name is imported when its patterns are asked for.
    for each in patterns:
        if hasattr(each, "url_patterns"):
            _enter(each.url_patterns)
