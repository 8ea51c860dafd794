"""Builds the addresses of views: `url_for`, inside a request and outside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from werkzeug.routing import MapAdapter

from ctxsim.runtime.stacks import STACKS

if TYPE_CHECKING:
    from ctxsim.runtime.config import Config
    from ctxsim.runtime.requests import Request
    from ctxsim.runtime.routing import Router

# RFC 3986, 3.5: what a fragment may hold as it is.
_ANCHOR_SAFE = "%!#$&'()*+,/:;=?@"


class AddressBook:
    """Knows how clients see the server."""

    def __init__(self, router: Router, config: Config) -> None:
        self._router = router
        self._config = config

    def outside(self) -> MapAdapter | None:
        """Give what builds addresses outside a request; None unless SERVER_NAME is configured."""
        server = self._config["SERVER_NAME"]
        if server is None:
            return None
        return self._router.url_map.bind(
            server,
            script_name=self._config["APPLICATION_ROOT"],
            url_scheme=self._config["PREFERRED_URL_SCHEME"],
        )

    def of(self, request: Request) -> MapAdapter:
        """Give what builds addresses as the client of `request` sees them."""
        return self._router.url_map.bind(
            self._config["SERVER_NAME"] or request.host,
            script_name=request.root_path or "/",
            url_scheme=request.scheme,
            default_method=request.method,
            path_info=request.path,
            query_args=request.query_string.decode("latin-1"),
        )

    def build(self, endpoint: str, values: dict[str, Any]) -> str:
        """Give the address of `endpoint`; see `ctxsim.runtime.url_for`."""
        anchor, method, scheme, external = (
            values.pop(name, None) for name in ("_anchor", "_method", "_scheme", "_external")
        )
        adapter, absolute = self._adapter()
        if external is None:
            external = absolute or scheme is not None
        if scheme is not None and not external:
            raise ValueError("_scheme needs _external=True: a relative address has no scheme.")
        address = adapter.build(
            endpoint, values, method=method, url_scheme=scheme, force_external=external
        )
        if anchor is None:
            return address
        return f"{address}#{quote(anchor, safe=_ANCHOR_SAFE)}"

    def _adapter(self) -> tuple[MapAdapter, bool]:
        """Give the adapter, and whether addresses are absolute unless the caller says otherwise."""
        request_context = STACKS.request_get()
        if request_context is not None:
            return request_context.url_adapter, False
        app_context = STACKS.app_get()
        adapter = self.outside() if app_context is None else app_context.url_adapter
        if adapter is None:
            raise RuntimeError(
                "url_for was called outside of a request, where the server's name is not known."
                " Set app.config['SERVER_NAME'], and APPLICATION_ROOT and PREFERRED_URL_SCHEME"
                " where they differ from '/' and 'http'."
            )
        return adapter, True
