"""A user's cookies."""

from __future__ import annotations

import time
from _thread import allocate_lock
from email.utils import mktime_tz, parsedate_tz


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
