"""One body in several shapes: as it is, in chunks, padded, as a multipart form.

A shape changes how a body travels, not what it says. A server may still not take it (WSGI has no
word for a chunked body, and some limit how large one is), so each is tried before it is judged.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from ctxsim.cell.visits import Request

CHUNKED, LARGE, LARGE_CHUNKED, MULTIPART = (
    "chunks",
    "a large body",
    "a large one in chunks",
    "parts",
)
# Beyond what servers read ahead (uvicorn: 64 KiB), so that they stop reading and go on later.
_PADDING_BYTES = 320 * 1024
_PADDING_NAME = "ctxsim"
_FORM = "application/x-www-form-urlencoded"
_BOUNDARY = "ctxsim-7d1f0a52c3"
_SMALL_CHUNK, _LARGE_CHUNK = 7, 16 * 1024
_QUOTED = re.compile(r'[\r\n"]')


def shapes_of(request: Request) -> tuple[str, ...]:
    """The shapes that the request's body can have besides its own; none where it has no body."""
    if not request.body:
        return ()
    return (CHUNKED, LARGE, LARGE_CHUNKED, *((MULTIPART,) if _is_form(request) else ()))


def shaped(request: Request) -> tuple[str, bytes, int]:
    """Type and bytes of the body in the request's shape, and how large its chunks are (0: none)."""
    body, content_type = request.body, request.content_type
    if request.shape == MULTIPART:
        return f"multipart/form-data; boundary={_BOUNDARY}", _as_parts(body), 0
    if request.shape in (LARGE, LARGE_CHUNKED):
        body = _padded(body, content_type)
    chunk = {CHUNKED: _SMALL_CHUNK, LARGE_CHUNKED: _LARGE_CHUNK}.get(request.shape, 0)
    return content_type, body, chunk


def _is_form(request: Request) -> bool:
    return request.content_type.startswith(_FORM)


def _padded(body: bytes, content_type: str) -> bytes:
    if content_type.startswith(_FORM):
        return b"%b&%b=%b" % (body, _PADDING_NAME.encode(), b"x" * _PADDING_BYTES)
    # Space behind a JSON value says nothing, nor do empty lines behind a text.
    space = b" " if "json" in content_type else b"\n"
    return body + space * _PADDING_BYTES


def _as_parts(body: bytes) -> bytes:
    fields = [field.partition(b"=") for field in body.split(b"&") if field]
    parts = [
        b'--%b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n'
        % (_BOUNDARY.encode(), _name(_plain(name)), _plain(value))
        for name, _, value in fields
    ]
    return b"".join(parts) + f"--{_BOUNDARY}--\r\n".encode()


def _plain(text: bytes) -> bytes:
    return unquote_to_bytes(text.replace(b"+", b" "))


def _name(name: bytes) -> bytes:
    # As browsers write them (WHATWG, multipart/form-data encoding algorithm).
    escaped = {"\r": "%0D", "\n": "%0A", '"': "%22"}
    return _QUOTED.sub(lambda found: escaped[found[0]], name.decode("latin-1")).encode("latin-1")
