"""What a step's answer gives to later steps of its visit: an id, a token, a hidden field."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from html.parser import HTMLParser
from types import MappingProxyType
from typing import Any, cast

from ctxsim.cell.bodies import member_of, plain_body
from ctxsim.cell.plan import Capture, Step

Headers = Sequence[tuple[str, str]]
_NO_COOKIES: Mapping[str, str] = MappingProxyType({})
# What no line of HTTP may hold.
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_FIELDS = ("input", "textarea", "button", "meta")


def captured(
    step: Step, headers: Headers, body: bytes, cookies: Mapping[str, str] = _NO_COOKIES
) -> dict[str, str]:
    """The placeholders that an answer fills, with their texts; `cookies` are all that a user has.

    A number is there once more, under its placeholder in quotes: as JSON has it.
    """
    filled = {}
    answer = _Answer(headers, body, cookies)
    for each in step.captures:
        value = answer.value(each)
        # What cannot be sent in all places is sent in none.
        if isinstance(value, str) and (not value or _CONTROL.search(value)):
            continue
        if isinstance(value, str | int | float):
            placeholder = f"{{{step.name}.{each.name}}}"
            as_json = json.dumps(value)
            filled[placeholder] = value if isinstance(value, str) else as_json
            if not isinstance(value, str):
                filled[f'"{placeholder}"'] = as_json
    return filled


class _Answer:
    def __init__(self, headers: Headers, body: bytes, cookies: Mapping[str, str]) -> None:
        self._headers = headers
        self._cookies = cookies
        self._body = plain_body(body, headers)

    def value(self, capture: Capture) -> Any:
        """What a capture names, nothing that can be sent where the answer has it not."""
        match capture.kind:
            case "json":
                return member_of(self._body, capture.what)
            case "header":
                return next(self._header(capture.what), None)
            case "cookie":
                return self._cookie(capture.what)
            case "field":
                return _fields_of(self._text()).get(capture.what)
            case "regex":
                return self._matched(capture.what)

    def _header(self, name: str) -> Iterator[str]:
        return (value for key, value in self._headers if key.lower() == name.lower())

    def _cookie(self, name: str) -> str | None:
        first = (value.partition(";")[0].partition("=") for value in self._header("set-cookie"))
        set_now = (value.strip() for key, _, value in first if key.strip() == name)
        return next(set_now, self._cookies.get(name))

    def _matched(self, pattern: str) -> str | None:
        where = "\n".join([*self._header("location"), self._text()])
        found = _compiled(pattern).search(where)
        return found and found[found.re.groups and 1]

    def _text(self) -> str:
        return self._body.decode(errors="replace")


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


class _Fields(HTMLParser):
    """The fields of a page's forms, and its metadata, by their names; the first of each counts."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _FIELDS:
            known = dict(attrs)
            value = known.get("content" if tag == "meta" else "value")
            if known.get("name") and value is not None:
                self.found.setdefault(cast("str", known["name"]), value)


def _fields_of(page: str) -> dict[str, str]:
    reader = _Fields()
    reader.feed(page)
    reader.close()
    return reader.found
