"""check(target, unsafe=True) goes on with what answers gave: ids, tokens, fields, short texts."""

import pytest

CRUD = """
import itertools, time
import flask
from flask import request
app = flask.Flask(__name__)
notes, ids, last = {}, itertools.count(1), {}
@app.post("/notes")
def make():
    number = next(ids)
    notes[number] = request.json["text"]
    return {"note": {"id": number}}, 201
@app.get("/notes/<int:number>")
def show(number):
    return {"text": notes[number]} if number in notes else flask.abort(404)
@app.delete("/notes/<int:number>")
def drop(number):
    return ("", 204) if notes.pop(number, None) else flask.abort(404)
"""
TOKENS = """
import secrets, time
import flask
from flask import request
app = flask.Flask(__name__)
names, last = {}, {}
@app.post("/login")
def login():
    token = secrets.token_hex(8)
    names[token] = request.form["name"]
    return {"access_token": token}
@app.get("/me")
def me():
    token = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if token not in names:
        flask.abort(401)
    name = names[token]
    return {"name": name}
"""
FORM = """
import secrets, time
import flask
from flask import request, session
app = flask.Flask(__name__)
app.secret_key = "key"
last = {}
@app.get("/form")
def form():
    session.setdefault("csrf", secrets.token_hex(8))
    return f'<form><input type=hidden name=csrf_token value="{session["csrf"]}"></form>'
@app.post("/say")
def say():
    if request.form.get("csrf_token") != session.get("csrf", ""):
        flask.abort(400)
    text = request.form["text"]
    return text
"""
DJANGO = """
import itertools
import django
from django.conf import settings
settings.configure(
    SECRET_KEY="key", ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"],
    MIDDLEWARE=["django.middleware.csrf.CsrfViewMiddleware"],
)
django.setup()
from django.core.wsgi import get_wsgi_application
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.middleware.csrf import get_token
from django.urls import path
things, ids = {}, itertools.count(1)
def new(request):
    if request.method == "POST":
        number = next(ids)
        things[number] = request.POST["label"]
        return HttpResponseRedirect(f"/things/{number}")
    get_token(request)
    return HttpResponse("a form that scripts fill")
def show(request, number):
    if number not in things:
        raise Http404
    return HttpResponse(things[number])
urlpatterns = [path("things/new", new), path("things/<int:number>", show)]
app = get_wsgi_application()
"""
NAMED = """
import flask
from flask import request
app = flask.Flask(__name__)
notes, last = {}, {}
@app.put("/notes/<name>")
def put(name):
    notes[name] = request.get_json()["text"]
    return {"saved": name}
@app.get("/notes/<name>")
def get(name):
    if name not in notes: flask.abort(404)
    return {"text": notes[name]}
"""
SHORT = """
import flask
from flask import request
app = flask.Flask(__name__)
last = {}
@app.route("/names", methods=["GET", "POST"])
def names():
    name = request.form.get("name", "")
    if 0 < len(name) <= 20:
        return f"thank you, {name}"
    return f"<form>{request.args.get('tag')}<input name=name></form>"
"""
SEEDED = """
import itertools
import flask
from flask import request
app = flask.Flask(__name__)
ids, pages = itertools.count(5), {}
items = {number: f"item {number}" for number in range(1, 5)}
@app.post("/items")
def make():
    number = next(ids)
    items[number] = request.form["label"]
    return {"id": number}, 201
@app.get("/items/<int:number>")
def show(number):
    if number not in items: flask.abort(404)
    page = f"{items[number]} for {request.headers.get('X-User', 'nobody')}"
    return page
"""
MEMBERS = """
import time
import flask
from flask import request, session
app = flask.Flask(__name__)
app.secret_key = "secret"
users, last = {}, {}
@app.post("/register")
def register():
    time.sleep(0.04)
    if users.setdefault(request.form["name"], request.form["password"]) != request.form["password"]:
        return "another has this name", 409
    return "welcome", 201
@app.post("/login")
def login():
    time.sleep(0.04)
    if users.get(request.form["name"]) != request.form["password"]: return "no", 401
    session["name"] = request.form["name"]
    return "hello"
@app.post("/logout")
def logout():
    session.clear()
    return "bye"
@app.get("/me")
def me():
    if "name" not in session: return flask.redirect("/login")
    return session["name"]
"""
PAGES = """
import secrets
import flask
from flask import request
app = flask.Flask(__name__)
names, notes, cached = {}, {}, {}
@app.post("/login")
def login():
    token = secrets.token_hex(8)
    names[token] = request.form["name"]
    return {"access_token": token}
def owner():
    token = request.headers.get("Authorization", "").removeprefix("Bearer ")
    return names.get(token) or flask.abort(401)
@app.post("/notes")
def make():
    mine = notes.setdefault(owner(), [])
    mine.append(request.json["text"])
    del mine[:-5]
    return {"made": mine[-1]}, 201
@app.get("/notes")
def show():
    page, word = request.args.get("page", 1, type=int), request.args.get("q", "")
    mine = [each for each in notes.get(owner(), []) if word in each]
    return mine[10 * page - 10 : 10 * page]
"""
COOKIES = """
import itertools, secrets, time
import flask
from flask import request
app = flask.Flask(__name__)
names, notes, last, ids = {}, {}, {}, itertools.count(1)
@app.post("/login")
def login():
    answer = flask.jsonify(hello=request.json["name"])
    sid = secrets.token_hex(8)
    names[sid] = request.json["name"]
    answer.set_cookie("sid", sid)
    return answer
def owner():
    return names.get(request.cookies.get("sid", "")) or flask.abort(401)
@app.post("/notes")
def make():
    number = next(ids)
    notes[number] = owner(), request.json["title"] + request.json["text"]
    return {"id": number}, 201
@app.get("/notes/<int:number>")
def show(number):
    name, text = notes.get(number) or flask.abort(404)
    if name != owner(): flask.abort(403)
    return {"text": text}
"""
ELSEWHERE = """
import itertools, time
import flask
from flask import request
app = flask.Flask(__name__)
orders, ids, last = {}, itertools.count(100), {}
@app.post("/checkout")
def checkout():
    number = next(ids)
    orders[number] = request.json["item"]
    return {"id": number}, 201
@app.get("/orders/<int:number>")
def order(number):
    item = orders.get(number) or flask.abort(404)
    return {"item": item}
"""
URL = """
import functools
import flask
from flask import request, session
app = flask.Flask(__name__)
app.secret_key = "key"
@app.post("/login")
def login():
    session["name"] = request.form["username"]
    return "welcome"
@functools.lru_cache(64)
def page(url, name):
    return f"the profile of {session['name']}"
@app.get("/me")
def me():
    name = session.get("name") or flask.abort(401)
    return page(request.full_path, name)
"""
CLEAN = {
    "url": URL,
    "elsewhere": ELSEWHERE,
    "cookies": COOKIES,
    "pages": PAGES,
    "members": MEMBERS,
    "seeded": SEEDED,
    "crud": CRUD,
    "tokens": TOKENS,
    "form": FORM,
    "django": DJANGO,
    "named": NAMED,
    "short": SHORT,
}
LEAKY = {
    # Of a page that reads the session alone, a cache knows the whole URL.
    "url": URL.replace("full_path, name", "full_path, None"),
    # What is made at one path is found under another.
    "elsewhere": ELSEWHERE.replace(
        '    return {"item": item}',
        '    last["item"] = item\n    time.sleep(0.001)\n    return {"item": last["item"]}',
    ),
    # The cookie of a home-made session is the user's own, not one that anybody may send.
    "cookies": COOKIES.replace(
        '    return {"text": text}',
        '    last["text"] = text\n    time.sleep(0.001)\n    return {"text": last["text"]}',
    ),
    # There is no second page, and what a canary is looked for with is looked for once.
    "pages": PAGES.replace(
        "    return mine[10 * page - 10 : 10 * page]",
        "    return cached.setdefault((page, word), mine[10 * page - 10 : 10 * page])",
    ),
    # All users ask for what was there from the start; a page of one's own is nobody else's.
    "seeded": SEEDED.replace("return page", "return pages.setdefault(request.path, page)"),
    "members": MEMBERS.replace(
        '    return session["name"]',
        '    last["name"] = session["name"]\n    time.sleep(0.001)\n    return last["name"]',
    ),
    "crud": CRUD.replace(
        '    return {"text": notes[number]} if number in notes else flask.abort(404)',
        "    if number not in notes: flask.abort(404)\n"
        '    last["number"] = number\n    time.sleep(0.001)\n'
        '    return {"text": notes.get(last["number"], "gone")}',
    ),
    "tokens": TOKENS.replace(
        "    name = names[token]\n",
        '    last["name"] = names[token]\n    time.sleep(0.001)\n    name = last["name"]\n',
    ),
    "form": FORM.replace(
        '    text = request.form["text"]\n',
        '    last["text"] = request.form["text"]\n    time.sleep(0.001)\n    text = last["text"]\n',
    ),
    "named": NAMED.replace(
        '    return {"text": notes', "    return {\"text\": last.setdefault('text', notes"
    ).replace("[name]}", "[name])}"),
    "short": SHORT.replace("{name}", "{last.setdefault('name', name)}"),
    "django": DJANGO.replace(
        "    return HttpResponse(things[number])",
        '    return HttpResponse(things.setdefault("last", things[number]))',
    ),
}


@pytest.mark.parametrize("name", CLEAN)
def test_an_application_that_gives_each_its_own_is_clean(checked, name):
    """What is kept in memory and given back later is no retention; each asks for its own alone."""
    outcome = checked(CLEAN[name], workers=["sync", "threads:4"], requests=200, unsafe=True)
    assert not outcome.document.findings
    assert outcome.exit_code == 0


@pytest.mark.parametrize("name", LEAKY)
def test_what_stands_behind_what_is_given_is_found(checked, name):
    """Without the value each of these routes would fail, and be called clean or not covered."""
    outcome = checked(LEAKY[name], workers=["threads:4"], requests=300, unsafe=True)
    assert "CTX201" in {each.code for each in outcome.findings}, outcome.document
