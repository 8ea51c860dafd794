"""What could mislead the verdict: unusual but clean applications, and leaks in unusual places."""

from __future__ import annotations

import pytest
from driving import DEFAULT_FAULTS, live, plan_of, routes_of, step

from ctxsim.cell.plan import Expect, Load, Users

ODD = """
import threading
import ctxsim
from flask import (Blueprint, Flask, Response, abort, after_this_request,
                   copy_current_request_context, flash, g, get_flashed_messages,
                   has_request_context, redirect, request)

app = Flask(__name__)
app.secret_key = "a key for tests"

@app.before_request
def early():
    g.tag = request.args.get("tag", "")
    if request.path == "/early":
        return "early " + g.tag

@app.teardown_request
def know_it_still(error):
    assert g.get("tag", tag := request.args.get("tag", "")) == tag

@app.route("/head", methods=["HEAD"])
def head():
    return Response(headers={{"X-Tag": {0}}})

@app.route("/empty")
def empty():
    return Response(status=204, headers={{"X-Tag": {0}}})

@app.route("/unchanged")
def unchanged():
    return Response(status=304, headers={{"ETag": '"' + {0} + '"'}})

@app.route("/elsewhere")
def elsewhere():
    return redirect("/login?next=" + {0})

@app.route("/picture")
def picture():
    return Response(b"\\x89PNG\\xff\\x00" + {0}.encode() + b"\\xff\\xd9", content_type="image/png")

@app.route("/parts")
def parts():
    tag = {0}
    return Response((bytes([each]) for each in tag.encode()), content_type="text/plain")

@app.route("/latin")
def latin():
    return Response("", headers={{"X-Name": "J\\xfcrgen " + {0}}})

@app.route("/cookie")
def cookie():
    answer = Response("")
    answer.set_cookie("last", 'a "quoted" ' + {0})
    answer.set_cookie("last", {0}, path="/cookie")
    return answer

@app.errorhandler(404)
def missing(error):
    return "no page " + request.path + " for " + {0}, 404

@app.errorhandler(LookupError)
def failed(error):
    return "failed for " + {0}, 418

@app.route("/failing")
def failing():
    raise LookupError(g.tag)

@app.route("/forbidden")
def forbidden():
    abort(Response({0}, 403))

@app.route("/nested")
def nested():
    outer = g.tag
    with app.test_request_context("/head?tag=nobody"):
        g.tag = request.args["tag"]
        ctxsim.pause()
    g.tag = outer
    return g.tag + " " + {0}

@app.route("/nested-app")
def nested_app():
    with app.app_context():
        g.other = 1
        ctxsim.pause()
    return {0}

@app.route("/copied")
def copied():
    got = []
    @copy_current_request_context
    def work():
        got.append(request.args["tag"])
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return got[0] + {0}

@app.route("/bare-thread")
def bare_thread():
    got = []
    thread = threading.Thread(target=lambda: got.append(has_request_context()))
    thread.start()
    thread.join()
    return str(got) + {0}

@app.route("/afterwards")
def afterwards():
    @after_this_request
    def add(answer):
        answer.headers["X-After"] = {0}
        return answer
    return ""

@app.route("/flash")
def flashing():
    flash("for " + g.tag)
    return {0}

@app.route("/flashed")
def flashed():
    return " ".join(get_flashed_messages()) + {0}

admin = Blueprint("admin", __name__, url_prefix="/admin")

@admin.before_request
def of_admin():
    g.admin = g.tag

@admin.after_request
def signed(answer):
    answer.headers["X-Admin"] = g.admin
    return answer

@admin.teardown_request
def still_of_admin(error):
    assert g.admin == request.args["tag"]

@admin.route("/")
def index():
    return {0}

app.register_blueprint(admin)

def wrapped(wsgi_app):
    def middleware(environ, start_response):
        def start(status, headers, exc_info=None):
            return start_response(status, [*headers, ("X-Wrapped", environ["QUERY_STRING"])])
        return wsgi_app(environ, start)
    return middleware

last = {{}}
def other():
    # The tag of the request that came before this one.
    known = last.get("tag", "")
    last["tag"] = g.tag
    return known

app.wsgi_app = wrapped(app.wsgi_app)
"""
ODD_ROUTES = (
    "HEAD /head",
    "GET /empty",
    "GET /unchanged",
    "GET /elsewhere",
    "GET /picture",
    "GET /parts",
    "GET /latin",
    "GET /cookie",
    "GET /no-such-page",
    "GET /failing",
    "GET /forbidden",
    "GET /nested",
    "GET /nested-app",
    "GET /copied",
    "GET /bare-thread",
    "GET /afterwards",
    "GET /flash",
    "GET /flashed",
    "GET /admin/",
)
EXPECTED = Expect(status=(200, 204, 302, 304, 403, 404, 418))
ODD_STEPS = tuple(step(f"{route}?tag={{canary}}", expect=EXPECTED) for route in ODD_ROUTES)


@pytest.mark.parametrize("word", ["sync", "threads:4", "greenlets:20", "tasks:10:to_thread"])
def test_unusual_but_clean_ways_are_silent(application, word):
    """Early answers, nested contexts, test clients, copied contexts, redirects, blueprints, ..."""
    plan = plan_of(
        *ODD_STEPS,
        target=application(ODD.format("g.tag")),
        workers=word,
        faults=DEFAULT_FAULTS,
        load=Load(800),
    )
    lived = live(plan).finished()
    assert lived.findings == [], lived.told()
    assert lived.tally.failed == 0, lived.told()
    # All but the redirects, which are no answers yet.
    assert lived.tally.compared > 0.8 * (800 - sum(lived.tally.faults.values()))


def test_a_leak_is_found_wherever_it_shows(application):
    """The value of the request before, on each of the unusual ways."""
    plan = plan_of(*ODD_STEPS, target=application(ODD.format("other()")), load=Load(800))
    lived = live(plan).finished()
    assert routes_of(lived.findings, "CTX201") == set(ODD_ROUTES), lived.told()


FRAMEWORKS = {
    "flask": "from flask import Flask as App, Response, request",
    "runtime": "from ctxsim.runtime import App, Response, request",
}


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_pause_after_the_context_has_ended_is_no_lost_value(application, framework):
    """In a teardown of the app context, and in a stream that needs no context, there is none."""
    source = (
        FRAMEWORKS[framework]
        + """
import ctxsim
app = App(__name__)

@app.teardown_appcontext
def close(error):
    ctxsim.pause()

@app.route("/")
def index():
    tag = request.args["tag"]
    def parts():
        for part in ("one ", tag, " two"):
            ctxsim.pause()
            yield part
    return Response(parts())
"""
    )
    lived = live(plan_of("GET /?tag={canary}", target=application(source))).finished()
    assert lived.findings == [], lived.told()
    assert lived.tally.compared == 200


def test_a_request_that_a_view_makes_itself_is_no_request_of_ours(application):
    """`app.test_client()` in a view: the inner request's teardown is not the outer one's."""
    source = """
    import ctxsim
    from flask import Flask, g, request

    app = Flask(__name__)

    @app.route("/inner")
    def inner():
        ctxsim.pause()
        return "inner"

    @app.route("/")
    def index():
        g.tag = request.args["tag"]
        answer = app.test_client().get("/inner")
        ctxsim.pause()
        return answer.get_data(as_text=True) + g.tag
    """
    for word in ("sync", "greenlets:20"):
        plan = plan_of("GET /?tag={canary}", target=application(source), workers=word)
        lived = live(plan).finished()
        assert lived.findings == [], lived.told()
        assert lived.tally.compared == 200


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_middleware_hides_no_application(application, framework):
    """An application inside WSGI middleware is looked into all the same."""
    source = (
        FRAMEWORKS[framework]
        + """
inner = App(__name__)
inner.app_context().push()

@inner.route("/")
def index():
    return request.args["tag"]

def app(environ, start_response):
    return inner(environ, start_response)
"""
    )
    lived = live(plan_of("GET /?tag={canary}", target=application(source))).finished()
    assert "CTX102" in lived.codes, lived.told()


NAMES = """
from urllib.parse import parse_qs

def app(environ, start_response):
    name = parse_qs(environ["QUERY_STRING"]).get("name", ["nobody"])[0]
    start_response("200 OK", [])
    return [f"<p title='{name}'>{name}, one of {{others}}</p>".encode()]
"""


@pytest.mark.parametrize(
    ("others", "codes"),
    [
        ("user, user0, user001, superuser1, user1a, user99999", set()),
        ("user10", {"CTX201"}),
        ("user1", {"CTX201"}),
    ],
)
def test_names_are_told_from_one_another(application, others, codes):
    """user1 is not user10, and what merely looks like a name is nobody's."""
    asked = step("GET /?name={user.name}", mine=("{user.name}",))
    target = application(NAMES.replace("{{others}}", others))
    lived = live(plan_of(asked, target=target)).finished()
    assert lived.codes == codes, lived.told()
    assert lived.tally.compared == 200


HIDDEN = """
import base64, codecs, gzip, html, json, zlib
from urllib.parse import quote

last = [b""]

def app(environ, start_response):
    tag = environ["QUERY_STRING"].encode()
    known, last[0] = last[0], tag
    name = environ["PATH_INFO"].strip("/")
    coding = name.removeprefix("raw-")
    headers = [("Content-Encoding", coding)] if coding in ("gzip", "deflate") else []
    start_response("200 OK", headers)
    return [WAYS[name](known)]

WAYS = {
    "base64": lambda tag: b'{"token": "' + base64.b64encode(b"id:" + tag) + b'"}',
    "urlsafe": lambda tag: base64.urlsafe_b64encode(b"?>id:" + tag).rstrip(b"="),
    "quoted": lambda tag: quote(base64.b64encode(b"i:" + tag), safe="").encode(),
    "json": lambda tag: json.dumps({"a": 'é"' + tag.decode()}).encode(),
    "html": lambda tag: html.escape("<'" + tag.decode() + "'>").encode(),
    "torn": lambda tag: tag[:12] + b"0" + tag[13:],
    "gzip": lambda tag: gzip.compress(tag),
    "deflate": lambda tag: zlib.compress(tag),
    "raw-deflate": lambda tag: zlib.compress(tag)[2:-4],
}
"""


@pytest.mark.parametrize("way", ["gzip", "deflate", "raw-deflate"])
def test_a_value_is_found_in_a_compressed_body(application, way):
    """As its Content-Encoding says."""
    lived = live(
        plan_of(f"GET /{way}?{{canary}}", target=application(HIDDEN), keeps=("app:last",))
    ).finished()
    assert lived.codes == {"CTX201"}, lived.told()


@pytest.mark.parametrize("way", ["base64", "urlsafe", "quoted", "json", "html", "torn"])
def test_a_value_is_found_in_every_coding_of_a_body(application, way):
    """Base64 in both alphabets, escapes, and mixtures of several values."""
    lived = live(
        plan_of(f"GET /{way}?{{canary}}", target=application(HIDDEN), keeps=("app:last",))
    ).finished()
    assert lived.codes == {"CTX201"}, lived.told()


def test_a_user_s_earlier_value_is_no_finding(application):
    """A session that shows what its own user did before is what sessions are for."""
    source = """
    from flask import Flask, request, session

    app = Flask(__name__)
    app.secret_key = "a key for tests"

    @app.route("/")
    def index():
        session["seen"] = [*session.get("seen", [])[-5:], request.args["tag"]]
        return " ".join(session["seen"])
    """
    users = Users(count=30, visitor=False)
    plan = plan_of("GET /?tag={canary}", target=application(source), users=users)
    lived = live(plan).finished()
    assert lived.findings == [], lived.told()
    assert lived.tally.compared == 200


LAZY = """
import contextvars, threading
from unittest import mock

held = contextvars.ContextVar("held")
local = threading.local()

class Lazy:
    @property
    def __class__(self):
        raise LookupError("evaluated outside of its request")

lazy = Lazy()
kept = [Lazy(), mock.Mock(spec=dict), mock.Mock(spec=str)]
held.set([Lazy()])

def app(environ, start_response):
    held.set([Lazy(), mock.Mock(spec=dict), mock.Mock(spec=str)])
    local.held = [Lazy(), mock.Mock(spec=list)]
    start_response("200 OK", [])
    return [environ["QUERY_STRING"].encode()]
"""


@pytest.mark.parametrize("framework", ["", "import flask\nmade = flask.Flask('made')\n"])
def test_lazy_objects_are_left_alone(application, framework):
    """What evaluates itself when looked at closely is not looked at closely."""
    target = application(framework + LAZY)
    lived = live(plan_of("GET /?{canary}", target=target, workers="threads:4")).finished()
    assert lived.findings == []
    assert lived.tally.compared == 200


def test_the_application_s_own_tuples_are_not_taken_hold_of(application):
    """To list all objects of the process would break `tuple(generator)` in other threads."""
    source = """
    def app(environ, start_response):
        assert sum(tuple(i for i in range(3000))) == 4498500
        start_response("200 OK", [])
        return [environ["QUERY_STRING"].encode()]
    """
    plan = plan_of("GET /?{canary}", target=application(source), workers="threads:4")
    for seed in range(3):
        lived = live(plan_of(*plan.steps, target=plan.target, workers="threads:4", seed=seed))
        assert lived.finished().tally.failures == {}
        assert lived.findings == []
