"""What leaks in asyncio, found in real cells, and the correct twin of each, which is clean."""

from __future__ import annotations

import pytest
from driving import live, plan_of, step

from ctxsim.cell.plan import Expect, Faults, Users

HELD = """
import asyncio, contextvars, threading

async def reply(send, body):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})

class Held:
    pass

"""

APP = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return
    tag = scope["query_string"]
"""

# Name: (how a value is kept, the lines of the application).
BUGS = {
    "module global": (
        "held = Held()",
        ["held.tag = tag", "await asyncio.sleep(0)", "await reply(send, held.tag)"],
    ),
    "thread-local": (
        "held = threading.local()",
        ["held.tag = tag", "await asyncio.sleep(0)", "await reply(send, held.tag)"],
    ),
    "mutable default": (
        'held = contextvars.ContextVar("held", default={})',
        [
            'held.get()["tag"] = tag',
            "await asyncio.sleep(0)",
            'await reply(send, held.get()["tag"])',
        ],
    ),
    "set at import": (
        'held = contextvars.ContextVar("held")\nheld.set({})',
        [
            'held.get()["tag"] = tag',
            "await asyncio.sleep(0)",
            'await reply(send, held.get()["tag"])',
        ],
    ),
    "shared response": (
        'start = {"type": "http.response.start", "status": 200, "headers": []}',
        [
            'start["headers"][:] = [(b"x-tag", tag)]',
            "await asyncio.sleep(0)",
            "await send(start)",
            'await send({"type": "http.response.body", "body": tag})',
        ],
    ),
}
EXPECTED = {
    "module global": {"CTX201"},
    "thread-local": {"CTX201", "CTX401"},
    "mutable default": {"CTX201"},
    "set at import": {"CTX201", "CTX401"},
    "shared response": {"CTX201"},
}


def _source(bug: str) -> str:
    kept, lines = BUGS[bug]
    return HELD + kept + APP + "".join(f"    {line}\n" for line in lines)


@pytest.mark.parametrize("bug", BUGS)
def test_a_value_that_tasks_share_is_found(application, bug):
    target = application(_source(bug))
    kept = "app:start" if bug == "shared response" else "app:held"
    plan = plan_of("GET /?{canary}", target=target, workers="tasks:10", keeps=(kept,))
    lived = live(plan).finished()
    assert lived.codes == EXPECTED[bug], lived.told()


@pytest.mark.parametrize("bug", ["module global", "thread-local", "mutable default"])
def test_without_an_await_between_nothing_is_mixed_up(application, bug):
    """The correct twin: what is set is read before any other task can run, and taken away."""
    kept, lines = BUGS[bug]
    wait = "await asyncio.sleep(0)"
    take_away = {
        "module global": "held.tag = None",
        "thread-local": "del held.tag",
        "mutable default": "held.get().clear()",
    }
    order = [
        lines[0],
        f"body = {lines[-1][18:-1]}",
        take_away[bug],
        wait,
        "await reply(send, body)",
    ]
    source = HELD + kept + APP + "".join(f"    {line}\n" for line in order)
    target = application(source)
    lived = live(plan_of("GET /?{canary}", target=target, workers="tasks:10")).finished()
    assert (lived.findings, lived.tally.compared) == ([], 200), lived.told()


def test_a_mutable_value_set_at_import_is_not_inherited_by_an_empty_context(application):
    """What `tasks:N:empty` is for: a variable set at import is simply not set there."""
    source = _source("set at import").replace(
        'held.get()["tag"] = tag',
        'held.set({}) if held.get(None) is None else None; held.get()["tag"] = tag',
    )
    words = {"tasks:10": {"CTX201", "CTX401"}, "tasks:10:empty": set()}
    for word, codes in words.items():
        plan = plan_of("GET /?{canary}", target=application(source), workers=word)
        assert live(plan).finished().codes == codes


LEFT_IN_CONTEXT = (
    HELD
    + 'held = contextvars.ContextVar("held")'
    + APP
    + """
    token = held.set(tag)
    await asyncio.sleep(0)
    await reply(send, held.get())
"""
)


@pytest.mark.parametrize(
    ("word", "codes"), [("tasks:10", set()), ("tasks:10:empty", set()), ("sync", {"CTX401"})]
)
def test_a_variable_that_is_not_reset_is_residue_where_contexts_are_reused(
    application, word, codes
):
    target = application(LEFT_IN_CONTEXT)
    lived = live(plan_of("GET /?{canary}", target=target, workers=word)).finished()
    assert lived.codes == codes, lived.told()


def test_a_variable_that_is_reset_is_no_residue(application):
    target = application(LEFT_IN_CONTEXT + "    held.reset(token)\n")
    lived = live(plan_of("GET /?{canary}", target=target)).finished()
    assert lived.findings == [], lived.told()


def test_a_visitor_who_is_taken_for_a_user_is_found(application):
    """A name kept across an await, read for a visitor who never logged in."""
    source = (
        HELD
        + "held = Held()"
        + APP
        + """
    cookie = dict(scope["headers"]).get(b"authorization", b"")
    held.name = cookie or getattr(held, "name", b"")
    await asyncio.sleep(0)
    await reply(send, held.name + b" " + tag)
"""
    )
    sent = step(
        "GET /?{canary}", headers=(("Authorization", "{user.name}"),), mine=("{user.name}",)
    )
    visitors = step("GET /?{canary}")
    plan = plan_of(sent, visitors, target=application(source), workers="tasks:10")
    assert "CTX204" in live(plan).finished().codes


def test_a_lifespan_object_that_requests_write_to_is_found(application):
    """`state` is copied for each request, what is in it is not."""
    source = """
    import asyncio, contextlib
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    @contextlib.asynccontextmanager
    async def lifespan(app):
        yield {"current": {}}

    async def home(request):
        request.state.current["tag"] = request.url.query
        await asyncio.sleep(0)
        return PlainTextResponse(request.state.current["tag"])

    app = Starlette(lifespan=lifespan, routes=[Route("/", home)])
    """
    plan = plan_of("GET /?{canary}", target=application(source), workers="tasks:10")
    assert live(plan).finished().codes == {"CTX201"}


def test_a_leak_in_a_stream_is_found(application):
    """The second part of a streamed body is made after others have run."""
    source = (
        HELD
        + "held = Held()"
        + APP
        + """
    held.tag = tag
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": tag, "more_body": True})
    await send({"type": "http.response.body", "body": held.tag})
"""
    )
    keys = {"workers": "tasks:10", "keeps": ("app:held",)}
    plan = plan_of("GET /?{canary}", target=application(source), **keys)
    assert live(plan).finished().codes == {"CTX201"}


UNDONE = (
    HELD
    + """
held = Held()
held.tag = b""
"""
    + APP
    + """
    while (await receive()).get("more_body"):
        pass
    found, held.tag = held.tag, tag
    BODY
"""
)
FAILING = """await reply(send, found or tag)
    held.tag = b"" """
GUARDED = """try:
        await reply(send, found or tag)
    finally:
        held.tag = b"" """


@pytest.mark.parametrize("fault", ["error", "abort"])
@pytest.mark.parametrize(("body", "codes"), [(FAILING, {"CTX201"}), (GUARDED, set())])
def test_what_a_failing_request_leaves_behind_is_found(application, fault, body, codes):
    """Taken away only where all goes well; the correct twin takes it away in `finally`."""
    target = application(UNDONE.replace("BODY", body))
    faults = Faults(**{fault: 0.3})
    lived = live(plan_of("GET /?{canary}", target=target, faults=faults)).finished()
    assert lived.codes == codes, lived.told()
    assert lived.tally.faults[fault] > 20
    assert live(plan_of("GET /?{canary}", target=target)).finished().findings == []


QUART = """
import asyncio, contextvars
from quart import Quart, g, request, session

app = Quart(__name__)
app.secret_key = "s"
kept = {{}}

@app.before_request
async def before():
    g.tag = request.query_string.decode()

{more}

@app.get("/")
async def home():
    {view}
"""


def quart(application, view: str, more: str = "", *steps, word: str = "tasks:10", **keys):
    source = QUART.format(view=view.replace("\n", "\n    "), more=more)
    plan = plan_of(
        *(steps or ("GET /?{canary}",)), target=application(source), workers=word, **keys
    )
    return live(plan).finished()


def test_a_g_that_tasks_share_is_found_in_quart(application):
    """Every request is given the same object for its g."""
    more = "the = app.app_ctx_globals_class()\napp.app_ctx_globals_class = lambda: the"
    lived = quart(application, "await asyncio.sleep(0)\nreturn g.tag", more)
    assert {"CTX201", "CTX202"} <= lived.codes, lived.told()


def test_a_request_in_another_ones_context_is_found_in_quart(application):
    """A view that sets Quart's own variable to the context of whoever came first."""
    view = (
        "from quart import globals\n"
        'current = getattr(globals, "_cv_request", None) or globals._cv_app\n'
        'kept.setdefault("first", current.get())\n'
        'current.set(kept["first"])\n'
        "await asyncio.sleep(0)\n"
        "return request.query_string.decode()"
    )
    lived = quart(application, view)
    assert {"CTX202", "CTX104"} <= lived.codes, lived.told()


def test_a_session_that_tasks_share_is_found_in_quart(application):
    """A session interface that opens the same session for everybody."""
    more = (
        "from quart.sessions import SecureCookieSessionInterface\n"
        "class One(SecureCookieSessionInterface):\n"
        "    async def open_session(self, app, request):\n"
        '        if "one" not in kept:\n'
        '            kept["one"] = await super().open_session(app, request)\n'
        '        return kept["one"]\n'
        "app.session_interface = One()"
    )
    view = 'session["tag"] = g.tag\nawait asyncio.sleep(0)\nreturn g.tag'
    lived = quart(application, view, more)
    assert "CTX203" in lived.codes, lived.told()


def test_a_proxy_that_is_bound_too_early_is_found_in_quart(application):
    view = (
        "global bound\n"
        'bound = globals().get("bound") or request._get_current_object()\n'
        "return g.tag"
    )
    lived = quart(application, view)
    assert lived.codes == {"CTX205", "CTX402"}, lived.told()


def test_a_teardown_that_is_missed_is_found_in_quart(application):
    more = (
        "from quart import ctx\n"
        "async def pop(self, exc=None):\n"
        "    pass\n"
        'getattr(ctx, "RequestContext", ctx.AppContext).pop = pop'
    )
    lived = quart(application, "return g.tag", more)
    assert "CTX104" in lived.codes, lived.told()


def test_errors_in_hooks_are_injected_in_quart(application):
    """After the application's own hooks, so that what they set is left where nobody clears it."""
    more = (
        "@app.before_request\n"
        "async def remember():\n"
        '    g.found = kept.pop("tag", g.tag)\n'
        '    kept["tag"] = g.tag\n'
        "@app.after_request\n"
        "async def forget(response):\n"
        "    kept.clear()\n"
        "    return response"
    )
    view = "return g.found"
    errors = Faults(error=0.3)
    assert quart(application, view, more, word="sync").findings == []
    # Quart answers an error with a page of its own, and calls after_request functions for it.
    more = more.replace("kept.clear()", "kept.clear() if response.status_code == 200 else None")
    lived = quart(application, view, more, word="sync", faults=errors)
    assert lived.codes == {"CTX201"}, lived.told()
    assert lived.tally.faults["error"] > 20


def test_background_work_of_quart_is_its_requests(application):
    """A task that a request starts looks at its own request, though that has ended long ago."""
    view = (
        "async def later():\n"
        "    for _ in range(5):\n"
        "        await asyncio.sleep(0)\n"
        "    assert request.query_string.decode() == tag\n"
        "tag = g.tag\n"
        "g.task = asyncio.create_task(later())\n"
        "await asyncio.sleep(0)\n"
        "return tag"
    )
    lived = quart(application, view, users=Users(visitor=False))
    assert (lived.codes, lived.tally.compared) == ({"CTX301"}, 200), lived.told()


CONSUMER = """
jobs, consumers = asyncio.Queue(), set()

async def consume():
    while True:
        tag, answered = await jobs.get()
        answered.set_result(tag)

async def app(scope, receive, send):
    if not consumers:
        consumers.add(asyncio.create_task(consume()))
    answered = asyncio.get_running_loop().create_future()
    jobs.put_nowait((scope["query_string"], answered))
    await reply(send, await answered)
"""


def test_a_task_that_a_request_starts_for_all_keeps_nothing_of_it(application):
    """It lives in a copy of that request's context for as long as the application does."""
    target = application(HELD + CONSUMER)
    lived = live(plan_of("GET /?{canary}", target=target, workers="tasks:10")).finished()
    assert lived.codes == set(), lived.told()


def test_an_error_after_the_response_takes_nothing_back(application):
    """A background task that raises is told, and the answer is compared all the same."""
    source = (
        HELD
        + APP
        + """
    await reply(send, tag)
    raise LookupError("afterwards")
"""
    )
    sent = step("GET /?{canary}", expect=Expect(status=(200,)))
    lived = live(plan_of(sent, target=application(source), workers="tasks:10")).finished()
    assert lived.findings == [], lived.told()
    assert (lived.tally.compared, lived.tally.failures) == (200, {"LookupError": 200})


@pytest.mark.parametrize("word", ["sync", "tasks:10"])
def test_copies_of_a_context_have_teardowns_of_their_own_in_quart(application, word):
    """Quart tears each copy down: neither twice for one request, nor in another's context."""
    view = (
        "from quart import copy_current_request_context\n"
        "async def inner():\n"
        "    await asyncio.sleep(0)\n"
        "    return request.query_string.decode()\n"
        "def started():\n"
        "    return asyncio.create_task(copy_current_request_context(inner)())\n"
        "both = await asyncio.gather(started(), started())\n"
        'kept.setdefault("tasks", []).append(started())\n'
        'return " ".join(both)'
    )
    faults = Faults(error=0.05, abort=0.05)
    lived = quart(application, view, word=word, faults=faults, keeps=("app:kept",))
    assert lived.findings == [], lived.told()
    assert lived.tally.compared > 170


@pytest.mark.parametrize("word", ["sync", "tasks:10"])
def test_what_the_loop_will_call_later_is_neither_residue_nor_retention(application, word):
    """The loop is in a thread-local of asyncio's, and holds every request's callbacks."""
    source = (
        HELD
        + APP
        + """
    asyncio.get_running_loop().call_later(1000, print, tag)
    await asyncio.sleep(0)
    await reply(send, tag)
"""
    )
    plan = plan_of("GET /?{canary}", target=application(source), workers=word)
    lived = live(plan).finished()
    assert (lived.findings, lived.tally.compared) == ([], 200), lived.told()
