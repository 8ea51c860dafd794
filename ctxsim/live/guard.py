"""Who may speak to the web UI: no page of another site, under no name but our own.

Locust asks neither where a request comes from nor what it calls us, so that any page in the same
browser could start loads (CSRF), or read what was found (DNS rebinding).
"""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
# What Locust binds to all interfaces by: then we go by names that nobody knows beforehand.
_ANYWHERE = frozenset({"", "*", "0.0.0.0", "::"})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
# Locust changes things by these, although they are asked for with GET.
_CHANGING = ("/stats/reset",)


def names_of(bound_to: str) -> frozenset[str] | None:
    """Under which names a server may be addressed; None where any may be right."""
    return None if bound_to in _ANYWHERE else LOOPBACK | {bound_to.lower()}


def refusal(
    names: Collection[str] | None,
    *,
    method: str,
    path: str,
    host: str,
    origin: str | None,
    fetch_site: str | None,
) -> str:
    """Why a request is refused, by its headers Host, Origin and Sec-Fetch-Site; '' if it is not."""
    if names is not None and _name(host) not in names:
        return f"this server is not called {host}"
    if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
        return f"the request comes from {origin}"
    changes = method not in _SAFE or path.endswith(_CHANGING)
    if changes and fetch_site not in (None, "same-origin", "none"):
        return "the request comes from another site"
    return ""


def _name(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""
