"""Where an application runs: versions, what was patched and when, and where its contexts are."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from importlib import metadata
from typing import Any

from ctxsim.cell.objects import instances

# What breaks when it was imported before gevent patched it.
_TO_PATCH = ("ssl", "threading", "socket", "select", "queue", "requests", "urllib3", "redis")
_TOLD = (
    "flask", "werkzeug", "django", "bottle", "starlette", "fastapi", "quart", "pyramid", "falcon",
    "asgiref", "gevent", "greenlet", "eventlet", "sqlalchemy", "structlog", "redis", "requests",
)  # fmt: skip


def facts(of_target: dict[str, str]) -> dict[str, str]:
    """What a reader should know of the process in which the application was imported."""
    found = {"interpreter": interpreter(), "executable": sys.executable}
    found["kind"] = of_target["kind"]
    found |= dict(_versions())
    found |= dict(_flags())
    found["patched by gevent"] = _patched()
    found |= dict(_contexts())
    return found


def interpreter() -> str:
    """The interpreter's name and version, and whether its threads run freely."""
    locked = getattr(sys, "_is_gil_enabled", lambda: True)()
    free = "" if locked else ", free-threading"
    return f"{platform.python_implementation()} {platform.python_version()}{free}"


def _versions() -> Iterator[tuple[str, str]]:
    for name in _TOLD:
        if name in sys.modules:
            try:
                yield name, metadata.version(name)
            except metadata.PackageNotFoundError:
                continue


def _flags() -> Iterator[tuple[str, str]]:
    for name in ("thread_inherit_context", "context_aware_warnings"):
        value = getattr(sys.flags, name, None)
        if value is not None:
            yield f"sys.flags.{name}", str(value)


def _patched() -> str:
    monkey = sys.modules.get("gevent.monkey")
    saved = dict(vars(monkey).get("saved", {})) if monkey is not None else {}
    if not saved:
        return "no"
    names = ", ".join(sorted(saved))
    missing = [each for each in _TO_PATCH if each in sys.modules and each not in saved]
    left = f"; imported and not patched: {', '.join(missing)}" if missing else ""
    return f"{names}{left}"


def _contexts() -> Iterator[tuple[str, str]]:
    flask = sys.modules.get("flask")
    if flask is None:
        return
    yield "contexts kept in", _storage(flask)
    merged = vars(sys.modules["flask.ctx"]).get("RequestContext")
    one = merged is None or not isinstance(merged, type) or _is_app_context(merged)
    yield "request context", "merged into the app context" if one else "of its own"
    yield "app context after the import", "one is pushed" if flask.has_app_context() else "none"
    kind = vars(flask).get("Flask")
    if isinstance(kind, type):
        names = sorted(each.import_name for each in instances(kind))
        yield "Flask applications", ", ".join(names) or "none"


def _is_app_context(kind: Any) -> bool:
    return bool(kind is vars(sys.modules["flask.ctx"]).get("AppContext"))


def _storage(flask: Any) -> str:
    local = sys.modules.get("werkzeug.local")
    names = vars(local) if local is not None else {}
    if "ContextVar" in names or "_cv_app" in vars(sys.modules.get("flask.globals", flask)):
        return "context variables"
    if "get_ident" in names:
        module = getattr(names["get_ident"], "__module__", "")
        return f"a dict by the ident of {'greenlets' if 'greenlet' in module else 'threads'}"
    return "an unknown place"
