"""App: carries a request from its arrival to its teardown.

The order of hooks, signals and teardown is Flask's, also where a hook or a teardown fails;
tests/runtime/test_same_as_flask.py runs both side by side.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import BadRequest, BadRequestKeyError, HTTPException, InternalServerError
from werkzeug.routing import Map, MapAdapter, RoutingException
from werkzeug.test import EnvironBuilder

from ctxsim.runtime import signals
from ctxsim.runtime.addresses import AddressBook
from ctxsim.runtime.config import Config
from ctxsim.runtime.contexts import AppContext, Globals, RequestContext
from ctxsim.runtime.once import FirstRequest
from ctxsim.runtime.registrations import Registrations
from ctxsim.runtime.requests import Request
from ctxsim.runtime.responses import Response, StartResponse
from ctxsim.runtime.routing import View
from ctxsim.runtime.sessions import SignedCookies
from ctxsim.runtime.stacks import STACKS
from ctxsim.runtime.templates import make_environment
from ctxsim.runtime.views import to_response

if TYPE_CHECKING:
    from jinja2 import Environment


class App(Registrations):
    """A web application.

    `import_name` is usually `__name__`; templates are looked for in `template_folder` beside that
    module, or below `root_path` where it is given.
    """

    request_class: type[Request] = Request
    app_ctx_globals_class: type[Globals] = Globals

    def __init__(
        self,
        import_name: str,
        *,
        template_folder: str | None = "templates",
        root_path: str | None = None,
    ) -> None:
        super().__init__()
        self.import_name = import_name
        self.name = import_name
        self.template_folder = template_folder
        self.root_path = root_path
        self.config = Config()
        self.sessions = SignedCookies(self.config)
        self.logger = logging.getLogger(self.name)
        self._addresses = AddressBook(self.router, self.config)
        self._first_request = FirstRequest()

    @property
    def url_map(self) -> Map:
        """The rules."""
        return self.router.url_map

    @property
    def view_functions(self) -> dict[str, View]:
        """The views by endpoint."""
        return self.router.view_functions

    @property
    def debug(self) -> bool:
        """Whether exceptions pass through to the server; config key DEBUG."""
        return bool(self.config["DEBUG"])

    @debug.setter
    def debug(self, value: bool) -> None:
        self.config["DEBUG"] = value

    @property
    def testing(self) -> bool:
        """Whether exceptions pass through to the caller; config key TESTING."""
        return bool(self.config["TESTING"])

    @testing.setter
    def testing(self, value: bool) -> None:
        self.config["TESTING"] = value

    @property
    def secret_key(self) -> str | bytes | None:
        """What sessions are signed with; config key SECRET_KEY."""
        key: str | bytes | None = self.config["SECRET_KEY"]
        return key

    @secret_key.setter
    def secret_key(self, value: str | bytes | None) -> None:
        self.config["SECRET_KEY"] = value

    @property
    def permanent_session_lifetime(self) -> timedelta:
        """How long a permanent session is valid; config key PERMANENT_SESSION_LIFETIME."""
        return timedelta(seconds=self.config.session_lifetime_s())

    @permanent_session_lifetime.setter
    def permanent_session_lifetime(self, value: timedelta | int) -> None:
        self.config["PERMANENT_SESSION_LIFETIME"] = value

    @cached_property
    def jinja_env(self) -> Environment:
        """The Jinja environment, made at its first use."""
        return make_environment(self)

    def url_for(self, endpoint: str, **values: Any) -> str:
        """Give the address of `endpoint`; see `ctxsim.runtime.url_for`."""
        return self._addresses.build(endpoint, values)

    def outside_adapter(self) -> MapAdapter | None:
        """Give what builds addresses outside a request; None unless SERVER_NAME is configured."""
        return self._addresses.outside()

    def request_adapter(self, request: Request) -> MapAdapter:
        """Give what builds addresses as the client of `request` sees them."""
        return self._addresses.of(request)

    def make_globals(self) -> Globals:
        """Make what `g` stands for in a new app context."""
        return self.app_ctx_globals_class()

    def app_context(self) -> AppContext:
        """Make an app context; push it with `with`."""
        return AppContext(self)

    def request_context(self, environ: dict[str, Any]) -> RequestContext:
        """Make the request context for a WSGI environ; push it with `with`."""
        return RequestContext(self, self.request_class.from_environ(environ))

    def test_request_context(self, path: str = "/", **parts: Any) -> RequestContext:
        """Make a request context without a client; push it with `with`.

        `parts` are those of `werkzeug.test.EnvironBuilder` (method, data, json, headers, ...).
        """
        parts.setdefault("base_url", self._default_base_url())
        builder = EnvironBuilder(path, **parts)
        try:
            return self.request_context(builder.get_environ())
        finally:
            builder.close()

    def _default_base_url(self) -> str:
        scheme = self.config["PREFERRED_URL_SCHEME"]
        root = self.config["APPLICATION_ROOT"].lstrip("/")
        return f"{scheme}://{self.config['SERVER_NAME'] or 'localhost'}/{root}"

    def match(self, request: Request) -> None:
        """Tell `request` the rule that its path leads to, or the exception."""
        self.router.match(request, self._addresses.of)

    def handle(self, request: Request) -> Response:
        """Answer `request` without WSGI: the way of a caller that has no server.

        Gives the response of an error where a view fails, as a server would get it, unless the
        config asks for exceptions to be passed through (PROPAGATE_EXCEPTIONS, TESTING, DEBUG). What
        is no Exception (KeyboardInterrupt, GreenletExit) passes through after teardown.
        """
        response: Response = self._carry(RequestContext(self, request), _unchanged)
        if request.method == "HEAD":
            response.omit_body = True
        return response

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer a WSGI server."""
        context = self.request_context(environ)
        body: Iterable[bytes] = self._carry(
            context, lambda response: response(environ, start_response)
        )
        return body

    wsgi_app = __call__

    def _carry(self, context: RequestContext, finish: Callable[[Response], Any]) -> Any:
        error: BaseException | None = None
        try:
            try:
                context.push()
                response = self.full_dispatch_request(context)
            # Whatever a view raises is its business, and the client gets a 500 for it.
            except Exception as raised:  # noqa: BLE001 - passed on to handlers and signals
                error = raised
                response = self.handle_exception(raised)
            except BaseException as raised:
                error = raised
                raise
            return finish(response)
        finally:
            context.pop(error)
            # An exception knows this frame: keeping it here would keep the request with it.
            error = None

    def full_dispatch_request(self, context: RequestContext) -> Response:
        """Run the hooks and the view, and give the response that they make."""
        if not self._first_request.done:
            self._first_request.run(self.before_first_request_funcs)
        try:
            if signals.request_started.receivers:
                signals.request_started.send(self)
            returned = self._before(context)
        except Exception as error:  # noqa: BLE001 - raised again where no handler takes it
            returned = self.handle_user_exception(error)
        return self._finalized(context, returned)

    def _before(self, context: RequestContext) -> Any:
        for function in self.before_request_funcs:
            if (returned := function()) is not None:
                return returned
        return self.dispatch(context)

    def dispatch(self, context: RequestContext) -> Any:
        """Call the view that the request's path leads to, and give what it returns."""
        request = context.request
        if request.routing_exception is not None:
            raise request.routing_exception
        # Matching leaves either an exception or a rule with its arguments.
        rule: Any = request.url_rule
        arguments: Any = request.view_args
        if request.method == "OPTIONS" and rule.provide_automatic_options:
            return self._options(context)
        return self.router.view_functions[rule.endpoint](**arguments)

    def _options(self, context: RequestContext) -> Response:
        response = Response()
        response.headers["Allow"] = ", ".join(sorted(context.url_adapter.allowed_methods()))
        return response

    def _finalized(self, context: RequestContext, returned: Any) -> Response:
        response = to_response(returned)
        for function in context.after:
            response = function(response)
        for function in self.after_request_funcs:
            response = function(response)
        if context.session_matters:
            self.sessions.save(context.opened_session(), response)
        if signals.request_finished.receivers:
            signals.request_finished.send(self, response=response)
        return response

    def handle_user_exception(self, error: Exception) -> Any:
        """Let the error handler for `error` answer; without one, raise it again.

        An HTTP exception that nobody handles is its own answer.
        """
        if isinstance(error, HTTPException) and not self._is_trapped(error):
            # A redirect of the router's is no error, and one without a code cannot be looked up.
            if error.code is None or isinstance(error, RoutingException):
                return error
            handler = self.find_error_handler(error)
            return error if handler is None else handler(error)
        handler = self.find_error_handler(error)
        if handler is None:
            raise error
        return handler(error)

    def _is_trapped(self, error: HTTPException) -> bool:
        if self.config["TRAP_HTTP_EXCEPTIONS"]:
            return True
        trapped = self.config["TRAP_BAD_REQUEST_ERRORS"]
        if trapped is None:
            return self.debug and isinstance(error, BadRequestKeyError)
        return bool(trapped) and isinstance(error, BadRequest)

    def handle_exception(self, error: Exception) -> Response:
        """Answer 500 for an exception that no error handler took, or pass it through."""
        if signals.got_request_exception.receivers:
            signals.got_request_exception.send(self, exception=error)
        propagate = self.config["PROPAGATE_EXCEPTIONS"]
        if propagate or (propagate is None and (self.testing or self.debug)):
            raise error
        context = STACKS.request_get()
        request = context.request
        self.logger.error("Exception on %s [%s]", request.path, request.method, exc_info=error)
        returned: Any = InternalServerError(original_exception=error)
        handler = self.find_error_handler(returned)
        if handler is not None:
            returned = handler(returned)
        return self._finalized_after_error(context, returned)

    def _finalized_after_error(self, context: RequestContext, returned: Any) -> Response:
        response = to_response(returned)
        try:
            return self._finalized(context, response)
        except Exception:  # ok: Flask logs it as well, and answers
            # The client gets the error's page: what failed would only hide the first failure.
            self.logger.exception("Request finalizing failed with an error while handling an error")
            return response

    def teardown_request_context(self, exc: BaseException | None) -> None:
        """Run what `teardown_request` declared, and tell `request_tearing_down`."""
        for function in self.teardown_request_funcs:
            function(exc)
        if signals.request_tearing_down.receivers:
            signals.request_tearing_down.send(self, exc=exc)

    def teardown_app_context(self, exc: BaseException | None) -> None:
        """Run what `teardown_appcontext` declared, and tell `appcontext_tearing_down`."""
        for function in self.teardown_appcontext_funcs:
            function(exc)
        if signals.appcontext_tearing_down.receivers:
            signals.appcontext_tearing_down.send(self, exc=exc)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"


def _unchanged(response: Response) -> Response:
    return response
