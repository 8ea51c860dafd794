"""The same with a dependency that is a coroutine, and runs where the page does."""

from __future__ import annotations

from contextvars import ContextVar

from fastapi import Depends, FastAPI
from fastapi.responses import PlainTextResponse

tenant: ContextVar[str] = ContextVar("tenant", default="the main tenant")


async def of_tenant(tenant_name: str) -> None:
    tenant.set(tenant_name)


app = FastAPI(dependencies=[Depends(of_tenant)])


@app.get("/invoices", response_class=PlainTextResponse)
async def invoices(tag: str) -> str:
    return f"{tag}: invoices of {tenant.get()}"
