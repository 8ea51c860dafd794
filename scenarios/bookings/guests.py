"""Login, logout, and who is there."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from pydantic import BaseModel

from bookings.dependencies import TheVisit, current_guest

router = APIRouter()


class Me(BaseModel):
    guest: str | None
    same: str | None
    tag: str


@router.post("/login")
async def log_in(request: Request, name: Annotated[str, Form()], tag: str = "") -> Me:
    request.session.clear()
    request.session["guest"] = name
    return Me(guest=name, same=name, tag=tag)


@router.post("/logout")
async def log_out(request: Request, visit: TheVisit) -> Me:
    request.session.clear()
    return Me(guest=None, same=None, tag=visit.tag)


@router.get("/me")
async def me(visit: TheVisit) -> Me:
    return Me(guest=visit.guest, same=current_guest(), tag=visit.tag)


@router.get("/me/slowly")
def me_slowly(visit: TheVisit) -> Me:
    return Me(guest=visit.guest, same=current_guest(), tag=visit.tag)
