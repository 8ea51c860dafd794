"""Imports the application and decides what kind of target it is."""

from __future__ import annotations

import gc
import importlib
import sys
from types import ModuleType
from typing import Any

from ctxsim.cell.objects import instances
from ctxsim.cell.plan import Target as TargetPlan
from ctxsim.cell.targets import AsyncTarget, Target, flask, importing, kinds
from ctxsim.cell.targets.wsgi import Wsgi
from ctxsim.cell.witness.inside import Inside
from ctxsim.cell.witness.record import Current
from ctxsim.errors import TargetError

# Whose versions a report names, where the application has imported them.
_TOLD = (
    *("flask", "werkzeug", "django", "bottle", "pyramid", "gevent", "greenlet"),
    *("starlette", "fastapi", "quart", "asgiref", "anyio"),
)


def select_storage(plan: TargetPlan) -> None:
    """Select the runtime's storage, before the application is imported."""
    if plan.kind == "runtime" or (plan.kind == "auto" and plan.storage != "contextvar"):
        _runtime().use_storage(plan.storage)


def open_target(plan: TargetPlan, current: Current) -> Target | AsyncTarget:
    """Import the application that `plan` names; raises TargetError."""
    app = importing.load(plan)
    # Frozen objects are found by no search, and an application that forks workers freezes all.
    gc.unfreeze()
    facts = {"app": plan.app, **_versions()}
    if _is_runtime_app(app):
        if plan.kind == "wsgi":
            return _runtime_by_wsgi(app, [app], current, facts)
        made: Target = _serving().Runtime(app, current, {"kind": "runtime", **facts})
        return made
    if plan.kind == "runtime":
        raise TargetError(
            f"{plan.app} is {kinds.described(app)}, and no application of the runtime",
            "write kind: wsgi, or make it a ctxsim.runtime.App",
        )
    if plan.kind == "asgi" or (plan.kind == "auto" and _may_be_asgi(app, plan)):
        return _asgi(app, plan, current, facts)
    _refuse_unless_wsgi(app, plan)
    return _wsgi(app, current, {"kind": "wsgi", **facts})


def _may_be_asgi(app: object, plan: TargetPlan) -> bool:
    try:
        return kinds.is_asgi(app) or kinds.is_asgi_2(app)
    except Exception as error:  # a proxy raises whatever it likes, where nothing stands behind it
        said = str(error).strip().partition("\n")[0]
        raise TargetError(
            f"{plan.app} is a {type(app).__name__} that tells nothing of itself: {said}",
            "name the application itself, or a factory with '()'",
        ) from error


def _refuse_unless_wsgi(app: object, plan: TargetPlan) -> None:
    if not callable(app) or kinds.is_asgi(app):
        raise TargetError(
            f"{plan.app} is {kinds.described(app)}, and no WSGI application",
            "write kind: asgi" if callable(app) else "name a callable, or a factory with '()'",
        )
    if kinds.wraps_asgi(app):
        raise TargetError(
            f"{plan.app} takes scope, receive and send, not environ and start_response",
            "write kind: asgi",
        )
    if kinds.looks_like_factory(app):
        raise TargetError(
            f"{plan.app} takes no environ and start_response: is it a factory?",
            f"write {plan.app}() to have it called",
        )


def _asgi(app: Any, plan: TargetPlan, current: Current, facts: dict[str, str]) -> AsyncTarget:
    if (why := kinds.why_not_asgi(app)) is not None:
        raise TargetError(f"{plan.app} is {why[0]}, and no application of ASGI 3", why[1])
    # asyncio brings much with it that other cells do not need, and that gevent warns of.
    from ctxsim.cell.targets import quart  # noqa: PLC0415 - see above
    from ctxsim.cell.targets.asgi import Asgi  # noqa: PLC0415 - see above

    told = {"kind": "asgi", **facts}
    found = quart.quart_of()
    if found is None:
        return Asgi(app, told)
    view = quart.QuartView(found)
    hooks = quart.QuartHooks(found, current, view.owners_of_g)
    return Asgi(app, told, view, hooks.watch, quart.session_cookie(found))


def _wsgi(app: Any, current: Current, facts: dict[str, str]) -> Target:
    found = flask.flask_of()
    if found is None:
        inside = _runtime_apps()
        return _runtime_by_wsgi(app, inside, current, facts) if inside else Wsgi(app, facts)
    view = flask.FlaskView(found)
    hooks = flask.FlaskHooks(found, current, view.owners_of_g)
    return Wsgi(app, facts, view, hooks.watch, flask.session_cookie(found))


def _runtime_by_wsgi(
    front: Any, apps: list[Any], current: Current, facts: dict[str, str]
) -> Target:
    """Applications of the runtime that are called by WSGI, perhaps through middleware."""
    serving = _serving()
    view = serving.RuntimeView()

    def watch(inside: Inside) -> None:
        for app in apps:
            serving.RuntimeHooks(app, current, view.owners_of_g).watch(inside)

    cookie = apps[0].config["SESSION_COOKIE_NAME"]
    return Wsgi(front, {**facts, "kind": "wsgi"}, view, watch, cookie)


def _runtime_apps() -> list[Any]:
    """All applications of the runtime in the process: middleware may stand before them."""
    runtime = sys.modules.get("ctxsim.runtime")
    if runtime is None:
        return []
    return instances(runtime.App)


def _runtime() -> ModuleType:
    return _needed("ctxsim.runtime")


def _serving() -> ModuleType:
    return _needed("ctxsim.cell.targets.runtime")


def _needed(name: str) -> ModuleType:
    # Imported only when a cell serves the runtime: the runtime's own dependencies must not be
    # asked of applications that do not use it.
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise TargetError(
            f"the runtime needs {error.name!r}, which {sys.executable} does not have",
            "write target.python, or kind: runtime to use ctxsim's own interpreter",
        ) from error


def _is_runtime_app(app: object) -> bool:
    runtime = sys.modules.get("ctxsim.runtime")
    return runtime is not None and isinstance(app, runtime.App)


def _versions() -> dict[str, str]:
    # Imported here because it costs 20 ms, and applications mostly have imported it by now.
    from importlib import metadata  # noqa: PLC0415 - see above

    told = {}
    for name in _TOLD:
        if name in sys.modules:
            try:
                told[name] = metadata.version(name)
            except metadata.PackageNotFoundError:
                continue
    return told
