"""check(target): an application is enough, and what it leaks is found under the right workers."""

import time

import pytest

from ctxsim import looks
from ctxsim.checking import prepared
from ctxsim.errors import TargetError, UsageError
from ctxsim.jobs import Options

GLOBAL = """
import flask
app = flask.Flask(__name__)
current = {}
@app.before_request
def who():
    if "X-User" in flask.request.headers:
        current["name"] = flask.request.headers["X-User"]
@app.get("/whoami")
def whoami(): return f"you are {current.get('name')}"
"""
THREAD_LOCAL = """
import threading
from urllib.parse import parse_qs
local = threading.local()
def app(environ, start_response):
    if environ["PATH_INFO"] != "/hello":
        start_response("404 Not Found", [])
        return [b""]
    names = parse_qs(environ["QUERY_STRING"])
    if "user" in names:
        local.user = names["user"][0]
    start_response("200 OK", [])
    return [f"hello {getattr(local, 'user', 'nobody')}".encode()]
"""
PUSHED = """
import flask
app = flask.Flask(__name__)
app.app_context().push()
@app.get("/")
def index():
    if "q" not in flask.g:
        flask.g.q = flask.request.args["q"]
    return flask.g.q
"""
CACHED = """
import bottle
app = bottle.Bottle()
pages = {}
@app.get("/orders/<number:int>")
def orders(number):
    key = bottle.request.path
    pages.setdefault(key, f"orders of {bottle.request.get_cookie('uid')}")
    return pages[key]
"""
SESSION = """
import flask
app = flask.Flask(__name__)
app.secret_key = "key"
class Auth: user = None
@app.post("/login")
def login():
    flask.session["user"] = flask.request.form["username"]
    return flask.redirect("/me")
@app.get("/me")
def me():
    Auth.user = flask.session.get("user") or Auth.user
    return f"I am {Auth.user}"
"""
DJANGO = """
from django.conf import settings
settings.configure(ROOT_URLCONF="checked", SECRET_KEY="key", ALLOWED_HOSTS=["*"], MIDDLEWARE=[])
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import include, path
from django.views import View
last = {}
class Page(View):
    def get(self, request, pk, slug):
        kept = last.setdefault("note", request.GET.get("note", ""))
        return HttpResponse(f"{pk} {slug} KEPT {kept}")
urlpatterns = [path("shop/", include([path("page/<int:pk>/<slug:slug>/", Page.as_view())]))]
application = get_wsgi_application()
"""
RUNTIME = """
from ctxsim.runtime import App, request
app = App("checked")
last = []
@app.get("/hello/<name>")
def hello(name):
    last[:] = last or [name]
    return f"hello {last[0]}"
"""
BRANCH = """
from flask import Flask, request
app = Flask("checked")
lines = []
@app.get("/report")
def report():
    if request.args.get("format") == "csv":
        lines.append(request.args["owner"])
        return lines[0]
    return "write format=csv"
"""
MISSING = """
from flask import Flask, request
app = Flask("checked")
last = ["nobody"]
@app.get("/account")
def account():
    last[0] = request.args["user"]
    return request.args["user"]
@app.errorhandler(404)
def missing(error):
    return f"nothing here; {last[0]} was told", 404
"""
ARGUMENT = """
from flask import Flask, abort, request
app = Flask("checked")
taken = []
@app.get("/statements/<number>")
def statement(number):
    if number == "none":
        taken.append(request.args["owner"])
        abort(404)
    return f"{number} of {taken[0] if taken else request.args['owner']}"
"""
NOBODY = """
from flask import Flask, request
app = Flask("checked")
last = ["public"]
@app.get("/search")
def search():
    last[0] = request.args.get("tenant", last[0])
    return f"{request.args['words']} for {last[0]}"
"""
HANDED_ON = """
from urllib.parse import parse_qs
last = []
async def app(scope, receive, send):
    given = parse_qs(scope["query_string"].decode())
    await answer(send, dict(scope["headers"]).get(b"x-user", b"") + said(given))
def said(given):
    last[:] = last or given["text"]
    return last[0].encode()
async def answer(send, body):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})
"""
AROUND = """
import threading
import flask
local = threading.local()
site = flask.Flask(__name__)
@site.get("/orders")
def orders():
    local.name = flask.request.args["name"]
    return f"orders of {local.name}"
def app(environ, start_response):
    if environ["PATH_INFO"] == "/health":
        start_response("200 OK", [])
        return [f"checked by {vars(local).get('name')}".encode()]
    return site(environ, start_response)
"""
METHODS = """
from urllib.parse import parse_qs
class Pages:
    def __call__(self, environ, start_response):
        page = getattr(type(self), environ["PATH_INFO"].strip("/"), None)
        start_response("200 OK" if page else "404 Not Found", [])
        given = {name: texts[0] for name, texts in parse_qs(environ["QUERY_STRING"]).items()}
        return [page(self, given["item"], given["q"]).encode()] if page else []
class Shop(Pages):
    last = []
    def orders(self, item, q):
        self.last[:] = self.last or [item]
        return f"{self.last[0]} {q}"
app = Shop()
"""
LANGUAGE = """
from flask import Flask, abort, request
from ctxsim import pause
app = Flask("checked")
chosen = ["en"]
@app.get("/orders/<number>")
def order(number):
    lang = request.args["lang"]
    if len(lang) != 2: abort(400)
    chosen[0] = lang
    pause(0.001)
    return f"{chosen[0]} page for {number}"
"""
SLOW = """
import time
import flask
app = flask.Flask(__name__)

@app.get("/hello/<name>")
def hello(name):
    time.sleep(0.3)
    return name
"""
ACCEPTED = """
import time
from flask import Flask, request
app = Flask("checked")
language = "en"
@app.before_request
def prepare():
    global language
    language = request.accept_languages.best_match(["en", "de"]) or "en"
@app.get("/")
def home():
    time.sleep(0.002)
    return {"en": "hello", "de": "guten Tag"}[language] + " " + request.args.get("q", "")
"""
POISONED = """
import flask
app = flask.Flask(__name__)
kept = [None]
@app.get("/data")
def data():
    kept[0] = kept[0] or flask.request.args.get("tenant", "public")
    try: number = int(flask.request.args.get("n", "1"))
    except ValueError: return "n is no number", 400
    tenant, kept[0] = kept[0], None
    return f"{tenant}: {number}"
"""
LINKED = """
from urllib.parse import parse_qs

class Shop:
    seen = ["nobody"]

    def home(self, name):
        return "<p>hello " + name + " <a href='part" + "s'>all</a>"

    def parts(self, name):
        return "<form action='%s/%s'><input name=q></form>" % ("sea", "rch")

    def _search(self, name):
        said, self.seen[0] = self.seen[0], name
        return "after " + said + ": " + name

def app(environ, start_response):
    name = environ["PATH_INFO"].strip("/").replace("/", "_")
    view = getattr(Shop(), {"": "home", "sea_rch": "_search"}.get(name, name), None)
    q = parse_qs(environ["QUERY_STRING"]).get("q", [""])[0]
    headers = [("Content-Type", "text/html")]
    start_response("404 Not Found" if view is None else "200 OK", headers)
    return [(view(q) if view else "no such page").encode()]
"""
UPLOAD = """
from flask import Flask, request
app = Flask(__name__)
last = []

@app.post("/upload")
def upload():
    file = request.files["document"]
    text = file.read().decode()
    last[:] = last or [text]
    return file.filename + ": " + request.form["title"] + ": " + last[0]
"""
LEAKY = {
    "no number": (POISONED, {}, {"CTX201"}),
    "accepted": (ACCEPTED, {"workers": ["threads:8"], "requests": 600}, {"CTX208"}),
    "missing": (MISSING, {}, {"CTX201", "CTX204"}),
    "argument": (ARGUMENT, {}, {"CTX201"}),
    "nobody": (NOBODY, {}, {"CTX201", "CTX204"}),
    "handed on": (HANDED_ON, {"workers": ["tasks:5"]}, {"CTX201"}),
    "global": (GLOBAL, {}, {"CTX201", "CTX204"}),
    "branch": (BRANCH, {}, {"CTX201"}),
    "thread-local": (THREAD_LOCAL, {}, {"CTX201", "CTX204", "CTX401"}),
    "pushed": (PUSHED, {}, {"CTX102", "CTX201"}),
    "cached": (CACHED, {}, {"CTX201"}),
    "session": (SESSION, {"unsafe": True}, {"CTX204"}),
    "django": (DJANGO, {}, {"CTX201"}),
    "runtime": (RUNTIME, {}, {"CTX201"}),
    "around": (AROUND, {"target": "checked:app"}, {"CTX201", "CTX401"}),
    "methods": (METHODS, {}, {"CTX201"}),
    "linked": (LINKED, {}, {"CTX201"}),
    "upload": (UPLOAD, {"unsafe": True}, {"CTX201"}),
    "language": (LANGUAGE, {"workers": ["threads:4"]}, {"CTX208"}),
}
CLEAN = {
    "accepted": ACCEPTED.replace("global language", "").replace(
        '"}[language]', '"}[request.accept_languages.best_match(["en", "de"]) or "en"]'
    ),
    "flask": GLOBAL.replace("current = {}", "").replace("current", "vars(flask.g)"),
    "wsgi": f"{THREAD_LOCAL}".replace(
        '    start_response("200 OK", [])\n',
        "    start_response(\"200 OK\", [])\n    user = vars(local).pop('user', 'nobody')\n",
    ).replace("{getattr(local, 'user', 'nobody')}", "{user}"),
    "not pushed": PUSHED.replace("app.app_context().push()", ""),
    "bottle": CACHED.replace("bottle.request.path", "bottle.request.get_cookie('uid')"),
    "django": DJANGO.replace('last.setdefault("note", ', "str("),
    "runtime": RUNTIME.replace("    last[:] = last or [name]\n", "").replace("last[0]", "name"),
    "missing": MISSING.replace("last[0] = ", "user = ").replace("{last[0]} was", "nobody was"),
    "argument": ARGUMENT.replace("taken.append", "str"),
    "no number": POISONED.replace("kept[0] = kept[0] or ", "kept = [None]; kept[0] = "),
    "nobody": NOBODY.replace("last[0] = ", "tenant = ").replace("{last[0]}", "{tenant}"),
    "around": AROUND.replace("local.name = ", "name = ").replace("{local.name}", "{name}"),
    "language": LANGUAGE.replace("{chosen[0]}", "{lang}"),
    "linked": LINKED.replace("said, self.seen[0] = self.seen[0], name", "said = name"),
    "methods": METHODS.replace("self.last[:] = self.last or [item]", "self = Shop()").replace(
        "{self.last[0]}", "{item}"
    ),
}


def codes(outcome):
    return {finding.code for finding in outcome.findings}


@pytest.mark.parametrize("name", LEAKY)
def test_what_leaks_is_found(checked, name):
    text, keys, wanted = LEAKY[name]
    outcome = checked(text, **keys)
    assert wanted <= codes(outcome), outcome.document
    assert outcome.exit_code == 1


@pytest.mark.parametrize("name", CLEAN)
def test_what_does_not_is_clean(checked, name):
    outcome = checked(CLEAN[name], workers=["sync", "threads:4"], requests=100)
    assert not codes(outcome), outcome.document.findings
    assert outcome.exit_code == 0


def test_what_is_uploaded_comes_back_to_who_sent_it(checked):
    outcome = checked(
        UPLOAD.replace("last[:] = last or", "last ="),
        unsafe=True,
        workers=["sync", "threads:4"],
        requests=100,
    )
    assert outcome.exit_code == 0
    assert all(cell.compared for cell in outcome.cells)


def test_the_workers_decide_what_leaks(checked):
    outcome = checked(THREAD_LOCAL, workers=None, requests=120)
    clean = {cell.workers for cell in outcome.cells if cell.verdict == "clean"}
    assert clean == {"threads:8:fresh", "greenlets:50"}
    assert len(outcome.cells) == 8


def test_what_was_sent_and_what_not_is_told(checked):
    outcome = checked(SESSION)
    document = outcome.document
    assert "checked was taken for checked:app" in document.notes
    assert "1 of 2 routes could be sent; 1 that may change things was left out" in document.notes
    assert any("no user had a session" in note for note in document.notes)
    assert document.not_covered == (
        "POST /login was not sent: it may change things; --unsafe sends it",
    )
    assert document.exit_code == 4
    assert document.replay == "ctxsim check checked --seed 3"


ENDING = """
import os, time, flask
app = flask.Flask(__name__)
@app.get("/exit")
def leave(): os._exit(3)
@app.get("/hang")
def hang(): time.sleep(60)
@app.get("/fine")
def fine(): return flask.request.args["q"]
"""


def test_routes_that_hang_or_end_the_process_are_left_out(checked):
    outcome = checked(ENDING, requests=400)
    assert outcome.exit_code == 0
    assert {line.partition(" was")[0] for line in outcome.document.not_covered} == {
        "GET /exit",
        "GET /hang",
    }


def test_a_slow_application_is_checked_within_the_budget_and_not_called_clean_for_that(checked):
    """What is too little to tell is told as such, cell by cell."""
    started = time.monotonic()
    outcome = checked(SLOW, workers=None, requests=2000, budget_s=8)
    # On a busy machine the last words of what was stopped take a while; without a bound it would be
    # a minute.
    assert time.monotonic() - started < 3 * 8
    assert len(outcome.cells) == 8
    assert outcome.exit_code == 4
    told = " ".join(outcome.document.reasons)
    assert "in the time there was" in told or "the time was over" in told


def test_what_is_stopped_has_its_last_word_within_the_budget(tmp_path):
    """It had three seconds more, which all passed where requests wait for each other for ever."""
    (tmp_path / "checked.py").write_text("def app(environ, start_response): ...")
    begun = time.monotonic()
    wish = looks.Wish("checked:app", path=str(tmp_path), budget_s=20.0)
    _, options = prepared(wish, Options())
    over = options.at_latest + options.limits.last_word_s
    assert begun + 20 <= over <= time.monotonic() + 20
    assert options.until <= options.at_latest
    assert options.limits.last_word_s > 1


def test_an_application_without_routes_is_no_clean_one(checked):
    assert checked("import flask\napp = flask.Flask(__name__)\n").exit_code == 4


@pytest.mark.parametrize(
    "text",
    [
        "import flask\napp = flask.Flask(__name__, static_folder=None)\n",
        "def app(e, s):\n    s('404 Not Found', [])\n    return [b'']\n",
    ],
)
def test_where_there_are_no_routes_it_is_said_at_once(checked, text):
    """Thousands of requests to pages that are not there would tell nothing."""
    outcome = checked(text, workers=None)
    assert (outcome.exit_code, outcome.verdict) == (4, "inconclusive")
    assert not outcome.cells
    [reason] = outcome.document.reasons
    assert reason.startswith("no routes were found")
    assert "`ctxsim init checked` writes a scenario" in reason


def test_what_answers_without_a_route_is_sent_requests(checked):
    text = (
        "import flask\napp = flask.Flask(__name__, static_folder=None)\nkept = []\n"
        "@app.before_request\ndef answer():\n"
        "    kept[:] = kept or [flask.request.args['tag']]\n    return kept[0]\n"
    )
    assert "CTX201" in codes(checked(text))


@pytest.mark.parametrize(
    ("target", "keys", "error", "message"),
    [
        ("http://shop.invalid", {}, UsageError, "load to others needs leave and a rate"),
        (":app", {}, UsageError, "names no application"),
        (".", {}, UsageError, r"is a folder; check imports a module\n  write --path \. MODULE"),
        ("../", {}, UsageError, "is a folder"),
        ("checked", {"workers": ["thread:8"]}, UsageError, "workers"),
        ("checked", {"requests": 0}, UsageError, "requests"),
        ("checked", {"shared": ["no route"]}, UsageError, "shared"),
        ("checked:nothing", {}, TargetError, "no attribute"),
        ("nothing_here", {}, TargetError, "no module named 'nothing_here'"),
    ],
)
def test_what_cannot_be_is_refused(checked, target, keys, error, message):
    with pytest.raises(error, match=message):
        checked(GLOBAL, target, **keys)


def test_of_an_import_that_hangs_it_is_said_where(checked):
    text = "import time\n\ndef slow():\n    time.sleep(100)\n\nslow()\n"
    with pytest.raises(TargetError, match=r"was not ready after 2 s\n(.*\n)*.*line 4 in slow"):
        checked(text, budget_s=2)


SLOWLY_TOLD = """
import flask, time
app = flask.Flask(__name__)
rules = app.url_map.iter_rules

def slowly(*endpoint):
    time.sleep(2)
    return rules(*endpoint)

app.url_map.iter_rules = slowly
app.get("/")(lambda: "name: " + flask.request.args.get("name", ""))
"""


def test_to_read_a_large_application_is_not_taken_for_a_hang(checked, monkeypatch):
    monkeypatch.setattr(looks, "_TRIAL_S", 0.5)
    outcome = checked(SLOWLY_TOLD, requests=50, workers=["sync"])
    assert outcome.exit_code == 0


def test_advice_is_in_the_words_of_the_command(checked):
    """There is no scenario in which a key could be written."""
    stories = [line for each in checked(GLOBAL).findings for line in each.story]
    assert "if all may see it, write --shared /whoami" in stories
    with pytest.raises(TargetError, match="add a folder with --path"):
        checked(GLOBAL, "nothing_here")


def test_what_is_shared_on_purpose_is_no_finding(checked):
    assert checked(GLOBAL, shared=["/whoami"]).exit_code == 0
