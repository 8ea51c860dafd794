"""The routes of an application, asked of its framework; paths with placeholders for arguments."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from ctxsim.cell.history import Where
from ctxsim.cell.looking import openapi, trees
from ctxsim.cell.looking.found import METHODS, Found
from ctxsim.cell.looking.paths import of_braces, of_filters, of_regex, of_rule
from ctxsim.cell.looking.vocabulary import KINDS
from ctxsim.cell.objects import instances
from ctxsim.cell.sights import Place, Read
from ctxsim.cell.targets import django
from ctxsim.cell.witness.record import is_application_file

_WEBSOCKET = "it is a WebSocket, which no check speaks"
_OF_CLASSES = {"view_class", "cls", "actions"}
_PAGES_OF_QUART_SCHEMA = (
    "openapi_path", "redoc_ui_path", "scalar_ui_path", "swagger_ui_path",
)  # fmt: skip
_SUFFIX_OF_FORMAT = re.compile(
    r"\\\.\(\?P<format>[^()]*\)(/\?)?\$?$|<drf_format_suffix\w*:format>$"
)


def found_routes() -> tuple[str, list[Found]]:
    """The framework's name, '' for none that is known, and the routes of all its applications."""
    for framework, read in _FRAMEWORKS.items():
        found = list(read())
        if found:
            return framework, list(dict.fromkeys(found))
    return "", []


def _instances(module: str, name: str) -> list[Any]:
    kind = vars(sys.modules[module]).get(name) if module in sys.modules else None
    return instances(kind) if isinstance(kind, type) else []


def _methods(methods: Iterable[str] | None) -> list[str]:
    known = {each.upper() for each in methods or ("GET",)}
    return [each for each in METHODS if each in known]


def _werkzeug(url_map: Any, views: dict[str, Any]) -> Iterator[Found]:
    for rule in url_map.iter_rules():
        if rule.endpoint == "static" or rule.endpoint.endswith(".static") or rule.build_only:
            continue
        wants = ""
        if rule.subdomain or rule.host:
            wants = f"it is for the host {rule.host or rule.subdomain}"
        if getattr(rule, "websocket", False):
            yield Found("GET", of_rule(rule.rule), wants=_WEBSOCKET)
            continue
        for method in _methods(rule.methods):
            view = views.get(rule.endpoint)
            yield Found(method, of_rule(rule.rule), _method_of(view, method), wants=wants)


def _method_of(view: Any, method: str) -> Any:
    """The method of a view class that answers `method`, where a view is one."""
    named = vars(view) if inspect.isfunction(view) else {}
    owner = named.get("view_class") or named.get("cls")
    # A method of a set of views is called as its router says.
    action = (named.get("actions") or {}).get(method.lower(), method)
    return _method_in(owner, action) or view


def _method_in(owner: Any, method: str) -> Any:
    if not isinstance(owner, type):
        return None
    return inspect.getattr_static(owner, method.lower(), None) or owner


def _flask() -> Iterator[Found]:
    for each in _instances("flask", "Flask"):
        yield from _werkzeug(each.url_map, each.view_functions)


def _runtime() -> Iterator[Found]:
    for each in _instances("ctxsim.runtime", "App"):
        yield from _werkzeug(each.url_map, each.router.view_functions)


def _quart() -> Iterator[Found]:
    for each in _instances("quart", "Quart"):
        found = list(_werkzeug(each.url_map, each.view_functions))
        extension = each.extensions.get("QUART_SCHEMA")
        if extension is None:
            yield from found
        else:
            own = [getattr(extension, name, None) for name in _PAGES_OF_QUART_SCHEMA]
            yield from _described(extension.openapi_provider.schema, found, own)


def _litestar() -> Iterator[Found]:
    for each in _instances("litestar", "Litestar"):
        yield from _described(partial(_of_litestar, each), list(_litestar_routes(each)), ())


def _of_litestar(app: Any) -> dict[str, Any]:
    return dict(app.openapi_schema.to_schema()) if app.openapi_config is not None else {}


def _described(
    make: Callable[[], dict[str, Any]], found: list[Found], own: Sequence[str | None]
) -> Iterator[Found]:
    """Routes as an application's OpenAPI document has them; `own` are the document's own pages.

    What is left out of the document is a route all the same.
    """
    try:
        document = make()
    except Exception as error:  # noqa: BLE001 - a schema may fail in any way; routes remain
        document = {}
        page = next((each for each in own if each), "/")
        yield Found("GET", page, wants=f"there is no schema: {error!r}")
    yield from openapi.operations(document, {(each.method, each.path): each.view for each in found})
    for each in found:
        if each.path not in own and not openapi.tells_of(document, each):
            yield each


def _litestar_routes(app: Any) -> Iterator[Found]:
    for route in app.routes:
        handlers = getattr(route, "route_handler_map", None)
        if handlers is None:
            if "WebSocket" in type(route).__name__:
                yield Found("GET", of_braces(route.path), wants=_WEBSOCKET)
            continue
        for method in METHODS:
            view = getattr(handlers[method][0], "fn", None) if method in handlers else None
            # The pages of its own documents are a library's.
            if view is not None and _is_own(view):
                taken = tuple(_litestar_reads(handlers[method][1], view))
                yield Found(method, of_braces(route.path), view, taken)


def _litestar_reads(model: Any, view: Any) -> Iterator[Read]:
    """What a handler, and what is provided for it, take as parameters; its data by its class.

    An application that has no document still knows that.
    """
    parameters = inspect.signature(view).parameters
    kinds = {name: _kind_of(each.annotation) for name, each in parameters.items()}
    places: tuple[Place, ...] = ("query", "header", "cookie")
    for place in places:
        known = getattr(model, f"expected_{place}_params", ())
        for each in sorted(known, key=lambda one: str(one.field_alias)):
            if each.field_alias.lower() == "authorization":
                yield Read("auth", "header")
            else:
                yield Read(place, each.field_alias, kinds.get(each.field_name, "text"))
    data = parameters["data"].annotation if "data" in parameters else None
    if isinstance(data, type):
        for name, annotation in inspect.get_annotations(data).items():
            yield Read("json", name, _kind_of(annotation))


def _kind_of(annotation: object) -> Any:
    """What is made of a text, such as by `int | None`."""
    words = re.findall(r"\w+", inspect.formatannotation(annotation))
    return next((KINDS[each] for each in words if each in KINDS), "text")


def _is_own(view: Any) -> bool:
    code = getattr(inspect.unwrap(view), "__code__", None)
    return code is not None and is_application_file(code.co_filename)


def _sanic() -> Iterator[Found]:
    for each in _instances("sanic", "Sanic"):
        for route in each.router.routes:
            path = "/" + of_filters(route.path.replace(":str>", ">")).lstrip("/")
            for method in _methods(route.methods):
                yield Found(method, path, _method_of(route.handler, method))


def _cherrypy() -> Iterator[Found]:
    for each in _instances("cherrypy._cptree", "Application"):
        yield from trees.pages(each)


def _bottle() -> Iterator[Found]:
    for each in _instances("bottle", "Bottle"):
        for route in each.routes:
            methods = METHODS if route.method in ("ANY", "PROXY") else (route.method,)
            for method in methods:
                if method in METHODS:
                    yield Found(method, of_filters(route.rule), route.callback)


def _fastapi() -> Iterator[Found]:
    for each in _instances("fastapi", "FastAPI"):
        own = [each.openapi_url, each.docs_url, each.redoc_url, each.swagger_ui_oauth2_redirect_url]
        yield from _described(each.openapi, list(_starlette_routes(each.routes, "")), own)


def _starlette() -> Iterator[Found]:
    for each in _instances("starlette.applications", "Starlette"):
        yield from _starlette_routes(each.routes, "")


def _starlette_routes(routes: Iterable[Any], prefix: str) -> Iterator[Found]:
    for route in routes:
        names = vars(route)
        path = prefix + of_braces(names.get("path", "") or "")
        inner = names.get("routes") or getattr(names.get("app"), "routes", None)
        if inner:
            yield from _starlette_routes(inner, path)
        elif names.get("endpoint") is not None and "methods" in names:
            endpoint = names["endpoint"]
            methods = _methods(names["methods"] or _own_methods(endpoint))
            for method in methods:
                yield Found(method, path, _method_in(endpoint, method) or endpoint)
        elif type(route).__name__.endswith("WebSocketRoute"):
            yield Found("GET", path, wants=_WEBSOCKET)


def _own_methods(endpoint: Any) -> list[str]:
    return [each for each in METHODS if hasattr(endpoint, each.lower())]


def _django() -> Iterator[Found]:
    if django.serves():
        urls: Any = sys.modules["django.urls"]
        yield from _django_patterns(urls.get_resolver().url_patterns, "/")


def _django_patterns(patterns: Iterable[Any], prefix: str) -> Iterator[Found]:
    for each in patterns:
        if _is_other_name(each.pattern):
            continue
        path = prefix + _django_path(each.pattern)
        if hasattr(each, "url_patterns"):
            if each.app_name == "admin":
                yield Found("GET", path, wants="the admin's pages are left out")
            else:
                yield from _django_patterns(each.url_patterns, path)
            continue
        view = inspect.unwrap(each.callback, stop=_is_of_class)
        plain = not _is_of_class(view)
        for method in _django_methods(view):
            guess = plain and method != "GET"
            yield Found(method, path, _method_of(view, method), is_guess=guess)


def _is_other_name(pattern: Any) -> bool:
    """Whether a pattern is another one with the suffix of a format, `/notes.json`.

    REST framework's routers add one for each of their routes; it leads to the same view.
    """
    names = vars(pattern)
    return _SUFFIX_OF_FORMAT.search(str(names.get("_route") or names.get("_regex"))) is not None


def _is_of_class(view: Any) -> bool:
    """Whether a view is a class's; what REST framework makes of one claims to wrap the class."""
    return bool(_OF_CLASSES & vars(view).keys())


def _django_path(pattern: Any) -> str:
    route = vars(pattern).get("_route")
    if route is not None:
        return of_rule(str(route))
    regex = vars(pattern).get("_regex")
    # A prefix of languages is a pattern of its own kind; its text is the prefix.
    return of_regex(str(regex)) if regex is not None else str(pattern)


def _django_methods(view: Any) -> list[str]:
    named = vars(view)
    actions = named.get("actions")
    if actions:
        return _methods(actions)
    owner = named.get("view_class") or named.get("cls")
    if isinstance(owner, type):
        return [each for each in METHODS if hasattr(owner, each.lower())] or ["GET"]
    return ["GET", "POST"]


def _pyramid() -> Iterator[Found]:
    for each in _instances("pyramid.router", "Router"):
        mapper = each.registry.queryUtility(sys.modules["pyramid.interfaces"].IRoutesMapper)
        views = _pyramid_views(each.registry)
        for route in mapper.get_routes() if mapper is not None else ():
            for method in METHODS:
                if (route.name, method) in views or (route.name, None) in views:
                    view = views.get((route.name, method)) or views.get((route.name, None))
                    yield Found(method, of_braces(route.pattern), view)


def _pyramid_views(registry: Any) -> dict[tuple[str, str | None], Any]:
    """Views by the name of their route and their method, None for those that take any."""
    views = {}
    for each in registry.introspector.get_category("views") or ():
        told = each["introspectable"]
        methods = told.get("request_methods") or ("GET",)
        for method in (methods,) if isinstance(methods, str) else methods:
            views[told.get("route_name"), method] = told.get("callable")
    return views


def _falcon() -> Iterator[Found]:
    for each in _instances("falcon", "App"):
        for node in getattr(each._router, "_roots", ()):
            yield from _falcon_nodes(node)
        yield from _falcon_sinks(each)


def _falcon_sinks(app: Any) -> Iterator[Found]:
    """What takes all that matches a pattern, and no route does; a prefix of it may be enough."""
    for pattern, sink, *_ in getattr(app, "_sinks", ()):
        for method in METHODS:
            called = sink if inspect.isroutine(sink) else type(sink).__call__
            path = f"/{of_regex(pattern.pattern)}"
            yield Found(method, path, called, is_guess=method != "GET")


def _falcon_nodes(node: Any) -> Iterator[Found]:
    if node.uri_template and node.method_map:
        for method in METHODS:
            view = getattr(node.resource, f"on_{method.lower()}", None)
            if view is not None:
                yield Found(method, of_braces(node.uri_template), view)
    for child in node.children:
        yield from _falcon_nodes(child)


_FRAMEWORKS: dict[str, Callable[[], Iterator[Found]]] = {
    "ctxsim.runtime": _runtime,
    "Flask": _flask,
    "Quart": _quart,
    "FastAPI": _fastapi,
    "Starlette": _starlette,
    "Bottle": _bottle,
    "Falcon": _falcon,
    "Pyramid": _pyramid,
    "CherryPy": _cherrypy,
    "Litestar": _litestar,
    "Sanic": _sanic,
    "Django": _django,
}


def of_methods(app: object) -> Iterator[Found]:
    """The routes of an application whose framework is not known, if its methods are its pages.

    So it is in CherryPy's manner, where the application is an object of a class of the user's own.
    What a page takes as arguments comes from the query.
    """
    for kind in type(app).__mro__:
        for name, method in list(vars(kind).items()):
            if name.startswith("_") or not inspect.isfunction(method):
                continue
            if is_application_file(method.__code__.co_filename):
                taken = list(inspect.signature(method).parameters)[1:]
                reads = tuple(Read("query", each) for each in taken)
                yield Found("GET", f"/{name}", method, reads)


def place_of(view: object) -> Where | None:
    """Where a view's function or class stands in the source; None where it cannot be told."""
    inner = inspect.unwrap(view) if callable(view) else view
    inner = vars(inner).get("func", inner) if hasattr(inner, "__dict__") else inner
    inner = getattr(inner, "__func__", inner)
    code = getattr(inner, "__code__", None)
    if code is not None:
        return Where(code.co_filename, code.co_firstlineno, code.co_qualname)
    if isinstance(inner, type):
        try:
            _, first = inspect.getsourcelines(inner)
        except (OSError, TypeError):
            return None
        return Where(inspect.getfile(inner), first, inner.__qualname__)
    return None
