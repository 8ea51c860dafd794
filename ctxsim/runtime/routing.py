"""Which view a path leads to. The rules are Werkzeug's; two ways around its matcher are ours.

Rules without variable parts are remembered by their paths, plain ones with such parts are matched
by `PlainRules`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, MapAdapter, RequestRedirect, Rule, RuleFactory

from ctxsim.runtime.matching import PlainRules
from ctxsim.runtime.requests import Request

View = Callable[..., Any]


class AppRule(Rule):
    """A rule that knows whether OPTIONS is answered for its view."""

    provide_automatic_options = False


class WatchedMap(Map):
    """A map that tells of each rule, because an application may also add one to it directly."""

    def __init__(self, changed: Callable[[], None]) -> None:
        super().__init__()
        self._changed = changed

    def add(self, rulefactory: RuleFactory) -> None:
        super().add(rulefactory)
        self._changed()


class Router:
    """The rules and views of one application."""

    def __init__(self) -> None:
        self.url_map = WatchedMap(self._forget)
        self.view_functions: dict[str, View] = {}
        # Only for rules without variable parts, because those are as many as the application has;
        # remembering what clients send would keep it for as long as the process lives.
        self._fixed: dict[tuple[str, str], Rule] = {}
        self._plain: PlainRules | None = None
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
        if view is not None:
            self.view_functions[endpoint] = view

    def _forget(self) -> None:
        self._fixed.clear()
        self._plain = None

    def match(self, request: Request, address: Callable[[Request], MapAdapter]) -> None:
        """Tell `request` its rule and arguments, or the exception that its path leads to.

        `address` gives the adapter for the client's own view of the server, which redirects need.
        """
        method, path = request.method, request.routed_path
        rule = self._fixed.get((method, path))
        if rule is not None:
            request.url_rule = rule
            request.view_args = {}
            return
        plain = self._plain
        if plain is None:
            plain = self._plain = PlainRules(self.url_map)
        found = plain.find(method, path)
        if found is None:
            self._ask_werkzeug(request, address)
        else:
            request.url_rule, request.view_args = found

    def _ask_werkzeug(self, request: Request, address: Callable[[Request], MapAdapter]) -> None:
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
