"""Takes out of an answer what is its request's own, so that answers can be held side by side."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ctxsim.cell.likeness import EDGE, Template
from ctxsim.cell.plan import Plan
from ctxsim.cell.visits import Request, Response, Traffic
from ctxsim.cell.witness.mine import MineText

CANARY = "canary"
_CANARY, _OF_USER, _EARLIER = (f"{EDGE}{each}{EDGE}" for each in (CANARY, "user", "earlier"))
_CANARY_BYTES, _OF_USER_BYTES = _CANARY.encode(), _OF_USER.encode()
_MARKED = re.compile(f"{EDGE}([a-z.]+){EDGE}")
# A name that goes on behind what was taken out is another's: user7 in user71.
_GOES_ON = re.compile(f"{EDGE}(?:{CANARY}|user\\.[a-z]){EDGE}\\w".encode())
_LETTERS = re.compile(r"[^\W\d_]{2}")
_LEAST_LENGTH = 3
# Headers that say nothing of the application's own, or another thing each time.
_OF_ANY_ANSWER = frozenset(
    {
        "cache-control", "connection", "content-length", "content-type", "date", "expires",
        "keep-alive", "last-modified", "location", "server", "set-cookie", "transfer-encoding",
        "vary", "via", "x-request-id",
    }
)  # fmt: skip
_REDIRECTION = 3


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable that names a user. `mark` stands for it in templates: letters alone."""

    name: str
    mark: str
    text: MineText


class OwnWords:
    """Marks the canaries of a request and the variables of its user in what it was answered."""

    def __init__(self, plan: Plan, traffic: Traffic) -> None:
        self._traffic = traffic
        # A value without letters may be any number of a page.
        named = [n for n, v in plan.users.vars if _LETTERS.search(v.replace("{n}", " "))]
        named = [name for name in named if "{n}" in dict(plan.users.vars)[name]]
        self.variables = tuple(
            Variable(name, f"user.{letter}", MineText(f"{{user.{name}}}", plan))
            for name, letter in zip(named, string.ascii_lowercase, strict=False)
        )
        self._values: dict[int, tuple[tuple[str, str, bytes, bytes], ...]] = {}

    def reduced(self, request: Request, data: bytes) -> bytes | None:
        """The answer without its own words, made quickly; None where that needs a closer look."""
        user = request.user
        data = data.replace(request.canary.encode(), _CANARY_BYTES)
        if user.prefix.encode() in data:
            return None
        if user.number:
            if self.variables:
                for _, _, mark, value in self._of(user.number):
                    data = data.replace(value, mark)
            if _GOES_ON.search(data) is not None:
                return None
        return data

    def marked(self, request: Request, data: bytes) -> str:
        """The answer as a text in which marks stand for its own words."""
        text, user = self.without_canaries(request, data), request.user
        if user.number:
            for value, mark, _, _ in self._of(user.number):
                if value in text:
                    text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", mark, text)
        return text

    def without_canaries(self, request: Request, data: bytes) -> str:
        """The same, with the user's variables as they stand."""
        user = request.user
        # Each byte as one character: what a text's coding is must not matter.
        text = data.decode("latin-1").replace(request.canary, _CANARY)
        if user.prefix in text:
            text = text.replace(user.canary, _OF_USER)
            text = re.sub(f"{user.prefix}[0-9a-f]{{8}}", _EARLIER, text)
        return text

    def always_in(self, request: Request, text: str) -> Iterator[str]:
        """Which of the request's own words are in a marked text, by their marks."""
        if _CANARY in text:
            yield CANARY
        if request.user.number:
            yield from (v.mark for v in self.variables if f"{EDGE}{v.mark}{EDGE}" in text)

    def value(self, mark: str, request: Request) -> str:
        """What a mark stands for."""
        if mark == CANARY:
            return request.canary
        return next((v for v, m, _, _ in self._of(request.user.number) if m[1:-1] == mark), "")

    def as_told_to(self, user: int, template: Template) -> Template:
        """A template with the variables of one user in the place of their marks."""
        values = {m[1:-1]: value for value, m, _, _ in self._of(user)}
        return tuple(word and filled(word, values) for word in template)

    def as_sent(self, request: Request, template: Template) -> Template:
        """A template with the request's own words in the place of their marks."""
        words = self.as_told_to(request.user.number, template)
        return tuple(word and word.replace(_CANARY, request.canary) for word in words)

    def _of(self, user: int) -> tuple[tuple[str, str, bytes, bytes], ...]:
        """Value and mark of each variable of a user, as texts and as bytes, the longest first."""
        found = self._values.get(user)
        if found is None:
            values = self._traffic.variables(user)
            pairs = [(values[each.name], f"{EDGE}{each.mark}{EDGE}") for each in self.variables]
            found = self._values[user] = tuple(
                (value.encode().decode("latin-1"), mark, mark.encode(), value.encode())
                for value, mark in sorted(pairs, key=lambda pair: -len(pair[0]))
                if len(value) >= _LEAST_LENGTH
            )
        return found


def filled(word: str, values: Mapping[str, str]) -> str:
    """A word of a template with values for its marks."""
    if EDGE not in word:
        return word
    return _MARKED.sub(lambda found: values.get(found[1], found[0]), word)


def names_a_user(template: Template) -> bool:
    """Whether a variable of the user stands in a template."""
    return any(word is not None and f"{EDGE}user." in word for word in template)


def told(response: Response, body: bytes) -> bytes:
    """What is compared of a response: its body, and where it sends the client."""
    if response.status // 100 != _REDIRECTION:
        return body
    where = [value for name, value in response.headers if name.lower() == "location"]
    return "\n".join([*where, ""]).encode("latin-1", "replace") + body


def head_of(response: Response) -> dict[str, str]:
    """What an application says of an answer in headers of its own, by name."""
    return {n: v for n, v in response.headers if n.lower() not in _OF_ANY_ANSWER}


def way(response: Response) -> str:
    """How a response ended, in a word or two."""
    if response.error is None:
        return str(response.status)
    return f"{response.status} ({type(response.error).__name__})"
