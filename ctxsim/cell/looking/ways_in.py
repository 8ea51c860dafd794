"""Which routes make a user known, let one in and let one out, by the words of their paths; and how
one that is refused is to say who one is."""

from __future__ import annotations

import re
from collections.abc import Iterable
from http import HTTPStatus

from ctxsim.cell.looking.vocabulary import TOKENS
from ctxsim.cell.sights import Read, Route
from ctxsim.cell.visits import Response

_LOGIN = re.compile(r"log[-_]?in|sign[-_]?in", re.IGNORECASE)
# Prefixes of whole parts of applications have these, too, so they count where nothing says more.
_SESSION = re.compile(r"auth(?!ors?\b)|session", re.IGNORECASE)
_REGISTER = re.compile(r"regist(er|ration)|sign[-_]?up", re.IGNORECASE)
_EXIT = re.compile(r"log[-_]?out|sign[-_]?out", re.IGNORECASE)
# What is a user's own, and what is done to it where it ends.
_OWN = re.compile(r"(my[-_]?)?(me|self|account|profile|user)|tokens?", re.IGNORECASE)
_ENDING = re.compile(r"close|deactivate|delete|remove|revoke|terminate|end", re.IGNORECASE)
_NO_LOGIN = 4
# As a read of the header is known by: by Basic alone, also by a token, or by a token of that kind.
_SCHEMES = {"basic": "basic", "bearer": "header", **{each: each for each in TOKENS}}


def lets_out(path: str) -> bool:
    """Whether a path ends a user's session."""
    return _EXIT.search(path) is not None


def ends_stay(route: Route) -> bool:
    """Whether a route ends a user's session, or the account, by whatever word."""
    *before, last = ["", *route.path.rstrip("/").split("/")]
    if route.method == "DELETE":
        return lets_out(route.path) or _is_own(last)
    is_ended = not route.is_safe and _ENDING.fullmatch(last) and any(map(_is_own, before))
    return lets_out(route.path) or bool(is_ended)


def _is_own(part: str) -> bool:
    return any((_OWN.fullmatch(part), _LOGIN.search(part), _SESSION.search(part)))


def asks_in(path: str) -> bool:
    """Whether a path is where those are sent who are not known."""
    return any(each.search(path) for each in (_LOGIN, _SESSION))


def registers(route: Route) -> bool:
    """Whether a route makes a user known to the application: it may refuse who is known already."""
    return not route.is_safe and _REGISTER.search(_last(route.path)) is not None


def logins(routes: Iterable[Route]) -> list[Route]:
    """The routes that let a user in: of those that may, the ones whose paths say so best."""
    ranks = [(route, _rank(route)) for route in routes]
    best = min((rank for _, rank in ranks), default=_NO_LOGIN)
    return [route for route, rank in ranks if rank == best < _NO_LOGIN]


def _rank(route: Route) -> int:
    path = route.path
    if route.is_safe or route.method == "DELETE" or lets_out(path) or registers(route):
        return _NO_LOGIN
    tries = ((_LOGIN, _last(path)), (_LOGIN, path), (_SESSION, _last(path)), (_SESSION, path))
    found = (rank for rank, (words, text) in enumerate(tries) if words.search(text))
    return next(found, _NO_LOGIN)


def _last(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]


def asked_for(response: Response) -> Read | None:
    """How an answer says that it would be told who asks; None where it does not (RFC 9110, 11.6.1).

    A library often reads that, and the application's own source says nothing of it.
    """
    if response.status != HTTPStatus.UNAUTHORIZED:
        return None
    for name, value in response.headers:
        if name.lower() == "www-authenticate":
            kind = _SCHEMES.get(value.partition(" ")[0].rstrip(",").lower())
            if kind is not None:
                return Read("auth", kind)
    return None
