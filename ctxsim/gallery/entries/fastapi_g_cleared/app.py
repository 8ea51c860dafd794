"""A shop that keeps the customer in the `g` of fastapi-g-context.

Version 0.0.1 keeps the names of `g` in one dict for all and only their values by request. When a
request begins, its middleware forgets all names: those that wait have no customer any more.
"""

from __future__ import annotations

import asyncio

from fastapi_g_context import GlobalsMiddleware, g
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route


async def orders(request):
    g.customer = request.query_params["customer"]
    # The orders are in a database.
    await asyncio.sleep(0.001)
    return PlainTextResponse(f"orders of {g.customer}, tag {request.query_params['customer']}")


app = GlobalsMiddleware(Starlette(routes=[Route("/orders", orders)]))
