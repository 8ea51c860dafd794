"""The pages of CherryPy's trees: objects by whose attributes a path leads to what is exposed."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ctxsim.cell.looking.found import METHODS, Found
from ctxsim.cell.looking.paths import CANARY
from ctxsim.cell.sights import Place, Read
from ctxsim.cell.witness.record import is_application_file

# Trees are shallow; what leads back to itself would go on for ever.
_MOST_DEPTH = 6


def pages(application: Any) -> Iterator[Found]:
    """The pages of one `cherrypy.Application`, below the name under which it is mounted."""
    yield from _below(application.root, application.script_name or "", ())


def _below(node: object, path: str, above: tuple[int, ...]) -> Iterator[Found]:
    if node is None or id(node) in above or len(above) >= _MOST_DEPTH:
        return
    if inspect.isroutine(node):
        # A function may be the root of a tree.
        yield from _page(node, path or "/")
        return
    if _is_exposed(node):
        # By MethodDispatcher, which calls what is named as the method is.
        for method in METHODS:
            if (view := getattr(type(node), method, None)) is not None:
                yield _found(method, path or "/", view)
    for name, child in _children(node):
        if not inspect.isroutine(child):
            if _is_node(child):
                yield from _below(child, f"{path}/{name}", (*above, id(node)))
        elif _is_exposed(child):
            yield from _named_page(child, path, name)


def _named_page(view: Any, path: str, name: str) -> Iterator[Found]:
    if name == "default":
        # It is given what is left of the path.
        yield from _page(view, f"{path}/{CANARY}", skip=1)
    else:
        yield from _page(view, f"{path}/" if name == "index" else f"{path}/{name}")


def _children(node: object) -> Iterator[tuple[str, object]]:
    """What stands under public names, in the order of the source; properties are not asked."""
    names = [name for kind in type(node).__mro__ for name in vars(kind)]
    for name in dict.fromkeys([*names, *vars(node)]):
        found = inspect.getattr_static(node, name, None)
        if not name.startswith("_") and not isinstance(found, property):
            yield name, getattr(node, name, None)


def _is_node(thing: object) -> bool:
    """Whether it is an object of a class of the application's own."""
    code = inspect.getattr_static(type(thing), "__module__", None)
    if isinstance(thing, type) or not hasattr(thing, "__dict__") or not isinstance(code, str):
        return False
    methods = (each for each in vars(type(thing)).values() if inspect.isfunction(each))
    return any(is_application_file(inspect.unwrap(each).__code__.co_filename) for each in methods)


def _is_exposed(thing: object) -> bool:
    return bool(getattr(thing, "exposed", False))


def _page(view: Any, path: str, *, skip: int = 0) -> Iterator[Found]:
    """Which methods a page answers, nobody tells; that it does by POST, its source may."""
    yield _found("GET", path, view, skip)
    yield replace(_found("POST", path, view, skip), is_guess=True)


def _found(method: str, path: str, view: Any, skip: int = 0) -> Found:
    return Found(method, path, view, _taken(view, method, skip), is_exact=_is_exact(view))


def _taken(view: Any, method: str, skip: int) -> tuple[Read, ...]:
    """A page's arguments come from the query, or from a form."""
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    taken = inspect.signature(view).parameters.values()
    named = [each.name for each in taken if each.kind in kinds and each.name != "self"]
    place: Place = "query" if method in ("GET", "DELETE") else "form"
    return tuple(Read(place, name) for name in named[skip:])


def _is_exact(view: Any) -> bool:
    """Whether a page that is sent anything but its arguments is answered 404."""
    return not any(
        each.kind is inspect.Parameter.VAR_KEYWORD
        for each in inspect.signature(view).parameters.values()
    )
