"""What contexts and templates ask of the App they belong to.

A protocol, because App is built from contexts and templates, and they must not import it back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from jinja2 import Environment
    from werkzeug.routing import MapAdapter

    from ctxsim.runtime.config import Config
    from ctxsim.runtime.requests import Request
    from ctxsim.runtime.sessions import SignedCookies


class Application(Protocol):
    """The part of an App that its own pieces use; documented at `App`."""

    import_name: str
    name: str
    config: Config
    sessions: SignedCookies
    root_path: str | None
    template_folder: str | None
    template_filters: dict[str, Callable[..., Any]]
    template_context_processors: list[Callable[[], dict[str, Any]]]

    @property
    def debug(self) -> bool: ...

    @property
    def jinja_env(self) -> Environment: ...

    def make_globals(self) -> Any: ...

    def url_for(self, endpoint: str, **values: Any) -> str: ...

    def outside_adapter(self) -> MapAdapter | None: ...

    def request_adapter(self, request: Request) -> MapAdapter: ...

    def match(self, request: Request) -> None: ...

    def teardown_request_context(self, exc: BaseException | None) -> None: ...

    def teardown_app_context(self, exc: BaseException | None) -> None: ...
