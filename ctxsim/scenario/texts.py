"""Texts that go into a request, and the names that a file gives to its parts."""

from __future__ import annotations

import re
from typing import NamedTuple

from ctxsim.cell.plan import CAPTURE_KINDS, CaptureKind
from ctxsim.scenario.words import CONTROL, HEADER_NAME, NAME, WordError, shown

_MAX_TITLE = 200
_LATIN_1_END = "\xff"
_EXAMPLES = {
    "json": "write for example {json: note.id}",
    "header": "write for example {header: Location}",
    "cookie": "write for example {cookie: csrftoken}",
    "field": "write for example {field: csrf_token}",
    "regex": "write for example {regex: '/notes/([0-9]+)'}",
}


def written(value: object) -> str:
    """A text; numbers have become the text that was written before they come here."""
    if isinstance(value, str):
        return value
    meant = str(value).lower() if isinstance(value, bool) else "text"
    raise WordError(f"must be a text, not {shown(value)}", f'put it in quotes: "{meant}"')


def title(value: object) -> str:
    """One line that reports show."""
    text = written(value)
    if not 0 < len(text) <= _MAX_TITLE or CONTROL.search(text):
        raise WordError(f"must be one line of 1 to {_MAX_TITLE} characters", "write a short name")
    return text


def name(value: object) -> str:
    """A name that placeholders or findings can refer to."""
    if isinstance(value, str) and NAME.fullmatch(value):
        return value
    raise WordError(
        f"must be a name of letters, digits, '_' and '-', not {shown(value)}",
        "write for example cart or cart_2",
    )


def path(value: object) -> str:
    """A path of the application, which may carry a query."""
    if not isinstance(value, str):
        raise WordError(f"must be a path, not {shown(value)}", "write for example /cart")
    if not value.startswith("/"):
        rest = value.partition("://")[2].partition("/")[2] if "://" in value else value
        raise WordError(f"must begin with '/', not {shown(value)}", f"did you mean '/{rest[:60]}'?")
    if CONTROL.search(value):
        raise WordError("holds a line break or control character", "write %0A for a line break")
    return value


def route(value: object) -> str:
    """What several paths of the application have in common."""
    rule = path(value)
    if "?" in rule:
        raise WordError("holds a query, which no route has", f"write {rule.partition('?')[0]}")
    return rule


class Captured(NamedTuple):
    """Where in an answer a value stands: what to look in, and what for."""

    kind: CaptureKind
    what: str


def capture(value: object) -> Captured:
    """Where in an answer a value stands, as a mapping of one key."""
    [(kind, what), *others] = value.items() if isinstance(value, dict) and value else [("", "")]
    if others or kind not in CAPTURE_KINDS:
        kinds = ", ".join(CAPTURE_KINDS)
        raise WordError(f"must be a mapping with one of {kinds}", "write for example {json: id}")
    if not isinstance(what, str) or not what:
        raise WordError(f"must name what of the answer it is, not {shown(what)}", _EXAMPLES[kind])
    if kind == "regex":
        try:
            groups = re.compile(what).groups
        except re.error as error:
            raise WordError(f"is no regular expression: {error}", _EXAMPLES[kind]) from error
        if groups > 1:
            raise WordError("has more than one group", "write (?:...) where nothing is captured")
    return Captured(kind, what)


def header_name(value: object) -> str:
    """The name of an HTTP header."""
    if isinstance(value, str) and HEADER_NAME.fullmatch(value):
        return value
    raise WordError(
        f"cannot be the name of a header: {shown(value)}", "write for example X-Request-ID"
    )


def header(value: object) -> str:
    """The value of an HTTP header, which travels as Latin-1."""
    text = written(value)
    if CONTROL.search(text):
        raise WordError(
            "holds a line break or control character", "write the header's value in a line"
        )
    if any(char > _LATIN_1_END for char in text):
        raise WordError(
            "holds a character that HTTP headers cannot carry", "encode it, as in %C3%A9"
        )
    return text
