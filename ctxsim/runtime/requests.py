"""Request: what a client sent, parsed when it is asked for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from io import BytesIO
from typing import Any
from urllib.parse import parse_qsl, quote

from werkzeug.datastructures import (
    Authorization,
    EnvironHeaders,
    FileStorage,
    Headers,
    ImmutableMultiDict,
)
from werkzeug.exceptions import (
    BadRequest,
    ClientDisconnected,
    HTTPException,
    UnsupportedMediaType,
)
from werkzeug.formparser import FormDataParser
from werkzeug.http import parse_cookie, parse_options_header
from werkzeug.routing import Rule
from werkzeug.sansio.utils import get_current_url
from werkzeug.wsgi import LimitedStream, get_host, get_input_stream

from ctxsim.runtime import json_text

_MULTIPART = "multipart/form-data"
_URLENCODED = "application/x-www-form-urlencoded"
_FORM_TYPES = frozenset({_MULTIPART, _URLENCODED})
_NO_PAIRS: ImmutableMultiDict[str, str] = ImmutableMultiDict()
_NO_FILES: ImmutableMultiDict[str, FileStorage] = ImmutableMultiDict()
# A cookie header in which Werkzeug's parser finds nothing but what stands there: no quotes, no
# characters beyond ASCII, no name without a value.
_PLAIN_COOKIE = r"[\w.-]+=[\w.!#$%&'*+/:=@^`{|}~-]*"
_PLAIN_COOKIES = re.compile(rf"{_PLAIN_COOKIE}(?:; {_PLAIN_COOKIE})*", re.ASCII)


class Request:
    """One request, made from its parts, or by `from_environ` from a WSGI environ.

    `query_string` is percent-encoded text or bytes, `headers` are (name, value) pairs, `body` is
    what follows them. Everything else is parsed at its first use and kept.
    """

    # Slots that `__init__` leaves empty are filled at the first use: an empty slot raises
    # AttributeError, which costs nothing where it does not happen, and saves storing a None each.
    __slots__ = (
        "__weakref__", "_args", "_body", "_cookies", "_environ", "_files", "_form", "_headers",
        "_json", "_pairs", "_query", "_values", "carried", "method", "path", "remote_addr",
        "root_path", "routed_path", "routing_exception", "scheme", "url_rule", "view_args",
    )  # fmt: skip

    _args: ImmutableMultiDict[str, str]
    _cookies: ImmutableMultiDict[str, str]
    _files: ImmutableMultiDict[str, FileStorage]
    _form: ImmutableMultiDict[str, str]
    _headers: Headers

    def __init__(
        self,
        method: str = "GET",
        path: str = "/",
        query_string: str | bytes = "",
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> None:
        self.method = method
        self.path = path
        # What rules are matched with: an application mounted at /shop gets "" for its own address.
        self.routed_path = path
        self._query = query_string
        self._pairs = headers
        self._body: bytes | None = body
        self._environ: dict[str, Any] | None = None
        self.root_path = ""
        self.scheme = "http"
        self.remote_addr: str | None = "127.0.0.1"
        self.url_rule: Rule | None = None
        self.view_args: dict[str, Any] | None = None
        self.routing_exception: HTTPException | None = None
        # What a harness that calls `App.handle` hangs on a request.
        self.carried: object | None = None

    @classmethod
    def from_environ(cls, environ: dict[str, Any]) -> Request:
        """Make the request that a WSGI server describes by `environ`."""
        path = _decoded(environ.get("PATH_INFO", ""))
        request = cls(environ["REQUEST_METHOD"], "/" + path.lstrip("/"))
        request._query = environ.get("QUERY_STRING", "").encode("latin-1")
        request.routed_path = path
        request._body = None
        request._environ = environ
        request.root_path = _decoded(environ.get("SCRIPT_NAME", "")).rstrip("/")
        request.scheme = environ.get("wsgi.url_scheme", "http")
        request.remote_addr = environ.get("REMOTE_ADDR")
        return request

    @property
    def environ(self) -> dict[str, Any]:
        """The WSGI environ: the server's, or one built from this request's parts."""
        if self._environ is None:
            self._environ = self._build_environ()
        return self._environ

    def _build_environ(self) -> dict[str, Any]:
        host, _, port = self.host.partition(":")
        body = self.get_data()
        environ: dict[str, Any] = {
            "REQUEST_METHOD": self.method,
            "SCRIPT_NAME": self.root_path,
            "PATH_INFO": self.path.encode().decode("latin-1"),
            "QUERY_STRING": self.query_string.decode("latin-1"),
            "SERVER_NAME": host,
            "SERVER_PORT": port or ("443" if self.scheme == "https" else "80"),
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": self.remote_addr,
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": self.scheme,
            "wsgi.input": BytesIO(body),
            "wsgi.errors": BytesIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        for name, value in self.headers.items():
            environ[_environ_key(name)] = value
        return environ

    @property
    def headers(self) -> Headers:
        """The header fields, in any case of letters."""
        try:
            return self._headers
        except AttributeError:
            given = self._environ
            self._headers = Headers(list(self._pairs)) if given is None else EnvironHeaders(given)
            return self._headers

    def header(self, name: str) -> str | None:
        """Give one header field, without building `headers`; `name` is in lower case."""
        if self._environ is not None:
            key = _ENVIRON_KEYS.get(name) or _environ_key(name)
            value: str | None = self._environ.get(key)
            return value
        for given, text in self._pairs:
            if given == name or given.lower() == name:
                return text
        return None

    @property
    def query_string(self) -> bytes:
        """What follows the question mark, still percent-encoded."""
        query = self._query
        return query.encode() if isinstance(query, str) else query

    @property
    def args(self) -> ImmutableMultiDict[str, str]:
        """The query's parameters."""
        try:
            return self._args
        except AttributeError:
            self._args = _parse_query(self._query)
            return self._args

    @property
    def form(self) -> ImmutableMultiDict[str, str]:
        """The fields of a form that was sent as the body."""
        try:
            return self._form
        except AttributeError:
            self._parse_form()
            return self._form

    @property
    def files(self) -> ImmutableMultiDict[str, FileStorage]:
        """The files of a form that was sent as the body."""
        try:
            return self._files
        except AttributeError:
            self._parse_form()
            return self._files

    def _parse_form(self) -> None:
        kind = self.content_type
        if kind != _URLENCODED:
            kind = self.mimetype
        if kind != _MULTIPART:
            self._form = _parse_query(self.get_data()) if kind == _URLENCODED else _NO_PAIRS
            self._files = _NO_FILES
            return
        options = parse_options_header(self.content_type)[1]
        body = self.get_data()
        _, form, files = FormDataParser().parse(BytesIO(body), kind, len(body), options)
        self._form = ImmutableMultiDict(form)
        self._files = ImmutableMultiDict(files)

    @property
    def values(self) -> ImmutableMultiDict[str, str]:
        """The query's parameters and, where the method has a body, the form's fields."""
        if self.method in {"POST", "PUT", "PATCH"}:
            both = [*self.args.items(multi=True), *self.form.items(multi=True)]
            return ImmutableMultiDict(both)
        return self.args

    def get_data(self, *, as_text: bool = False) -> Any:
        """Give the body, as bytes or as the text that it encodes in UTF-8."""
        body = self._body
        if body is None:
            body = self._body = _read_body(self._environ or {})
        return body.decode(errors="replace") if as_text else body

    @property
    def data(self) -> bytes:
        """The body, unless it is a form, whose fields are in `form`."""
        body: bytes = b"" if self.mimetype in _FORM_TYPES else self.get_data()
        return body

    @property
    def json(self) -> Any:
        """The body read as JSON; see `get_json`."""
        return self.get_json()

    def get_json(self, *, force: bool = False, silent: bool = False) -> Any:
        """Read the body as JSON, whatever its type says if `force`.

        Raises UnsupportedMediaType where the type is not JSON's, BadRequest where the text is not;
        if `silent` gives None for both.
        """
        if not (force or self.is_json):
            if silent:
                return None
            raise UnsupportedMediaType(
                "Did not attempt to load JSON data because the request"
                " Content-Type was not 'application/json'."
            )
        try:
            return json_text.loads(self.get_data())
        except ValueError as error:
            if silent:
                return None
            raise BadRequest() from error

    @property
    def is_json(self) -> bool:
        """Whether the body's type says that it is JSON."""
        kind = self.mimetype
        return kind == "application/json" or (
            kind.startswith("application/") and kind.endswith("+json")
        )

    @property
    def cookies(self) -> ImmutableMultiDict[str, str]:
        """The cookies that came with the request."""
        try:
            return self._cookies
        except AttributeError:
            text = self.header("cookie")
            self._cookies = _parse_cookies(text) if text else _NO_PAIRS
            return self._cookies

    @property
    def authorization(self) -> Authorization | None:
        """What the Authorization header says; None where there is none or it is garbled."""
        return Authorization.from_header(self.header("authorization"))

    @property
    def host(self) -> str:
        """The host, with its port where that is not the scheme's own."""
        if self._environ is not None:
            return get_host(self._environ)
        return self.header("host") or "localhost"

    @property
    def url(self) -> str:
        """The whole address, as a reader would write it."""
        return self._address(self.path, self.query_string)

    @property
    def base_url(self) -> str:
        """The address without the query."""
        return self._address(self.path)

    @property
    def url_root(self) -> str:
        """The address of the application."""
        return self._address()

    def _address(self, path: str | None = None, query: bytes | None = None) -> str:
        return get_current_url(self.scheme, self.host, self.root_path, path, query)

    @property
    def full_path(self) -> str:
        """The path and the query, with a question mark even where the query is empty."""
        return f"{self.path}?{self.query_string.decode(errors='replace')}"

    @property
    def endpoint(self) -> str | None:
        """The name of the view that the path leads to; None where it leads to none."""
        return None if self.url_rule is None else str(self.url_rule.endpoint)

    @property
    def user_agent(self) -> str:
        """What the client says it is."""
        return self.header("user-agent") or ""

    @property
    def content_type(self) -> str | None:
        """The body's type with its parameters."""
        return self.header("content-type")

    @property
    def mimetype(self) -> str:
        """The body's type alone, in lower case; empty where none is given."""
        return (self.content_type or "").partition(";")[0].strip().lower()

    @property
    def content_length(self) -> int | None:
        """The body's length in bytes as the client tells it."""
        told = self.header("content-length")
        if told is None:
            return None if self._body is None else len(self._body)
        return int(told) if told.isdecimal() else None

    @property
    def is_secure(self) -> bool:
        """Whether the scheme is https."""
        return self.scheme == "https"

    def close(self) -> None:
        """Close the files that came with a form; called when the request context is popped."""
        try:
            files = self._files
        except AttributeError:
            return
        if not files:
            return
        for uploads in files.listvalues():
            for upload in uploads:
                upload.close()

    def __repr__(self) -> str:
        address = quote(self.path, safe="/%") + ("?" + self.query_string.decode("latin-1")).rstrip(
            "?"
        )
        return f"<{type(self).__name__} {address!r} [{self.method}]>"


def _environ_key(name: str) -> str:
    key = name.upper().replace("-", "_")
    return key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"


# A length that may be asked for at once, because a stream may set that much memory aside.
_SHORT = re.compile("[0-9]{1,4}").fullmatch
# Where one of these is set, the length alone does not say where the body ends.
_STREAMING = frozenset({"HTTP_TRANSFER_ENCODING", "wsgi.input_terminated"})
# The ones that this module itself asks for, most of them once for each request.
_ENVIRON_KEYS = {
    name: _environ_key(name)
    for name in ("cookie", "content-type", "content-length", "authorization", "user-agent")
}


def _decoded(text: str) -> str:
    # PEP 3333: text in an environ holds bytes, one to a character.
    return text if text.isascii() else text.encode("latin-1").decode(errors="replace")


def _parse_query(query: str | bytes) -> ImmutableMultiDict[str, str]:
    if not query:
        return _NO_PAIRS
    text = query if isinstance(query, str) else query.decode(errors="replace")
    if "%" in text or "+" in text:
        pairs = parse_qsl(text, keep_blank_values=True, errors="werkzeug.url_quote")
        return _multi_dict(pairs)
    # Nothing to decode, and then parse_qsl takes three times as long as this.
    return _multi_dict([pair.partition("=")[::2] for pair in text.split("&") if pair])


def _parse_cookies(text: str) -> ImmutableMultiDict[str, str]:
    if _PLAIN_COOKIES.fullmatch(text) is None:
        return ImmutableMultiDict(parse_cookie(text))
    return _multi_dict([cookie.partition("=")[::2] for cookie in text.split("; ")])


def _multi_dict(pairs: Iterable[tuple[str, str]]) -> ImmutableMultiDict[str, str]:
    # What the class makes of pairs itself, after asking at length what it was given.
    lists: dict[str, list[str]] = {}
    for name, value in pairs:
        if name in lists:
            lists[name].append(value)
        else:
            lists[name] = [value]
    made: Any = ImmutableMultiDict.__new__(ImmutableMultiDict)
    dict.__init__(made, lists)
    found: ImmutableMultiDict[str, str] = made
    return found


def _read_body(environ: dict[str, Any]) -> bytes:
    told = environ.get("CONTENT_LENGTH")
    if told is None or _SHORT(told) is None or not environ.keys().isdisjoint(_STREAMING):
        return get_input_stream(environ).read()
    return _read_short(environ["wsgi.input"], int(told))


def _read_short(stream: Any, length: int) -> bytes:
    try:
        body: bytes = (stream.read(length) or b"") if length else b""
    except (OSError, ValueError) as error:
        raise ClientDisconnected() from error
    if len(body) < length:
        # A server may give what it has: Werkzeug's stream asks on, and knows a client that left.
        body += LimitedStream(stream, length - len(body)).read()
    return body
