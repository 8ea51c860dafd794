"""A user's cookies, and whom an application gave which."""

from __future__ import annotations

import re
import time
from _thread import allocate_lock
from collections.abc import Iterable, Iterator
from email.utils import mktime_tz, parsedate_tz

# Nobody guesses what is as long; a shorter one (a theme, a language) says nothing of its user.
_LEAST_OF_KEY = 8
# So many are remembered: who brings none is given one with each answer.
_MOST_GIVEN = 20_000
# Whose a value is that was given to two, or in place of another one.
OF_NOBODY, IN_PLACE = -1, -2
_PARTS = re.compile(r"[.:|%$]+|--")


class Issued:
    """Cookies that were given to who brought none: the keys of sessions are among them.

    One that gives way to another with each answer, such as a number of the request, is none.
    """

    def __init__(self) -> None:
        # By value. Native threads note at the same time, by single operations.
        self._given: dict[str, int] = {}

    def note(self, set_cookie: str, user: int, brought: str) -> None:
        """Note one Set-Cookie header that a user (0: a visitor) was answered with.

        `brought` is what was sent of cookies that were given before.
        """
        name, _, value = set_cookie.partition(";")[0].partition("=")
        is_first = f"; {name.strip()}=" not in f"; {brought}"
        if len(value) >= _LEAST_OF_KEY and len(self._given) < _MOST_GIVEN:
            self._add(self._given, value, user if is_first else IN_PLACE)

    def keys(self, jars: Iterable[tuple[int, Jar | None]]) -> dict[str, int]:
        """What may be the key of a session, with the user to whom it was given, or whose it is now.

        What was given in place of another one, and is nobody's now, comes with `IN_PLACE`.
        A key may be signed, and stored without its signature or behind a prefix (`key_parts`).
        """
        now = [(v, user) for user, jar in jars if jar for v in jar.values().values()]
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


class Jar:
    """A user's cookies: name, value and path are kept; domains play no part in process.

    A user may have several requests in flight on native threads. The lock is the interpreter's own,
    also where locks are patched: nothing switches greenlets while it is held.
    """

    __slots__ = ("_cookies", "_header", "_lock")

    def __init__(self) -> None:
        self._lock = allocate_lock()
        self._cookies: dict[tuple[str, str], str] = {}
        self._header: str | None = ""

    def header(self, path: str) -> str:
        """The Cookie header for a request to `path`; '' for none."""
        known = self._header
        if known is not None:
            return known
        with self._lock:
            if any(cookie_path != "/" for _, cookie_path in self._cookies):
                return self._joined(path)
            self._header = known = self._joined("/")
        return known

    def values(self) -> dict[str, str]:
        """The cookies' values by their names; of two with one name the one for the longer path."""
        with self._lock:
            known = sorted(self._cookies.items(), key=lambda cookie: len(cookie[0][1]))
        return {name: value for (name, _), value in known}

    def _joined(self, path: str) -> str:
        # Longer paths first (RFC 6265, 5.4): where two have one name, servers read the first.
        cookies = sorted(self._cookies.items(), key=lambda cookie: -len(cookie[0][1]))
        pairs = (
            f"{name}={value}"
            for (name, cookie_path), value in cookies
            if path == cookie_path or path.startswith(cookie_path.rstrip("/") + "/")
        )
        return "; ".join(pairs)

    def take(self, set_cookie: str) -> None:
        """Take up one Set-Cookie header; an expired cookie is deleted, as browsers do."""
        first, *attributes = (part.strip() for part in set_cookie.split(";"))
        name, separator, value = first.partition("=")
        if not separator or not name:
            return
        known = {k.strip().lower(): v.strip() for k, _, v in (a.partition("=") for a in attributes)}
        key = (name, known.get("path") or "/")
        expired = _expired(known.get("max-age", ""), known.get("expires", ""))
        with self._lock:
            if expired:
                self._cookies.pop(key, None)
            else:
                self._cookies[key] = value
            self._header = None


def _expired(max_age: str, expires: str) -> bool:
    if max_age.lstrip("-").isdigit():
        return int(max_age) <= 0
    date = parsedate_tz(expires) if expires else None
    # The one clock that cookies know: an application deletes one by a date that is past.
    return date is not None and mktime_tz(date) <= time.time()  # noqa: TID251 - see above
