"""ASGI applications as they are: every framework clean, whatever befalls its requests."""

from __future__ import annotations

import pytest
from asgi_apps import DJANGO, FASTAPI, PLAIN, QUART, STARLETTE, STEPS
from driving import Lived, live, plan_of, step

from ctxsim.cell.plan import Expect, Faults, Load, Users

WORDS = ("sync", "tasks:10", "tasks:10:empty")
FAULTS = Faults(error=0.06, abort=0.06)
FRAMEWORKS = {
    "plain": PLAIN,
    "starlette": STARLETTE,
    "fastapi": FASTAPI,
    "quart": QUART,
    "django": DJANGO,
}


def carried(application, source: str, *steps, word: str = "tasks:10", **keys) -> Lived:
    kind = keys.pop("kind", "auto")
    return live(plan_of(*steps, target=application(source, kind=kind), workers=word, **keys))


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_clean_application_is_clean(application, framework, word):
    """Sessions, middleware, streams and background work, with errors and clients that leave."""
    lived = carried(application, FRAMEWORKS[framework], *STEPS, word=word, faults=FAULTS).finished()
    assert lived.findings == [], lived.told()
    assert lived.facts["kind"] == "asgi"
    # The one route that fails does so for everybody.
    assert set(lived.tally.failures) <= {"ValueError", "500"}, lived.told()
    assert lived.tally.compared > 90
    assert lived.tally.in_flight_peak == (1 if word == "sync" else 10)
    assert set(lived.tally.faults) == {"error", "abort"}


@pytest.mark.parametrize("framework", ["starlette", "fastapi", "quart", "django"])
def test_the_versions_of_frameworks_are_told(application, framework):
    lived = carried(application, FRAMEWORKS[framework], "GET /me?{canary}", load=Load(requests=5))
    assert lived.facts[framework][0].isdigit()


def test_bodies_come_in_parts_and_whole(application):
    """What arrives in several messages is the same as what arrives in one."""
    source = """
    async def app(scope, receive, send):
        body, parts, more = b"", 0, True
        while more:
            message = await receive()
            body, parts, more = body + message["body"], parts + 1, message["more_body"]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"%d " % parts + body})
    """
    sent = step("POST /", body="<{canary}>", expect=Expect(contains=("<{canary}>",)))
    parts = {
        count: carried(
            application,
            source,
            step("POST /", body="<{canary}>", expect=Expect(contains=(f"{count} <",))),
            load=Load(requests=40),
        )
        for count in (1, 3)
    }
    assert carried(application, source, sent).finished().findings == []
    # Each of the two numbers of parts is met by some requests, and missed by others.
    assert [0 < lived.findings[0].count < 40 for lived in parts.values()] == [True, True]


SCOPE = """
import json

async def app(scope, receive, send):
    told = {key: str(value) for key, value in scope.items()}
    told["names"] = " ".join(name.decode() for name, _ in scope["headers"])
    scope["extensions"]["mine"] = scope["state"]["mine"] = scope["query_string"].decode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(told).encode()})
"""


def test_a_scope_is_as_servers_make_it(application):
    """Paths decoded and raw, header names in lower case, and nothing that requests would share."""
    expect = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "path": "/caf\u00e9 au",
        "raw_path": "b'/caf%C3%A9%20au'",
        "root_path": "",
        "scheme": "http",
        "extensions": "{}",
        "state": "{}",
        "names": "host x-tag",
    }
    sent = step(
        "GET /caf%C3%A9%20au?{canary}",
        headers=(("X-Tag", "{canary}"),),
        expect=Expect(json=tuple(expect.items())),
    )
    lived = carried(application, SCOPE, sent, word="sync", load=Load(requests=30)).finished()
    assert lived.findings == [], lived.told()


LIFESPAN = """
import contextvars, os

known = contextvars.ContextVar("known", default="nothing")
known.set("import")
told = []

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        assert (await receive())["type"] == "lifespan.startup"
        known.set("lifespan")
        scope["state"]["started"] = "yes"
        await send({"type": "lifespan.startup.complete"})
        assert (await receive())["type"] == "lifespan.shutdown"
        os.write(1, b"shut down")
        await send({"type": "lifespan.shutdown.complete"})
        return
    body = f"{scope['state']['started']} {known.get()} ".encode() + scope["query_string"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})
"""


@pytest.mark.parametrize(
    ("word", "seen"), [("tasks:4", "import"), ("tasks:4:empty", "nothing"), ("sync", "import")]
)
def test_a_lifespan_has_a_context_of_its_own(application, word, seen):
    """Its state reaches requests, its context variables do not; it is ended at the end."""
    sent = step("GET /?{canary}", expect=Expect(contains=(f"yes {seen} ",)))
    lived = carried(application, LIFESPAN, sent, word=word, load=Load(requests=30)).finished()
    assert lived.findings == [], lived.told()
    assert lived.stdout == "shut down"


def _at_startup(line: str) -> str:
    return f"""
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        {line}
        return
    await send({{"type": "http.response.start", "status": 200, "headers": []}})
    await send({{"type": "http.response.body", "body": scope["query_string"]}})
"""


def test_a_startup_that_failed_ends_the_cell_before_any_request(application):
    failing = _at_startup('await send({"type": "lifespan.startup.failed", "message": "no db"})')
    lived = carried(application, failing, "GET /?{canary}")
    assert lived.ending is not None
    assert (lived.ready, lived.tally.requests) == (False, 0)
    assert (lived.ending.kind, lived.ending.message) == (
        "import",
        "app:app could not start up: no db",
    )


def test_what_starlette_says_of_a_failed_startup_is_told(application):
    source = """
    import contextlib
    from starlette.applications import Starlette

    @contextlib.asynccontextmanager
    async def lifespan(app):
        raise LookupError("no database")
        yield

    app = Starlette(lifespan=lifespan)
    """
    lived = carried(application, source, "GET /?{canary}")
    assert lived.ending is not None
    assert lived.ending.message == "app:app could not start up: LookupError: no database"
    assert "LookupError" in lived.ending.stacks[0]


def test_a_startup_that_exits_ends_the_cell_as_an_import_does(application):
    lived = carried(application, _at_startup("raise SystemExit(3)"), "GET /?{canary}")
    assert lived.ending is not None
    assert lived.ending.kind == "import"
    assert "SystemExit(3)" in lived.ending.message


@pytest.mark.parametrize("line", ["raise ValueError", "pass"])
def test_an_application_without_a_lifespan_goes_without(application, line):
    lived = carried(application, _at_startup(line), "GET /?{canary}", load=Load(requests=30))
    assert lived.finished().tally.compared == 30


def test_a_shutdown_or_task_that_never_ends_holds_nobody_up(application):
    """A lifespan that ignores its end, and tasks that refuse to be cancelled."""
    source = """
    import asyncio

    left = []

    async def forever():
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                pass

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            await send({"type": "lifespan.startup.complete"})
            await forever()
        left.append(asyncio.create_task(forever()))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope["query_string"]})
    """
    keys = {"load": Load(requests=30), "keeps": ("app:left",)}
    lived = carried(application, source, "GET /?{canary}", **keys).finished()
    assert (lived.findings, lived.tally.compared) == ([], 30), lived.told()


def test_an_application_that_ends_its_process_ends_its_cell(application):
    """SystemExit in a task of the application's own ends the loop, as it would a server's."""
    source = """
    import asyncio

    async def leave():
        raise SystemExit(3)

    async def app(scope, receive, send):
        if scope["type"] == "http":
            await asyncio.create_task(leave())
    """
    lived = carried(application, source, "GET /?{canary}")
    assert lived.ending is not None
    assert (lived.ending.kind, "SystemExit(3)" in lived.ending.message) == ("exit", True)


def test_requests_that_wait_for_each_other_show_where(application):
    """A hang is told with what each request's coroutine waits for, not only the idle loop."""
    source = """
    import asyncio

    never = asyncio.Event()

    async def wait_for_ever():
        await never.wait()

    async def app(scope, receive, send):
        if scope["type"] == "http":
            await wait_for_ever()
    """

    def hang_up(message, channel):
        if message["say"] == "stacks":
            channel.close()

    target = application(source)
    plan = plan_of("GET /?{canary}", target=target, workers="tasks:4", stall_s=0.5)
    lived = live(plan, hear=hang_up)
    told = [each for each in lived.stacks if each.startswith("task with ")]
    assert len(told) == 4
    assert "await never.wait()" in told[0]


@pytest.mark.parametrize(
    "word", ["threads:4", "greenlets:4", "threads:2 x greenlets:2", "tasks:4:to_thread"]
)
def test_workers_that_are_no_tasks_do_not_suit(application, word):
    lived = carried(application, PLAIN, "GET /me?{canary}", word=word)
    assert lived.ending is not None
    assert (lived.ending.kind, lived.ready) == ("unsuited", False)
    assert f"{word} cannot carry app:app" in lived.ending.message


CALLABLES = """
import functools

async def plain(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["query_string"]})

class Middleware:
    def __init__(self, app):
        self.app = app
    async def __call__(self, scope, receive, send):
        await self.app(scope, receive, send)

class Derived(Middleware):
    pass

async def prefixed(prefix, scope, receive, send):
    await plain(scope, receive, send)

instance = Middleware(plain)
derived = Derived(plain)
method = instance.__call__
partial = functools.partial(prefixed, "x")
def wraps(scope, receive, send):
    return plain(scope, receive, send)
def factory():
    return instance

def double(scope):
    async def inner(receive, send):
        await plain(scope, receive, send)
    return inner

class Double:
    def __init__(self, scope):
        self.scope = scope
    async def __call__(self, receive, send):
        await plain(self.scope, receive, send)

class Wsgi:
    def __call__(self, environ, start_response):
        start_response("200 OK", [])
        return [b""]
wsgi = Wsgi()
"""


@pytest.mark.parametrize(
    ("name", "kind"),
    [(name, "auto") for name in ("plain", "instance", "derived", "method", "partial", "factory()")]
    + [("wraps", "asgi"), ("plain", "asgi")],
)
def test_every_callable_of_asgi_3_is_known(application, name, kind):
    target = application(CALLABLES, app=f"app:{name}", kind=kind)
    plan = plan_of("GET /?{canary}", target=target, workers="tasks:4", load=Load(requests=10))
    lived = live(plan).finished()
    assert (lived.facts["kind"], lived.tally.compared) == ("asgi", 10)


@pytest.mark.parametrize(
    ("name", "kind", "hint"),
    [
        ("wraps", "auto", "write kind: asgi"),
        ("instance", "wsgi", "write kind: asgi"),
        ("double", "auto", "guarantee_single_callable"),
        ("Double", "auto", "guarantee_single_callable"),
        ("Double", "asgi", "guarantee_single_callable"),
        ("Middleware", "asgi", "name an instance of it"),
        ("wsgi", "asgi", "name an ASGI callable"),
        ("factory", "asgi", "name an ASGI callable, or a factory with '()'"),
        ("functools", "asgi", "name an ASGI callable"),
    ],
)
def test_what_is_no_asgi_3_is_refused_with_what_to_write(application, name, kind, hint):
    lived = live(plan_of("GET /", target=application(CALLABLES, app=f"app:{name}", kind=kind)))
    assert lived.ending is not None
    assert lived.ending.kind == "import"
    assert hint in lived.ending.hint


def test_all_users_are_in_flight_at_once(application):
    """A step that waits for a hundred others is met by them."""
    source = """
    import asyncio

    inside = []
    all_there = asyncio.Event()

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            return
        inside.append(1)
        if len(inside) == 100:
            all_there.set()
        await all_there.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope["query_string"]})
    """
    users = Users(count=100, visitor=False)
    lived = carried(application, source, "GET /?{canary}", word="tasks:100", users=users).finished()
    assert (lived.tally.in_flight_peak, lived.tally.compared) == (100, 200)
