"""What a look finds in a module: an application, or how to make one, and what it speaks."""

import pytest


def test_a_factory_is_found_where_there_is_no_application(look):
    text = "import flask\ndef create_app(): return flask.Flask(__name__)\n"
    assert look(text, app="looked", doctor=True).finished().sight.app == "looked:create_app()"


def test_a_module_without_an_application_is_refused_with_what_to_write(look):
    lived = look("x = 1\n", app="looked")
    assert lived.ending.kind == "import"
    assert "no application was found in looked" in lived.ending.message
    assert "looked:NAME" in lived.ending.hint


def test_what_is_called_as_an_application_and_is_none_is_told(look):
    """Some frameworks have servers of their own; their objects cannot be called."""
    text = "import asyncio\nclass Dot: pass\nserver = asyncio\napp = Dot()\n"
    lived = look(text, app="looked")
    assert lived.ending.message == (
        "no application was found in looked: app is a looked.Dot, which is neither a WSGI nor an "
        "ASGI application"
    )
    assert "app(environ, start_response)" in lived.ending.hint
    assert "none of app" in look("server = app = None\n", app="looked").ending.message


@pytest.mark.parametrize("framework", ["fastapi.FastAPI", "starlette.applications.Starlette"])
def test_a_websocket_is_named_as_what_was_not_sent(look, framework):
    text = f"""
import fastapi, starlette.applications
from starlette.routing import Route, WebSocketRoute
async def hub(socket): await socket.accept()
async def home(request): return None
app = {framework}(routes=[Route("/", home), WebSocketRoute("/ws/{{room}}", hub)])
"""
    sight = look(text).finished().sight
    [socket] = [each for each in sight.routes if each.route.path == "/ws/{canary}"]
    assert (socket.trials, socket.why) == ((), "it is a WebSocket, which no check speaks")


def test_a_websocket_of_quart_is_no_page(look):
    text = """
from quart import Quart
app = Quart(__name__)
@app.websocket("/ws/<room>")
async def hub(room): pass
"""
    sight = look(text).finished().sight
    [socket] = [each for each in sight.routes if each.route.path == "/ws/{canary}"]
    assert (socket.trials, socket.why) == ((), "it is a WebSocket, which no check speaks")


VIEW_SET = """
import functools
import django
from django.conf import settings
settings.configure(SECRET_KEY="key", ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"])
django.setup()
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path
class Notes:
    def list(self, request): return HttpResponse(request.GET.get("q", ""))
    def create(self, request): return HttpResponse(request.POST["title"])
def as_view(actions):
    # As REST framework has it: the view claims to wrap its class.
    def view(request): return getattr(Notes(), actions[request.method.lower()])(request)
    functools.update_wrapper(view, Notes, updated=())
    view.cls, view.actions = Notes, actions
    return view
urlpatterns = [path("notes/", as_view({"get": "list", "post": "create"}))]
app = get_wsgi_application()
"""


def test_a_set_of_views_answers_the_methods_that_its_router_says(look):
    sight = look(VIEW_SET, unsafe=True).finished().sight
    by_name = {each.route.name: each for each in sight.routes}
    created = by_name["POST /notes/"]
    assert created.route.view.function == "Notes.create"
    assert created.trials[0].step.form == (("title", "{canary}"),)
    assert created.trials[0].status == 200
    assert by_name["GET /notes/"].route.view.function == "Notes.list"
    assert by_name.keys() >= {"GET /notes/", "POST /notes/"}
    assert not {each for each in by_name if each.startswith(("PUT", "DELETE"))}


SINK = """
import re, sys, types
class App:
    def __init__(self):
        self._router = types.SimpleNamespace(_roots=[])
        self._sinks = [(re.compile(r"/search/(?P<engine>ddg|y)\\\\Z"), search, True)]
    def __call__(self, environ, start_response):
        start_response("200 OK", [])
        return [environ["QUERY_STRING"].encode()]
def search(req, resp, engine): return req.get_param("q")
sys.modules["falcon"] = types.ModuleType("falcon")
sys.modules["falcon"].App = App
app = App()
"""


def test_a_sink_of_falcon_is_sent_what_its_pattern_takes(look):
    """It is no route, and answers all the same."""
    sight = look(SINK).finished().sight
    [sink] = [each for each in sight.routes if each.route.name == "GET /search/ddg"]
    assert sight.framework == "Falcon"
    assert sink.trials[0].step.path == "/search/ddg?q={canary}"


PARSER = """
import flask
from argparse import ArgumentParser
app = flask.Flask(__name__)
class RequestParser:
    def add_argument(self, name, **keys): pass
parser = RequestParser()
parser.add_argument("task", location="args")
parser.add_argument("many", type=int)
ArgumentParser().add_argument("--verbose")
@app.post("/tasks")
def tasks(): return flask.request.get_data()
"""


def test_what_a_parser_of_requests_is_told_of_is_sent(look):
    sight = look(PARSER, unsafe=True).finished().sight
    [tasks] = [each for each in sight.routes if each.route.name == "POST /tasks"]
    assert tasks.trials[0].step.json == {"many": 2}
    assert tasks.trials[0].step.path == "/tasks?task={canary}"


SHORT = """
import flask
app = flask.Flask(__name__)
@app.route("/names", methods=["GET", "POST"])
def names():
    name = flask.request.form.get("name", "")
    if 0 < len(name) <= 20: return f"thank you, {name}"
    return "<form method=post><input name=name maxlength=20></form>"
@app.post("/texts")
def texts(): return flask.request.form["text"] + " is kept"
"""


def test_short_texts_are_sent_where_they_are_answered_otherwise(look):
    """A form that is only shown again is answered with 200, too."""
    sight = look(SHORT, unsafe=True).finished().sight
    by_name = {each.route.name: each for each in sight.routes}
    [short] = [each for each in by_name["POST /names"].trials if each.variant == "short"]
    assert short.step.form == (("name", "{user.short}"),)
    assert short.step.mine == ("{user.short}",)
    assert not [each for each in by_name["POST /texts"].trials if each.variant == "short"]


JOBS = """
import flask
app = flask.Flask(__name__)
jobs = {}
@app.post("/jobs")
def start():
    jobs[flask.request.form["NAME"]] = flask.request.form["NAME"]
    return ""
@app.get("/jobs")
def done(): return f"done: {jobs.get(flask.request.args.get('job'))}"
"""


@pytest.mark.parametrize(("name", "made"), [("title", "jobs.canary"), ("name", "user.canary")])
def test_what_was_made_is_looked_up_by_its_name(look, name, made):
    """The name of a request that made nothing leads to nothing, which is the same for all."""
    sight = look(JOBS.replace("NAME", name), unsafe=True).finished().sight
    [done] = [each for each in sight.routes if each.route.name == "GET /jobs"]
    [carried] = [each for each in done.trials if each.variant == "carried"]
    assert carried.step.path == f"/jobs?job={{{made}}}"
    assert carried.echoes
    assert not [each for each in done.trials if each.echoes and each.variant == "full"]


SHELF = """
import flask
app = flask.Flask(__name__)
prices: dict[str, int] = {"tea": 3, "honey": 7}
accounts = {"ann": 1, "bob": 2}
@app.get("/price")
def price(): return str(prices[flask.request.args["of"]])
@app.get("/prices/<name>")
def named(name): return str(prices.get(name, flask.request.args["q"]))
@app.post("/swap")
def swap():
    one, other = flask.request.form["one"], flask.request.form["other"]
    return swapped(one, other)
def swapped(one, other):
    prices[one], prices[other] = prices[other], prices[one]
    return "swapped"
@app.route("/mine", methods=["GET", "POST"])
def mine(): return str(accounts[flask.request.values["user"]])
"""


def test_the_keys_that_a_source_looks_up_are_sent(look):
    """Two that are looked up in the same are sent as two; nobody makes things as another user."""
    sight = look(SHELF, unsafe=True).finished().sight
    words = {
        each.route.name: [trial.step for trial in each.trials if trial.variant == "word"]
        for each in sight.routes
    }
    paths = [step.path.partition("&")[0] for step in words["GET /price"]]
    assert paths == ["/price?of=tea", "/price?of=honey"]
    [named] = [name for name in words if name.startswith("GET /prices/")]
    assert [step.path.partition("?")[0] for step in words[named]] == [
        "/prices/tea",
        "/prices/honey",
    ]
    assert words["POST /swap"][-2:] == [
        step for step in words["POST /swap"] if "canary" not in str(step.form)
    ]
    assert [dict(step.form) for step in words["POST /swap"][-2:]] == [
        {"one": "tea", "other": "honey"},
        {"one": "honey", "other": "tea"},
    ]
    assert len(words["GET /mine"]) == 2
    assert words["POST /mine"] == []


LISTS = """
import flask
app = flask.Flask(__name__)
notes = []
@app.post("/login")
def login(): return {"token": "t-" + flask.request.form["user"]}
@app.post("/notes")
def add():
    notes.append(flask.request.form["title"])
    return ""
@app.get("/notes")
def listed():
    if not flask.request.headers.get("Authorization", "").startswith("Bearer t-"):
        flask.abort(401)
    limit = int(flask.request.args.get("limit", 10))
    return [each for each in notes if flask.request.args.get("q", "") in each][-limit:]
"""


def test_a_list_that_can_be_searched_is_asked_for_as_a_whole_too(look):
    """Who searches for the own name finds the own, whatever else is in the list."""
    sight = look(LISTS, unsafe=True).finished().sight
    [listed] = [each for each in sight.routes if each.route.name == "GET /notes"]
    made = [trial.step.path for trial in listed.trials if trial.echoes]
    assert "/notes?limit=2&q={notes.canary}" in made
    assert "/notes?tag={canary}" in made
    same = [t.step.path for t in listed.trials if t.variant == "same" and t.status == 200]
    assert any("q=two" in each for each in same)


WHOLE = """
import json, os
import flask
app = flask.Flask(__name__)
LIMIT = os.environ.get("LIMIT", "9")
# By a name that says nothing of JSON.
understood = json.loads
@app.post("/raises")
def raises(): return understood(flask.request.get_data())["title"]
@app.post("/refuses")
def refuses():
    try:
        return flask.jsonify(understood(flask.request.get_data()))
    except ValueError:
        flask.abort(400)
@app.get("/limit")
def limit(): return os.environ.get("HOME", LIMIT)
"""


def test_a_body_that_is_read_as_a_whole_is_tried_as_json(look):
    sight = look(WHOLE, unsafe=True).finished().sight
    by_name = {each.route.name: each.trials for each in sight.routes}
    for route in ("POST /raises", "POST /refuses"):
        [well] = [each for each in by_name[route] if each.status == 200]
        assert well.step.json["title"] == "{canary}"
        assert well.echoes


def test_variables_of_the_process_are_no_headers(look):
    sight = look(WHOLE).finished().sight
    [limit] = [each for each in sight.routes if each.route.name == "GET /limit"]
    assert {name for trial in limit.trials for name, _ in trial.step.headers} == {"X-Request-Id"}


def test_who_was_let_out_by_a_login_that_failed_is_let_in_again(look):
    """Many a login begins with an empty session; what is behind it was refused from then on."""
    text = """
import flask
app = flask.Flask(__name__)
app.secret_key = "key"
@app.post("/login")
def login():
    flask.session.clear()
    flask.session["name"] = flask.request.form["name"]
    return flask.redirect("/cart")
@app.get("/cart")
def cart(): return flask.session.get("name") or flask.abort(401)
"""
    routes = {each.route.name: each for each in look(text, unsafe=True).finished().sight.routes}
    assert routes["POST /login"].trials[-1].status == 400
    assert {each.status for each in routes["GET /cart"].trials} == {200}
