"""Whom an application gave which cookie: the keys of sessions are among them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Protocol

from ctxsim.cell.clients import User

# Nobody guesses what is as long; a shorter one (a theme, a language) says nothing of its user.
_LEAST_OF_KEY = 8
# So many are remembered: who brings none is given one with each answer.
_MOST_GIVEN = 20_000
# Whose a value is that was given to two, or in place of another one.
OF_NOBODY, IN_PLACE = -1, -2
_PARTS = re.compile(r"[.:|%$]+|--")


class Sent(Protocol):
    """What of a request tells which cookies came with it."""

    @property
    def user(self) -> User: ...
    @property
    def path(self) -> str: ...
    @property
    def headers(self) -> Iterable[tuple[str, str]]: ...


class Answered(Protocol):
    """What of a response tells which cookies it gives."""

    @property
    def headers(self) -> Iterable[tuple[str, str]]: ...
    @property
    def complete(self) -> bool: ...


class Issued:
    """Cookies that were given to who brought none: the keys of sessions are among them.

    One that gives way to another with each answer, such as a number of the request, is none.
    """

    def __init__(self) -> None:
        # By value. Native threads note at the same time, by single operations.
        self._given: dict[str, int] = {}

    def take(self, sent: Sent, answered: Answered) -> None:
        """Put what an answer gives into its user's jar, and note whom it was given."""
        user, jar = sent.user, sent.user.jar
        for set_cookie in (v for name, v in answered.headers if name.lower() == "set-cookie"):
            # A header that the step says stands in for the jar; nobody was given what is in it.
            has_own = any(name.lower() == "cookie" for name, _ in sent.headers)
            brought = "" if jar is None or has_own else jar.header(sent.path)
            self._note(set_cookie, user.number, brought)
            if jar is not None and answered.complete:
                jar.take(set_cookie)

    def _note(self, set_cookie: str, user: int, brought: str) -> None:
        name, _, value = set_cookie.partition(";")[0].partition("=")
        is_first = f"; {name.strip()}=" not in f"; {brought}"
        if len(value) >= _LEAST_OF_KEY and len(self._given) < _MOST_GIVEN:
            self._add(self._given, value, user if is_first else IN_PLACE)

    def keys(self, users: Iterable[User]) -> dict[str, int]:
        """What may be the key of a session, with the user to whom it was given, or whose it is now.

        What was given in place of another one, and is nobody's now, comes with `IN_PLACE`.
        A key may be signed, and stored without its signature or behind a prefix (`key_parts`).
        """
        now = [(v, u.number) for u in users if u.jar for v in u.jar.values().values()]
        found: dict[str, int] = {}
        for value, user in (*self._given.copy().items(), *now):
            for part in key_parts(value.strip(' "')):
                if len(part) >= _LEAST_OF_KEY:
                    self._add(found, part, user)
        return found

    def _add(self, known: dict[str, int], value: str, user: int) -> None:
        # What two were given as theirs tells of neither.
        known[value] = user if known.get(value, user) in (user, IN_PLACE) else OF_NOBODY


def key_parts(text: str) -> Iterator[str]:
    """A key itself, and what of it may be one."""
    yield text
    parts = _PARTS.split(text)
    if len(parts) > 1:
        yield from (part for part in parts if len(part) >= _LEAST_OF_KEY)
