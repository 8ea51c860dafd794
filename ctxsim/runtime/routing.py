"""Which view a path leads to. The matching is Werkzeug's; remembering its answers is ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, MapAdapter, RequestRedirect, Rule

from ctxsim.runtime.requests import Request

View = Callable[..., Any]


class AppRule(Rule):
    """A rule that knows whether OPTIONS is answered for its view."""

    provide_automatic_options = False


class Router:
    """The rules and views of one application."""

    def __init__(self) -> None:
        self.url_map = Map()
        self.view_functions: dict[str, View] = {}
        # Only for rules without variable parts, because those are as many as the application has;
        # remembering what clients send would keep it for as long as the process lives.
        self._fixed: dict[tuple[str, str], Rule] = {}
        self._adapter = self.url_map.bind("localhost")

    def add(self, rule: AppRule, view: View | None) -> None:
        """Add a rule; `view` may be None where the endpoint has its view already.

        Raises AssertionError where the endpoint has another view.
        """
        endpoint = rule.endpoint
        known = self.view_functions.get(endpoint)
        if view is not None and known is not None and known is not view:
            raise AssertionError(
                f"The endpoint {endpoint!r} has the view {known!r}, so {view!r} cannot take it."
                " Pass endpoint='another_name'."
            )
        self.url_map.add(rule)
        self._fixed.clear()
        if view is not None:
            self.view_functions[endpoint] = view

    def match(self, request: Request, address: Callable[[Request], MapAdapter]) -> None:
        """Tell `request` its rule and arguments, or the exception that its path leads to.

        `address` gives the adapter for the client's own view of the server, which redirects need.
        """
        rule = self._fixed.get((request.method, request.routed_path))
        if rule is not None:
            request.url_rule = rule
            request.view_args = {}
            return
        try:
            self._match(request, self._adapter)
        except RequestRedirect:
            self._match_again(request, address(request))
        except HTTPException as error:
            request.routing_exception = error

    def _match(self, request: Request, adapter: MapAdapter) -> None:
        rule, arguments = adapter.match(request.routed_path, request.method, return_rule=True)
        request.url_rule, request.view_args = rule, dict(arguments)
        if not rule.arguments:
            self._fixed[request.method, request.routed_path] = rule

    def _match_again(self, request: Request, adapter: MapAdapter) -> None:
        try:
            self._match(request, adapter)
        except HTTPException as error:
            request.routing_exception = error
