"""Login and logout."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

from notes.people import current_person


async def log_in(request: Request) -> Response:
    async with request.form() as form:
        name = str(form.get("name", ""))
    if not name:
        return PlainTextResponse("no name", status_code=400)
    request.session.clear()
    request.session["person"] = name
    return RedirectResponse("/notes", status_code=303)


async def log_out(request: Request) -> Response:
    request.session.clear()
    return RedirectResponse("/", status_code=303)


async def me(request: Request) -> Response:
    tag = request.query_params.get("tag", "")
    same = request.session.get("person")
    return JSONResponse({"person": current_person(), "same": same, "tag": tag})
