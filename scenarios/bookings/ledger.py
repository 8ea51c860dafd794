"""Who has booked what: the latest bookings of each guest, and a log of what was done."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field

_LATEST = 5
NIGHTS = {"attic": 3, "garden": 7}


class FullError(Exception):
    """A room cannot be had for so many nights."""


@dataclass(frozen=True)
class Booking:
    guest: str
    room: str
    nights: int
    note: str


@dataclass
class Ledger:
    """The bookings of all guests."""

    bookings: dict[str, deque[Booking]] = field(default_factory=dict)
    log: deque[str] = field(default_factory=lambda: deque(maxlen=50))

    async def book(self, booking: Booking) -> None:
        await asyncio.sleep(0.001)
        if booking.nights > NIGHTS[booking.room]:
            raise FullError(f"{booking.room} for {booking.guest}")
        self.bookings.setdefault(booking.guest, deque(maxlen=_LATEST)).append(booking)

    def of(self, guest: str) -> list[Booking]:
        """Blocks, as a driver without asyncio does; endpoints that call it are not async."""
        time.sleep(0.001)  # noqa: TID251 - it stands for a query
        return list(self.bookings.get(guest, ()))

    def note_down(self, text: str) -> None:
        self.log.append(text)
