"""An invoice service that finds out the tenant in a dependency.

FastAPI runs a dependency that is a plain function in a thread, and the thread has a copy of the
context. What is set there ends with it: the page sees the default, and so the main tenant's data.
"""

from __future__ import annotations

from contextvars import ContextVar

from fastapi import Depends, FastAPI
from fastapi.responses import PlainTextResponse

tenant: ContextVar[str] = ContextVar("tenant", default="the main tenant")


def of_tenant(tenant_name: str) -> None:
    tenant.set(tenant_name)


app = FastAPI(dependencies=[Depends(of_tenant)])


@app.get("/invoices", response_class=PlainTextResponse)
async def invoices(tag: str) -> str:
    return f"{tag}: invoices of {tenant.get()}"
