"""Rooms: to be seen by all, booked by guests, and listed as they are read."""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi import APIRouter, BackgroundTasks
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from bookings.dependencies import TheGuest, TheLedger, TheVisit
from bookings.ledger import NIGHTS, Booking

router = APIRouter()


class Wish(BaseModel):
    room: str
    nights: int = Field(gt=0)
    note: str = ""


class Made(BaseModel):
    guest: str
    room: str
    note: str
    tag: str


@router.get("/rooms")
async def rooms(visit: TheVisit) -> dict[str, object]:
    return {"rooms": sorted(NIGHTS), "tag": visit.tag}


@router.get("/rooms/{name}")
async def room(name: str, visit: TheVisit) -> dict[str, object]:
    return {"room": name, "nights": NIGHTS.get(name, 0), "tag": visit.tag}


@router.post("/bookings", status_code=201)
async def book(
    wish: Wish, guest: TheGuest, visit: TheVisit, ledger: TheLedger, later: BackgroundTasks
) -> Made:
    await ledger.book(Booking(guest, wish.room, wish.nights, wish.note))
    later.add_task(ledger.note_down, f"{guest} booked {wish.room}")
    return Made(guest=guest, room=wish.room, note=wish.note, tag=visit.tag)


@router.get("/bookings")
def bookings(guest: TheGuest, visit: TheVisit, ledger: TheLedger) -> list[Made]:
    return [
        Made(guest=each.guest, room=each.room, note=each.note, tag=visit.tag)
        for each in ledger.of(guest)
    ]


@router.get("/bookings.csv")
async def export(guest: TheGuest, visit: TheVisit, ledger: TheLedger) -> StreamingResponse:
    booked = list(ledger.bookings.get(guest, ()))
    return StreamingResponse(_lines(guest, booked, visit.tag), media_type="text/csv")


async def _lines(guest: str, booked: list[Booking], tag: str) -> AsyncIterator[str]:
    yield f"guest,{guest}\n"
    for each in booked:
        yield f"{each.room},{each.note}\n"
    yield f"end,{tag}\n"
