"""What each request gets: its language, and its reader, also in a context variable."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import translation

Answer = Callable[[HttpRequest], HttpResponse]

# For code that no request is handed to, such as the rules in `library.rules`.
_reader: ContextVar[str | None] = ContextVar("reader", default=None)


def current_reader() -> str | None:
    """The name of the reader, None for a visitor."""
    return _reader.get()


class Readers:
    """Takes the reader from the session, and forgets it in every case."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def __call__(self, request: HttpRequest) -> HttpResponse:
        name = request.session.get("reader")
        request.reader = name
        token = _reader.set(name)
        try:
            response = self._answer(request)
        finally:
            _reader.reset(token)
        response["X-Request-Tag"] = request.GET.get("tag", "")
        return response


# Any other would have Django look for its texts, and keep what it found for good.
LANGUAGES = ("en", "de", "fr")


class Languages:
    """Has the request's language for as long as the request takes."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def __call__(self, request: HttpRequest) -> HttpResponse:
        wanted = request.GET.get("lang", "en")
        with translation.override(wanted if wanted in LANGUAGES else "en"):
            return self._answer(request)


def names(request: HttpRequest) -> dict[str, Any]:
    """What all templates know."""
    return {"reader": request.reader, "tag": request.GET.get("tag", "")}
