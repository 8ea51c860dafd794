"""Work that outlives its request (CTX301) or does not get its context (CTX302), with real cells."""

from __future__ import annotations

import functools
import re
import textwrap
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from driving import Lived, live, plan_of

from ctxsim.cell.checks import Finding
from ctxsim.cell.plan import Faults, Load, Target

HEADERS = {
    "flask": """
from flask import Flask, copy_current_request_context, g, has_request_context, request, session
from flask import Response, stream_with_context
app = Flask(__name__)
""",
    "runtime": """
from ctxsim.runtime import App, copy_current_request_context, g, has_request_context, request
from ctxsim.runtime import Response, session, stream_with_context
app = App(__name__)
""",
}
COMMON = """
import contextvars, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
import ctxsim
app.secret_key = "a key for tests"
app.config["PROPAGATE_EXCEPTIONS"] = False
pool = ThreadPoolExecutor(4)
works = []
imported_at = time.perf_counter()

def later(work):
    time.sleep(0.05)
    work()

"""
VIEW = """
def {work}():
    return {use}

@app.route("/{name}")
def {name}():
    tag = request.args["tag"]
    session["tag"] = g.tag = tag
{body}
    return tag
"""
WORDS = ("sync", "threads:4", "greenlets:20", "tasks:10:to_thread")
FRAMEWORKS = ("flask", "runtime")
# How many requests each of several views gets.
EACH = 100


def view_of(name: str, body: str, use: str, work: str = "mail") -> str:
    """A view, and the work that its body has done: `mail`, if under another name."""
    body = textwrap.indent(re.sub(r"\bmail\b", work, body.strip()), "    ")
    return VIEW.format(name=name, body=body, work=work, use=use)


def lived(application: Any, framework: str, word: str, body: str, use: str, **keys: Any) -> Any:
    target = application(HEADERS[framework] + COMMON + view_of("say", body, use))
    return live(plan_of("GET /say?tag={canary}", target=target, workers=word, **keys)).finished()


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Lived]:
    """Carries requests to several views, once for each framework and workers."""

    @functools.cache
    def live_once(framework: str, word: str, kind: str) -> Lived:
        bodies, use = TOGETHER[kind]
        routes = [f"view_{number}" for number in range(len(bodies))]
        # The same work is one finding, whoever started it: so each has its own.
        views = (
            view_of(route, body, use, f"mail_of_{route}")
            for route, body in zip(routes, bodies.values(), strict=True)
        )
        folder = tmp_path_factory.mktemp("together")
        source = HEADERS[framework] + COMMON + "".join(views)
        (folder / "app.py").write_text(source, encoding="utf-8")
        steps = [f"GET /{route}?tag={{canary}}" for route in routes]
        target = Target("app:app", "auto", (str(folder),))
        load = Load(requests=EACH * len(routes))
        return live(plan_of(*steps, target=target, workers=word, load=load)).finished()

    return live_once


def of_view(lived: Lived, bodies: Mapping[str, str], name: str) -> list[Finding]:
    """What was found in the view of one body, or in none of another's."""
    others = {f"GET /view_{i}" for i, each in enumerate(bodies) if each != name}
    return [each for each in lived.findings if each.victim.route not in others]


COPIED = """
context = contextvars.copy_context()
threading.Thread(target=later, args=(lambda: context.run(mail),)).start()
"""
WITH_CONTEXT = """
threading.Thread(target=later, args=(copy_current_request_context(mail),)).start()
"""


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize(
    ("body", "use", "name"),
    [
        (COPIED, "request.path", "request"),
        (COPIED, "g.tag", "g"),
        (WITH_CONTEXT, "session.get('tag')", "session"),
    ],
    ids=["request", "g", "session"],
)
def test_work_that_outlives_its_request(application, framework, word, body, use, name):
    found = lived(application, framework, word, body, use)
    assert found.codes == {"CTX301"}, found.told()
    [finding] = found.findings
    assert finding.where[0].function == "mail"
    assert f"its {name} in mail" in finding.story[0]
    assert finding.victim.route == "GET /say"


LOST = {
    "a thread": "threading.Thread(target=mail).start()",
    "a thread, while the request waits": "t = threading.Thread(target=mail); t.start(); t.join()",
    "an executor": "pool.submit(mail)",
    "an executor's map": "pool.map(lambda _: mail(), [1, 2])",
    "a timer": "threading.Timer(0.001, mail).start()",
}


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("name", LOST)
def test_work_that_finds_no_context(together, framework, word, name):
    found = together(framework, word, "lost")
    [finding] = of_view(found, LOST, name)
    assert finding.code == "CTX302", found.told()
    where = finding.where[0]
    # From the folder of the import path: where that is on this machine says nothing.
    assert (where.file, where.function) == ("app.py", f"mail_of_view_{[*LOST].index(name)}")
    assert finding.count >= 0.75 * EACH


SILENT = {
    "the request waits for it": """
t = threading.Thread(target=copy_current_request_context(mail)); t.start(); t.join()
""",
    "it is handed plain values": "threading.Thread(target=later, args=(tag.upper,)).start()",
    "it pushes a context of its own": """
def work():
    with app.test_request_context("/other"):
        mail()
threading.Thread(target=work).start()
""",
    "it asks first": """
def work():
    if has_request_context():
        mail()
    if request:
        mail()
pool.submit(work)
""",
    "it catches the error": """
def work():
    try:
        mail()
    except RuntimeError:
        works.append(1)
threading.Thread(target=work).start()
""",
    "it fails for another reason": """
def work():
    raise RuntimeError("the mail server is away")
pool.submit(work)
threading.Thread(target=contextvars.copy_context().run, args=(mail,)).join
""",
    "it is part of a streamed answer": """
def parts():
    mail()
    yield tag
return Response(stream_with_context(parts()))
""",
}


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("name", SILENT)
def test_what_is_nothing(together, framework, word, name):
    found = together(framework, word, "silent")
    assert of_view(found, SILENT, name) == [], found.told()
    assert found.tally.compared == found.tally.requests == EACH * len(SILENT)


# Bodies that are told apart by their routes, and what `mail` uses.
TOGETHER = {
    "lost": (LOST, "request.path"),
    "silent": (SILENT, "request.path, g.get('tag'), session"),
}


def spawning(body: str) -> str:
    return f"import gevent, gevent.pool\n{body}"


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize(
    "body",
    [
        "gevent.spawn(mail)",
        "gevent.spawn(mail).join()",
        "gevent.pool.Pool(2).spawn(mail)",
        "gevent.spawn_later(0.001, mail)",
    ],
)
def test_a_greenlet_that_finds_no_context(application, framework, body):
    found = lived(application, framework, "greenlets:20", spawning(body), "request.path")
    assert found.codes == {"CTX302"}, found.told()
    assert "a greenlet (mail)" in found.findings[0].story[0]


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_greenlet_that_outlives_its_request(application, framework):
    body = spawning("gevent.spawn(later, copy_current_request_context(mail))")
    found = lived(application, framework, "greenlets:20", body, "request.path")
    assert found.codes == {"CTX301"}, found.told()


def test_a_thread_class_of_its_own_and_an_error_that_has_the_missing_context_as_its_cause(
    application,
):
    body = """
class Mailing(threading.Thread):
    def run(self):
        try:
            mail()
        except RuntimeError as error:
            raise ValueError("no mail") from error
Mailing().start()
"""
    found = lived(application, "flask", "threads:4", body, "request.path")
    assert found.codes == {"CTX302"}, found.told()
    assert found.findings[0].where[0].function == "mail"


def test_whoever_started_work_sees_it_as_it_is(application):
    """Neither the printed traceback nor that of what `result` raises has a line more."""
    body = """
threading.Thread(target=mail, name="mailing").start()
try:
    pool.submit(mail).result()
except RuntimeError as error:
    import traceback
    print([each.name for each in traceback.extract_tb(error.__traceback__)][:5], flush=True)
"""
    keys = {"load": Load(requests=3)}
    found = lived(application, "flask", "sync", body, "request.path", **keys)
    # An executor that was faster than the request has its error asked for in one step less.
    through = {"['say', 'result', '__get_result', 'run', 'mail']"}
    through.add("['say', '__get_result', 'run', 'mail']")
    lines = found.stdout.splitlines()
    assert len(lines) == 3
    assert set(lines) <= through
    assert "Exception in thread mailing" in found.stderr
    printed = found.stderr.partition("Exception in thread mailing")[2].partition("in mail")[0]
    assert "_bootstrap_inner" in printed
    assert "ctxsim" not in printed


def test_work_that_ends_after_the_last_request_is_waited_for(application):
    body = """
def is_waited_for():
    frame = sys._current_frames()[threading.main_thread().ident]
    while frame and not frame.f_code.co_filename.endswith("background.py"):
        frame = frame.f_back
    return frame is not None

def work():
    while not is_waited_for():
        time.sleep(0.01)
    print(time.perf_counter() - imported_at, flush=True)
    time.sleep(0.3)
    mail()

threading.Thread(target=work).start()
"""
    keys = {"load": Load(requests=1)}
    found = lived(application, "flask", "sync", body, "request.path", **keys)
    assert found.codes == {"CTX302"}, found.told()
    # Waiting is no part of what the requests took, which begins after the import.
    assert found.tally.elapsed_s < float(found.stdout)


def test_work_that_never_ends_is_not_waited_for_long(application):
    body = "threading.Thread(target=threading.Event().wait, daemon=True).start()"
    keys = {"load": Load(requests=1)}
    found = lived(application, "flask", "sync", body, "request.path", **keys)
    assert found.findings == [], found.told()


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("word", ["sync", "greenlets:20"])
def test_work_that_a_request_would_have_waited_for_had_its_client_stayed(
    application, framework, word
):
    body = """
def parts():
    yield tag
    work.join()
    yield "."
work = threading.Thread(target=later, args=(copy_current_request_context(mail),))
work.start()
return Response(stream_with_context(parts()))
"""
    keys = {"load": Load(requests=40), "faults": Faults(abort=0.3)}
    found = lived(application, framework, word, body, "request.path", **keys)
    assert found.findings == [], found.told()
    assert found.tally.faults["abort"] > 3
