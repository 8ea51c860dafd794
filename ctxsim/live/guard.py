"""Who may speak to the web UI: no page of another site, under no name but our own.

Locust asks neither where a request comes from nor what it calls us, so that any page in the same
browser could start loads (CSRF), or read what was found (DNS rebinding).
"""

from __future__ import annotations

import ipaddress
import socket
import threading
from dataclasses import dataclass
from urllib.parse import urlsplit

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
# What Locust binds to all interfaces by: then we go by any address, and by names of this machine.
_ANYWHERE = frozenset({"", "*", "0.0.0.0", "::"})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
# Earlier versions of Locust change things by these, although they are asked for with GET.
_CHANGING = ("/stats/reset", "/stop")
# All browsers say so, and a page cannot change it without asking first (CORS), which is refused.
_BROWSER = "Mozilla/"
# How long the full name of this machine is asked for: without a DNS that answers, it takes minutes.
_NAME_S = 2.0


@dataclass(frozen=True, slots=True)
class Names:
    """Under which names a server may be addressed; also under any address, or any name at all."""

    known: frozenset[str]
    any_address: bool = False
    any_name: bool = False

    @classmethod
    def of(cls, bound_to: str, *, also: str = "", asks_who: bool = False) -> Names:
        """The names of a server that is bound to this, and that its user calls `also`.

        A name may be led to us by whoever owns it (DNS rebinding), an address cannot. Where a
        server asks who speaks, the cookie that tells it goes with one name, whatever it is.
        """
        known = LOOPBACK | ({_name(also.rpartition("://")[2])} - {""})
        if bound_to not in _ANYWHERE:
            return cls(known | {bound_to.lower()})
        ours = {socket.gethostname().lower(), _full_name().lower()}
        return cls(known | ours, any_address=True, any_name=asks_who)

    def has(self, name: str) -> bool:
        """Whether it is one of them."""
        return name in self.known or self.any_name or (self.any_address and _is_address(name))


@dataclass(frozen=True, slots=True)
class Asked:
    """What of a request says where it comes from; None where a header is not there."""

    method: str
    path: str
    host: str
    origin: str | None = None
    fetch_site: str | None = None
    referer: str | None = None
    agent: str = ""

    @property
    def changes(self) -> bool:
        """Whether it changes anything."""
        return self.method not in _SAFE or self.path.endswith(_CHANGING)


def refusal(names: Names, asked: Asked) -> str:
    """Why a request is refused; '' if it is not."""
    if not names.has(_name(asked.host)):
        more = "; if it is, say --web-host-display-name" if names.any_address else ""
        return f"this server is not called {asked.host}{more}"
    if asked.origin is not None and not _is_of(asked.origin, asked.host):
        return f"the request comes from {asked.origin}"
    return _refused_change(asked) if asked.changes else ""


def _refused_change(asked: Asked) -> str:
    """The same for one that changes things, and that comes from no other origin as far as it says.

    A browser says by one of three headers where such a request comes from: Sec-Fetch-Site and
    Origin, which old ones left out of forms, and Referer, which a page may have them leave out. One
    that says nothing comes from no browser, as a script's, or from one that cannot be told apart
    from an attack. As in Go's `net/http.CrossOriginProtection`, but for Referer and old browsers.
    """
    if asked.fetch_site is not None:
        is_ours = asked.fetch_site in ("same-origin", "none")
        return "" if is_ours else "the request comes from another site"
    if asked.origin is not None:
        return ""
    if asked.referer is not None:
        return "" if _is_of(asked.referer, asked.host) else "the request comes from another page"
    is_of_browser = asked.agent.startswith(_BROWSER)
    return "a browser sent the request, and does not say from where" if is_of_browser else ""


def _full_name() -> str:
    """This machine's name with its domain; without, where nobody tells it in time."""
    told: list[str] = []
    asking = threading.Thread(target=lambda: told.append(socket.getfqdn()), daemon=True)
    asking.start()
    asking.join(_NAME_S)
    return told[0] if told else socket.gethostname()


def _is_of(address: str, host: str) -> bool:
    try:
        return urlsplit(address).netloc.lower() == host.lower()
    except ValueError:
        return False


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _name(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""
