"""What an application declares before it handles requests: routes, hooks, error handlers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from werkzeug.exceptions import HTTPException, default_exceptions

from ctxsim.runtime.routing import AppRule, Router, View

F = TypeVar("F", bound=Callable[..., Any])
ErrorHandler = Callable[[Any], Any]


class Registrations:
    """The declaring half of an App; its decorators give back what they decorate."""

    def __init__(self) -> None:
        self.router = Router()
        self.before_first_request_funcs: list[Callable[[], object]] = []
        self.before_request_funcs: list[Callable[[], Any]] = []
        self.after_request_funcs: list[Callable[[Any], Any]] = []
        self.teardown_request_funcs: list[Callable[[BaseException | None], object]] = []
        self.teardown_appcontext_funcs: list[Callable[[BaseException | None], object]] = []
        self.template_context_processors: list[Callable[[], dict[str, Any]]] = []
        self.template_filters: dict[str, Callable[..., Any]] = {}
        # By status code, and under None those for exceptions that are no HTTP exceptions; most
        # derived class first is found by walking the exception's own bases.
        self.error_handlers: dict[int | None, dict[type[Exception], ErrorHandler]] = {}

    def route(self, rule: str, **options: Any) -> Callable[[F], F]:
        """Decorate the view of `rule`; see `add_url_rule` for the options."""

        def decorate(view: F) -> F:
            endpoint = options.pop("endpoint", None)
            self.add_url_rule(rule, endpoint, view, **options)
            return view

        return decorate

    def _method_route(self, method: str, rule: str, options: dict[str, Any]) -> Callable[[F], F]:
        if "methods" in options:
            raise TypeError(
                f"{method.lower()}() takes no methods, because its name says which."
                " Use route(..., methods=[...])."
            )
        return self.route(rule, methods=[method], **options)

    def get(self, rule: str, **options: Any) -> Callable[[F], F]:
        """Decorate the view of `rule` for GET and HEAD."""
        return self._method_route("GET", rule, options)

    def post(self, rule: str, **options: Any) -> Callable[[F], F]:
        """Decorate the view of `rule` for POST."""
        return self._method_route("POST", rule, options)

    def put(self, rule: str, **options: Any) -> Callable[[F], F]:
        """Decorate the view of `rule` for PUT."""
        return self._method_route("PUT", rule, options)

    def delete(self, rule: str, **options: Any) -> Callable[[F], F]:
        """Decorate the view of `rule` for DELETE."""
        return self._method_route("DELETE", rule, options)

    def patch(self, rule: str, **options: Any) -> Callable[[F], F]:
        """Decorate the view of `rule` for PATCH."""
        return self._method_route("PATCH", rule, options)

    def add_url_rule(
        self,
        rule: str,
        endpoint: str | None = None,
        view_func: View | None = None,
        methods: Iterable[str] = ("GET",),
        **options: Any,
    ) -> None:
        """Lead `rule` to a view; `endpoint` is its name, by default that of the function.

        `options` are those of `werkzeug.routing.Rule` (defaults, strict_slashes, ...). Raises
        TypeError where `methods` is a string, AssertionError where the endpoint has another view.
        """
        if isinstance(methods, str):
            raise TypeError(f'methods must be a list, as in methods=["POST"]; got {methods!r}.')
        if endpoint is None:
            if view_func is None:
                raise AssertionError(f"The rule {rule!r} needs an endpoint or a view function.")
            endpoint = view_func.__name__
        automatic = options.pop("provide_automatic_options", None)
        allowed = {method.upper() for method in methods}
        if automatic is None:
            automatic = "OPTIONS" not in allowed
        if automatic:
            allowed.add("OPTIONS")
        made = AppRule(rule, endpoint=endpoint, methods=allowed, **options)
        made.provide_automatic_options = automatic
        self.router.add(made, view_func)

    def before_first_request(self, function: F) -> F:
        """Call `function` once, before the first request; every other request waits for it."""
        self.before_first_request_funcs.append(function)
        return function

    def before_request(self, function: F) -> F:
        """Call `function` before each view; what it returns, if not None, is the answer."""
        self.before_request_funcs.append(function)
        return function

    def after_request(self, function: F) -> F:
        """Pass each response through `function`; the last one declared goes first."""
        self.after_request_funcs.insert(0, function)
        return function

    def teardown_request(self, function: F) -> F:
        """Call `function` with the exception, or None, when a request context ends."""
        self.teardown_request_funcs.insert(0, function)
        return function

    def teardown_appcontext(self, function: F) -> F:
        """Call `function` with the exception, or None, when an app context ends."""
        self.teardown_appcontext_funcs.insert(0, function)
        return function

    def context_processor(self, function: F) -> F:
        """Let `function` give a dict of names for each template."""
        self.template_context_processors.append(function)
        return function

    def template_filter(self, name: str | None = None) -> Callable[[F], F]:
        """Decorate a filter for templates; it is called `name`, by default as the function."""

        def decorate(function: F) -> F:
            self.template_filters[name or function.__name__] = function
            return function

        return decorate

    def errorhandler(self, code_or_exception: int | type[Exception]) -> Callable[[F], F]:
        """Decorate the function that answers for a status code or a class of exceptions."""

        def decorate(function: F) -> F:
            self.register_error_handler(code_or_exception, function)
            return function

        return decorate

    def register_error_handler(
        self, code_or_exception: int | type[Exception], function: ErrorHandler
    ) -> None:
        """Let `function` answer for a status code or a class of exceptions.

        Raises ValueError for a code that no exception has, TypeError for no exception class.
        """
        kind, code = _kind_and_code(code_or_exception)
        self.error_handlers.setdefault(code, {})[kind] = function

    def find_error_handler(self, error: Exception) -> ErrorHandler | None:
        """Give the handler for `error`: its code's before its class's, the nearest class first."""
        kind = type(error)
        code = error.code if isinstance(error, HTTPException) else None
        for group in (code, None) if code is not None else (None,):
            handlers = self.error_handlers.get(group)
            if handlers is None:
                continue
            for ancestor in kind.__mro__:
                if (handler := handlers.get(ancestor)) is not None:
                    return handler
        return None


def _kind_and_code(given: int | type[Exception]) -> tuple[type[Exception], int | None]:
    if isinstance(given, int):
        if given not in default_exceptions:
            raise ValueError(
                f"{given} is not the code of an HTTP error, so no handler can be called for it."
                " Register one for a class of exceptions instead."
            )
        return default_exceptions[given], given
    if not (isinstance(given, type) and issubclass(given, Exception)):
        raise TypeError(
            f"An error handler needs a status code or an exception class, not {given!r}."
        )
    return given, given.code if issubclass(given, HTTPException) else None
