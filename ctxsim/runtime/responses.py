"""Response: what goes back to the client, with headers built only where somebody asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from werkzeug.datastructures import HeaderSet
from werkzeug.http import HTTP_STATUS_CODES, dump_cookie, parse_set_header
from werkzeug.urls import iri_to_uri

from ctxsim.runtime import json_text
from ctxsim.runtime.headers import Headers

StartResponse = Callable[..., Any]
Body = str | bytes | bytearray | Iterable[str | bytes] | None
HeaderPairs = Headers | dict[str, Any] | Iterable[tuple[str, Any]]

HTML = "text/html; charset=utf-8"
_OK, _NO_CONTENT, _NOT_MODIFIED = 200, 204, 304
# RFC 9110, 15.4.5: what a 304 must not repeat.
_ENTITY_HEADERS = frozenset(
    {
        "allow",
        "content-encoding",
        "content-language",
        "content-length",
        "content-md5",
        "content-range",
        "content-type",
        "last-modified",
    }
)
_STATUS_LINES = {code: f"{code} {words.upper()}" for code, words in HTTP_STATUS_CODES.items()}
_BODY_HEADERS = frozenset({"content-length", "content-type"})
_ADDRESSES = frozenset({"location", "content-location"})
_TEXTUAL = ("application/json", "application/xml", "application/javascript")


class Response:
    """An HTTP response. `response` is text, bytes, or an iterable of them, which is streamed.

    `status` is a code or a whole status line ("404 NOT FOUND"), `mimetype` a type without its
    parameters, `content_type` one with them.
    """

    __slots__ = (
        "__weakref__", "_bytes", "_content_type", "_headers", "_on_close", "_reason", "_stream",
        "omit_body", "status_code",
    )  # fmt: skip

    def __init__(
        self,
        response: Body = None,
        status: int | str | None = None,
        headers: HeaderPairs | None = None,
        mimetype: str | None = None,
        content_type: str | None = None,
    ) -> None:
        self.status_code = _OK
        self._reason: str | None = None
        self._headers: Headers | None = None
        self._content_type = content_type or HTML
        self._stream: Iterable[str | bytes] | None = None
        self._on_close: list[Callable[[], object]] | None = None
        # Set for HEAD: the client gets the headers of the body, and not the body.
        self.omit_body = False
        if type(response) is str:
            self._bytes = response.encode()
        else:
            self._take(response)
        if mimetype is not None and content_type is None:
            self._content_type = _with_charset(mimetype)
        if status is not None:
            self.status = status
        if headers is not None:
            self.headers.update(headers)

    def _take(self, body: Body) -> None:
        self._bytes = b""
        if isinstance(body, (str, bytes, bytearray)):
            self._bytes = body.encode() if isinstance(body, str) else bytes(body)
        elif isinstance(body, (list, tuple)):
            self._bytes = b"".join(_encoded(body))
        elif body is not None:
            self._stream = body

    @property
    def status(self) -> str:
        """The status line's code and words."""
        code = self.status_code
        if self._reason is None:
            return _STATUS_LINES.get(code) or f"{code} UNKNOWN"
        return f"{code} {self._reason}"

    @status.setter
    def status(self, value: int | str | bytes) -> None:
        if isinstance(value, int):
            self.status_code, self._reason = int(value), None
            return
        text = value.decode("latin-1") if isinstance(value, (bytes, bytearray)) else value
        code, _, words = text.strip().partition(" ")
        if not code.isdecimal():
            raise ValueError(f"A status begins with its code, as in '404 NOT FOUND'; got {text!r}.")
        self.status_code, self._reason = int(code), words or None

    @property
    def headers(self) -> Headers:
        """The header fields; changing them changes the response."""
        if self._headers is None:
            self._headers = Headers.holding(self._own_headers())
        return self._headers

    def _own_headers(self) -> list[tuple[str, str]]:
        own = [("Content-Type", self._content_type)]
        if self._stream is None:
            own.append(("Content-Length", str(len(self._bytes))))
        return own

    def header_list(self) -> list[tuple[str, str]]:
        """Give the (name, value) pairs as the client gets them."""
        if self._headers is None:
            pairs = self._own_headers()
        else:
            pairs = [
                _sendable(pair) if pair[0].lower() in _ADDRESSES else pair
                for pair in self._headers.to_wsgi_list()
            ]
        code = self.status_code
        if code == _NO_CONTENT or code < _OK:
            # Not the type either, which Flask sends: wsgiref's validator takes it for a mistake.
            return [pair for pair in pairs if pair[0].lower() not in _BODY_HEADERS]
        if code == _NOT_MODIFIED:
            return [pair for pair in pairs if pair[0].lower() not in _ENTITY_HEADERS]
        return pairs

    @property
    def is_streamed(self) -> bool:
        """Whether the body is made while it is sent."""
        return self._stream is not None

    def get_data(self, *, as_text: bool = False) -> Any:
        """Give the whole body, as bytes or text; a streamed one is read to its end and kept."""
        if self._stream is not None:
            self._bytes = b"".join(_encoded(self._stream))
            self._on_close = [*(self._on_close or ()), *_closers(self._stream)]
            self._stream = None
        return self._bytes.decode() if as_text else self._bytes

    def set_data(self, value: str | bytes) -> None:
        """Replace the body."""
        self._bytes = value.encode() if isinstance(value, str) else bytes(value)
        self._stream = None
        if self._headers is not None:
            self._headers["Content-Length"] = str(len(self._bytes))

    @property
    def data(self) -> bytes:
        """The whole body as bytes."""
        body: bytes = self.get_data()
        return body

    @data.setter
    def data(self, value: str | bytes) -> None:
        self.set_data(value)

    @property
    def response(self) -> Iterable[str | bytes]:
        """The body's parts as they were given."""
        return [self._bytes] if self._stream is None else self._stream

    @response.setter
    def response(self, value: Body) -> None:
        self._stream = None
        self._take(value)

    @property
    def json(self) -> Any:
        """The body read as JSON."""
        return self.get_json()

    def get_json(self) -> Any:
        """Read the body as JSON. Raises ValueError where it is none."""
        return json_text.loads(self.get_data())

    @property
    def content_type(self) -> str:
        """The body's type with its parameters."""
        if self._headers is None:
            return self._content_type
        return self._headers.get("Content-Type", "")

    @content_type.setter
    def content_type(self, value: str) -> None:
        self._content_type = value
        if self._headers is not None:
            self._headers["Content-Type"] = value

    @property
    def mimetype(self) -> str:
        """The body's type without its parameters."""
        return self.content_type.partition(";")[0].strip().lower()

    @mimetype.setter
    def mimetype(self, value: str) -> None:
        self.content_type = _with_charset(value)

    @property
    def location(self) -> str | None:
        """Where a redirect leads to."""
        return self.headers.get("Location")

    @location.setter
    def location(self, value: str) -> None:
        self.headers["Location"] = iri_to_uri(value)

    @property
    def vary(self) -> HeaderSet:
        """The names in Vary; adding one changes the header."""

        def changed(names: HeaderSet) -> None:
            if names:
                self.headers["Vary"] = names.to_header()
            else:
                self.headers.pop("Vary", None)

        return parse_set_header(self.headers.get("Vary"), changed)

    def vary_on(self, name: str) -> None:
        """Add one name to Vary, unless it is there."""
        for given, value in self.headers:
            if given.lower() == "vary":
                if value != name:
                    self.vary.add(name)
                return
        self.headers.add("Vary", name)

    def set_cookie(self, key: str, value: str = "", **attributes: Any) -> None:
        """Add a Set-Cookie header; `attributes` are those of `werkzeug.http.dump_cookie`."""
        self.headers.add("Set-Cookie", dump_cookie(key, value, **attributes))

    def delete_cookie(self, key: str, path: str = "/", **attributes: Any) -> None:
        """Add a Set-Cookie header that makes the client forget `key`."""
        self.set_cookie(key, path=path, expires=0, max_age=0, **attributes)

    def call_on_close(self, function: Callable[[], object]) -> Callable[[], object]:
        """Call `function` when the response is closed."""
        self._on_close = [*(self._on_close or ()), function]
        return function

    def close(self) -> None:
        """Close the streamed body, and call what `call_on_close` was given."""
        closers = [*_closers(self._stream), *(self._on_close or ())]
        for closer in closers:
            closer()

    def chunks(self) -> Iterable[bytes]:
        """Give the body as the client gets it, in parts; nothing where there must be none."""
        code = self.status_code
        if self.omit_body or code in {_NO_CONTENT, _NOT_MODIFIED} or code < _OK:
            return ()
        return (self._bytes,) if self._stream is None else _encoded(self._stream)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer a WSGI server."""
        if environ["REQUEST_METHOD"] == "HEAD":
            self.omit_body = True
        start_response(self.status, self.header_list())
        if self._stream is None and self._on_close is None:
            return self.chunks()
        return _Closing(self)

    def __repr__(self) -> str:
        size = "streamed" if self.is_streamed else f"{len(self._bytes)} bytes"
        return f"<{type(self).__name__} {size} [{self.status}]>"


class _Closing:
    # A server calls `close` on what it iterates, so that object must know the response.
    def __init__(self, response: Response) -> None:
        self._chunks = iter(response.chunks())
        self.close = response.close

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._chunks)


def _encoded(parts: Iterable[str | bytes]) -> Iterator[bytes]:
    for part in parts:
        yield part.encode() if isinstance(part, str) else part


def _closers(stream: object) -> list[Callable[[], object]]:
    close = getattr(stream, "close", None)
    return [] if close is None else [close]


def _sendable(pair: tuple[str, str]) -> tuple[str, str]:
    name, value = pair
    return name, iri_to_uri(value)


def _with_charset(mimetype: str) -> str:
    textual = mimetype.startswith("text/") or mimetype.endswith("+xml")
    if textual or mimetype in _TEXTUAL[1:]:
        return f"{mimetype}; charset=utf-8"
    return mimetype
