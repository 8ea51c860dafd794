"""A shop with MicroPie.

MicroPie before 0.9.2 keeps the query of the current request on the application object, of which
there is one. While one request waits for the database, the next one puts its own query there.
"""

from __future__ import annotations

import asyncio

import MicroPie


# It was renamed with the fix.
class Shop(getattr(MicroPie, "App", None) or MicroPie.Server):
    async def orders(self):
        # The orders are in a database.
        await asyncio.sleep(0.001)
        # With the fix, the request has an object of its own.
        request = getattr(self, "request", self)
        return f"orders of {request.query_params['customer'][0]}"


app = Shop()
