"""Which application is meant where only a module or a file was named."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Iterator
from dataclasses import replace
from types import ModuleType

from ctxsim.cell.plan import Target
from ctxsim.cell.targets.importing import module_at
from ctxsim.errors import TargetError

_NAMES = ("app", "application", "wsgi", "asgi", "wsgi_app", "asgi_app", "api", "server")
_FACTORIES = ("create_app", "make_app", "get_app", "build_app", "app_factory", "create_application")
# Where an application stands that is a package; the package itself was named, so these may load.
_SUBMODULES = ("wsgi", "asgi", "app", "main")
# Classes whose instances are applications, by the module that defines them.
_KINDS = {
    "flask": "Flask",
    "ctxsim.runtime": "App",
    "bottle": "Bottle",
    "fastapi": "FastAPI",
    "starlette.applications": "Starlette",
    "quart": "Quart",
    "falcon": "App",
}


def is_whole(app: str) -> bool:
    """Whether a target says which attribute of its module is the application."""
    place, separator, attribute = app.rpartition(":")
    return bool(separator and place and attribute)


def settled(target: Target) -> Target:
    """The target with the application's name where it named a module; raises TargetError.

    The module is imported for that: an attribute can be found in no other way.
    """
    if is_whole(target.app):
        return target
    tried: list[str] = []
    others: list[str] = []
    for place in _places(target):
        module = module_at(place, target)
        found = _application_in(module)
        if found is not None:
            return replace(target, app=f"{place}:{found}")
        tried.append(place)
        others += (f"{name} is {_kind_of(vars(module)[name])}" for name in _taken_names(module))
    if others:
        raise TargetError(
            f"no application was found in {' or '.join(tried)}: {others[0]}, which is neither a "
            "WSGI nor an ASGI application",
            "an application is called as app(environ, start_response), or as app(scope, receive, "
            "send)",
        )
    wanted = ", ".join([*_NAMES[:2], f"{_FACTORIES[0]}()"])
    raise TargetError(
        f"no application was found in {' or '.join(tried)}: it has none of {wanted}, ...",
        f"write {target.app}:NAME, or {target.app}:FACTORY()",
    )


def _taken_names(module: ModuleType) -> Iterator[str]:
    """What in a module is called as an application is, and cannot be called."""
    for name in _NAMES:
        found = vars(module).get(name)
        if found is not None and not callable(found) and not inspect.ismodule(found):
            yield name


def _kind_of(thing: object) -> str:
    kind = type(thing)
    return f"a {kind.__module__}.{kind.__qualname__}".replace("a builtins.", "a ")


def application_of(target: Target) -> object:
    """The application of a target that was imported; None where a factory has made it."""
    place, _, attribute = target.app.rpartition(":")
    found: object = module_at(place, target)
    for name in attribute.split("."):
        found = getattr(found, name, None)
    return found


def _places(target: Target) -> Iterator[str]:
    place = target.app.rstrip(":")
    yield place
    if not place.endswith(".py") and "__path__" in vars(sys.modules.get(place, sys)):
        for name in _SUBMODULES:
            if importlib.util.find_spec(f"{place}.{name}") is not None:
                yield f"{place}.{name}"


def _application_in(module: ModuleType) -> str | None:
    names = vars(module)
    for name in _NAMES:
        found = names.get(name)
        if callable(found) and not inspect.isclass(found) and not _needs_none(found):
            return name
    for name, value in names.items():
        if any(issubclass(type(value), kind) for kind in _known_kinds()):
            return name
    for name in (*_FACTORIES, *_NAMES):
        if inspect.isfunction(names.get(name)) and _needs_none(names[name]):
            return f"{name}()"
    return None


def _needs_none(thing: object) -> bool:
    """Whether it is a function that can be called without arguments, as a factory is."""
    if not inspect.isfunction(thing):
        return False
    try:
        inspect.signature(thing).bind()
    except TypeError:
        return False
    return True


def _known_kinds() -> Iterator[type]:
    for module, name in _KINDS.items():
        kind = vars(sys.modules[module]).get(name) if module in sys.modules else None
        if isinstance(kind, type):
            yield kind
