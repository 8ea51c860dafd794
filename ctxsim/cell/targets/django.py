"""What Django leaves to the first request: to import the URLconf, and with it all views.

A project's `wsgi.py` and `asgi.py` name the settings alone. Who reads the modules of views before
any request has come would see none of them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from ctxsim.cell.objects import instances
from ctxsim.cell.targets import importing


def serves() -> bool:
    """Whether Django answers requests here; others may use its models alone, without URLs."""
    handlers = sys.modules.get("django.core.handlers.base")
    return handlers is not None and bool(instances(handlers.BaseHandler))


def load_urlconf() -> None:
    """Import the URLconf, what it includes, and the views; raises TargetError."""
    if not serves():
        return
    urls: Any = sys.modules["django.urls"]
    try:
        _enter(urls.get_resolver().url_patterns)
    except BaseException as error:
        raise importing.failed("importing Django's URLconf failed", error) from error


def _enter(patterns: Iterable[Any]) -> None:
    # An included URLconf that is given by its name is imported when its patterns are asked for.
    for each in patterns:
        if hasattr(each, "url_patterns"):
            _enter(each.url_patterns)
