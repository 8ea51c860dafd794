"""The notes: shown, added, exported line by line, and noted down after the response."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse

from notes.people import current_person, require_person
from notes.store import Store, wait


def store_of(request: Request) -> Store:
    store: Store = request.app.state.store
    return store


def tag_of(request: Request) -> str:
    return request.query_params.get("tag", "")


async def index(request: Request) -> Response:
    who = current_person() or "nobody"
    return PlainTextResponse(f"Notes, for {who}. {tag_of(request)}")


async def notes(request: Request) -> Response:
    person = require_person()
    lines = [f"Notes of {person}", *await store_of(request).of(person), tag_of(request)]
    return PlainTextResponse("\n".join(lines))


async def add(request: Request) -> Response:
    person = require_person()
    async with request.form() as form:
        text = str(form["text"])
    await store_of(request).add(person, text)
    noting = BackgroundTask(store_of(request).note_down, person, "added a note")
    return RedirectResponse("/notes", status_code=303, background=noting)


async def note(request: Request) -> Response:
    person = require_person()
    found = await store_of(request).of(person)
    number = request.path_params["number"]
    if not 0 < number <= len(found):
        raise HTTPException(404, "no such note")
    return PlainTextResponse(f"{person}, note {number}: {found[-number]} {tag_of(request)}")


async def export(request: Request) -> Response:
    person = require_person()
    found = await store_of(request).of(person)
    return StreamingResponse(_lines(person, found, tag_of(request)), media_type="text/plain")


async def _lines(person: str, found: list[str], tag: str) -> AsyncIterator[str]:
    yield f"notes of {person}\n"
    for text in found:
        await wait()
        yield f"{text}\n"
    # The middleware still waits for the response to end, so the person is known here, too.
    yield f"end of {current_person()}, {tag}\n"


async def echo(request: Request) -> Response:
    """The body as it comes in, in parts."""
    parts = [part async for part in request.stream()]
    await wait()
    return Response(b"".join(parts) + tag_of(request).encode(), media_type="text/plain")


async def slow(request: Request) -> Response:
    """What blocks runs in a thread, in a copy of the request's context."""
    who = await run_in_threadpool(_asked_in_a_thread)
    return PlainTextResponse(f"{who} waited. {tag_of(request)}")


def _asked_in_a_thread() -> str:
    time.sleep(0.001)  # noqa: TID251 - it stands for a call that blocks
    return current_person() or "nobody"
