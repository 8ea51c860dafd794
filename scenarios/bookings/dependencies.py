"""What endpoints ask for: the guest, the ledger, and a visit that ends with the request."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, HTTPException, Request

from bookings.ledger import Ledger


@dataclass
class Visit:
    """One request's own: who comes, and with what tag."""

    guest: str | None
    tag: str
    is_open: bool = True


_visit: ContextVar[Visit | None] = ContextVar("visit", default=None)


def current_guest() -> str | None:
    """The guest of the current visit, for code that no dependency reaches."""
    visit = _visit.get()
    return None if visit is None else visit.guest


async def visit(request: Request, tag: str = "") -> AsyncIterator[Visit]:
    made = Visit(request.session.get("guest"), tag)
    _visit.set(made)
    try:
        yield made
    finally:
        made.is_open = False
        _visit.set(None)


async def guest(visit: Annotated[Visit, Depends(visit)]) -> str:
    if visit.guest is None:
        raise HTTPException(401, "log in first")
    return visit.guest


async def ledger(request: Request) -> Ledger:
    kept: Ledger = request.app.state.ledger
    return kept


TheVisit = Annotated[Visit, Depends(visit)]
TheGuest = Annotated[str, Depends(guest)]
TheLedger = Annotated[Ledger, Depends(ledger)]
