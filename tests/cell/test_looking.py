"""A look at an application: its routes, what its source reads, and what answers alone."""

import ast
import re
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.routing import Map, Rule

from ctxsim.cell.looking import sources, suspects
from ctxsim.cell.looking.attempts import attempts
from ctxsim.cell.looking.names import Names
from ctxsim.cell.looking.paths import likely_paths, of_braces, of_filters, of_regex, of_rule
from ctxsim.cell.sights import NO_SUCH_PAGE, Read, Route

VALUES = {"{canary}": "cx0123456789", "{user.number}": "7", "{user.uuid}": "0" * 8}
UUID = "00000000-0000-4000-8000-000000000001"


def filled(path):
    path = path.replace("{user.uuid}", UUID)
    for placeholder, value in VALUES.items():
        path = path.replace(placeholder, value)
    return path


ARGUMENTS = st.sampled_from(
    ["<{n}>", "<string:{n}>", "<int:{n}>", "<float:{n}>", "<uuid:{n}>", "<any(a,b):{n}>", "plain"]
)


@given(st.lists(ARGUMENTS, min_size=1, max_size=5), st.booleans())
def test_a_filled_rule_is_one_that_werkzeug_takes(arguments, is_open):
    parts = [each.replace("{n}", f"a{place}") for place, each in enumerate(arguments)]
    rule = "/" + "/".join([*parts, *(["<path:rest>"] if is_open else [])])
    adapter = Map([Rule(rule, endpoint="x")]).bind("localhost")
    assert adapter.match(filled(of_rule(rule)))[0] == "x"


@pytest.mark.parametrize(
    ("rule", "path"),
    [
        ("/hi/<name>", "/hi/{canary}"),
        ("/n/<n:int>", "/n/{user.number}"),
        ("/f/<x:path>", "/f/{canary}/x"),
        ("/r/<x:re:[a-z0-9]+>", "/r/{canary}"),
    ],
)
def test_the_names_of_bottles_arguments_come_first(rule, path):
    assert of_filters(rule) == path


@pytest.mark.parametrize(
    "pattern",
    [
        r"^x/(?P<pk>\d+)/$",
        r"^y/(?P<year>[0-9]{4})/$",
        r"^z/([-\w]+)/?$",
        r"^(?:a|b)/end$",
        r"^fixed/$",
        r"^in/(?P<kind>books|films)/$",
    ],
)
def test_a_regular_expression_takes_the_path_that_is_made_of_it(pattern):
    assert re.match(pattern, filled(of_regex(pattern)))


def test_starlettes_converters_are_filled():
    assert of_braces("/a/{x}/{n:int}/{rest:path}") == "/a/{canary}/{user.number}/{canary}/x"


def reads_of(text):
    tree = ast.parse(textwrap.dedent(text))
    sources._follow_variables(tree)
    sources._note_lists(tree)
    return set(sources.unique(sources.reads_in(tree), sources.words_of([tree])))


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("request.args['q']", Read("query", "q")),
        ("request.args.get('n', type=int)", Read("query", "n", "int")),
        ("int(request.GET['page'])", Read("query", "page", "int")),
        ("request.form.get('user')", Read("form", "user")),
        ("request.files['document']", Read("file", "document")),
        ("request.FILES.get('photo')", Read("file", "photo")),
        ("async def f():\n    d = await request.files\n    return d['x']", Read("file", "x")),
        ("request.get_json()['name']", Read("json", "name")),
        ("(request.json or {}).get('name')", Read("json", "name")),
        ("request.headers.get('X-User')", Read("header", "X-User")),
        ("environ['HTTP_X_TENANT']", Read("header", "X-Tenant")),
        ("request.META.get('HTTP_X_TENANT')", Read("header", "X-Tenant")),
        ("request.cookies.get('uid')", Read("cookie", "uid")),
        ("request.get_cookie('uid')", Read("cookie", "uid")),
        ("request.authorization.username", Read("auth", "basic")),
        ("request.headers['Authorization']", Read("auth", "header")),
        ("parse_qs(environ['QUERY_STRING'])['x'][0]", Read("query", "x")),
        ("parse_qs(environ['wsgi.input'].read())['x']", Read("form", "x")),
        ("def f():\n    d = request.get_json()\n    return d['x']", Read("json", "x")),
        ("def f():\n    q = dict(parse_qsl(s))\n    return q.get('x')", Read("query", "x")),
        ("async def f():\n    d = await request.json()\n    return d['x']", Read("json", "x")),
        (
            "def f(scope):\n    q = parse_qs(scope['query_string'])\n    return g(q)\n"
            "def g(q):\n    return q['x'][0]",
            Read("query", "x"),
        ),
        ("dict(scope['headers']).get(b'x-user')", Read("header", "X-User")),
        ("dict(scope['headers'])[b'authorization']", Read("auth", "header")),
        ("'x' in request.args", Read("query", "x")),
        ("bottle.request.query.x", Read("query", "x")),
        ("int(request.forms.n)", Read("form", "n", "int")),
        ("@use_args({'x': fields.Str(required=True)})\ndef f(x): pass", Read("json", "x")),
        ("use_args({'n': fields.Int()}, location='query')", Read("query", "n", "int")),
        ("parser.parse({'x': fields.Str()}, r, locations=('form',))", Read("form", "x")),
        ("class S(Schema):\n    x = fields.Bool()", Read("json", "x", "bool")),
        ("class F(Form):\n    x = StringField('X')", Read("form", "x")),
        ("class F(forms.Form):\n    n = forms.IntegerField()", Read("form", "n", "int")),
        ("request.args.get('x') == 'csv'", Read("query", "x", words=("csv",))),
        ("request.args.get('x') in ('a', 'b')", Read("query", "x", words=("a", "b"))),
        (
            "def f():\n    x = request.args['x']\n    return x != 'a'",
            Read("query", "x", words=("a",)),
        ),
        (
            "def f():\n    match request.form['x']:\n        case 'a' | 'b': pass",
            Read("form", "x", words=("a", "b")),
        ),
        (
            "request.accept_mimetypes.best == 'text/csv'",
            Read("header", "Accept", "choice", ("text/csv",)),
        ),
        (
            "request.accept_languages.best_match(['de', 'it'])",
            Read("header", "Accept-Language", "choice", ("de", "it")),
        ),
        (
            "def f():\n    wanted = request.accept_mimetypes\n"
            "    return wanted.best_match(('text/csv', 'text/html'))",
            Read("header", "Accept", "choice", ("text/csv", "text/html")),
        ),
        (
            "'latin1' in request.accept_charsets",
            Read("header", "Accept-Charset", "choice", ("latin1",)),
        ),
        (
            "LANGUAGES = ['de', 'it']\nrequest.accept_languages.best_match(LANGUAGES)",
            Read("header", "Accept-Language", "choice", ("de", "it")),
        ),
        (
            "TEXTS = {'de': 'Tag', 'it': 'giorno'}\nrequest.accept_languages.best_match(TEXTS)",
            Read("header", "Accept-Language", "choice", ("de", "it")),
        ),
        (
            "request.accept_encodings.best_match(config['CODINGS'])",
            Read("header", "Accept-Encoding", "choice", ("identity", "gzip")),
        ),
    ],
)
def test_the_source_tells_which_names_are_read(text, read):
    assert read in reads_of(text)


@pytest.mark.parametrize(
    "text",
    [
        "environ['PATH_INFO']",
        "headers['Content-Type']",
        "other['x']",
        "request.query.items() + request.query.split() + shop.query.filter",
        "call({'x': str(y), **z})",
        "class C:\n    x = list()",
        "class C(models.Model):\n    x = models.CharField()",
    ],
)
def test_what_no_client_sends_is_no_name(text):
    assert reads_of(text) == set()


def test_each_text_that_an_argument_is_compared_with_is_sent_in_its_place():
    """Both what is found and what is not may be answered in a way of its own."""
    text = "def page(number, name):\n    return 1 if number == '0' or name in ('a', 'b') else 2"
    words = Names([sources.Source("app.py", ast.parse(text))]).compared_arguments("app.py", 1)
    assert words == ("0", "a", "b")
    route = Route("GET", "/page/{canary}", words=words)
    sent = [each.step.path for each in attempts(route, ()) if each.variant == "word"]
    assert sent == [f"/page/{word}?tag={{canary}}" for word in words]


@pytest.mark.parametrize("kept", ["tenants", 'app.config["TENANTS"]'])
def test_the_texts_of_a_list_that_is_kept_elsewhere_are_sent(tmp_path, kept):
    """Nobody is let in without one of them: a name in the module, or in its configuration."""
    file = tmp_path / "app.py"
    file.write_text(
        f"{kept} = {{'north', 'south'}}\n"
        f"def page(request):\n"
        f"    if request.headers.get('X-Tenant') not in {kept}: raise LookupError\n"
    )
    parsed = sources._parsed(str(file))
    [read] = Names([parsed]).of_function(str(file), 2)
    assert (read.name, set(read.words)) == ("X-Tenant", {"north", "south"})


def test_each_text_that_is_compared_with_is_sent_once():
    """With everything else that is read, since the answer to it may hold the user's values."""
    reads = (Read("query", "q"), Read("query", "as", words=("csv", "a b", "{x}", "json")))
    tried = attempts(Route("GET", "/x", reads), [Read("query", "as")])
    paths = [each.step.path for each in tried if each.variant == "word"]
    assert paths == ["/x?q={canary}&as=csv", "/x?q={canary}&as=json"]


def test_what_a_name_suggests_is_sent_in_two_ways():
    """A language that is none is refused; and what one sets shows in the answer of another."""
    route = Route("GET", "/x", (Read("query", "user_lang"), Read("query", "q")))
    paths = [each.step.path for each in attempts(route, ()) if each.variant == "likely"]
    assert paths == ["/x?user_lang=fr&q={canary}", "/x?user_lang=nl&q={canary}"]
    assert not [each for each in attempts(Route("GET", "/x"), ()) if each.variant == "likely"]


def test_all_users_ask_for_the_same_by_a_query_too():
    """Only so can a cache that forgets who asks give one what it keeps of another."""
    route = Route("GET", "/x", (Read("query", "id"), Read("query", "user")))
    paths = {each.variant: each.step.path for each in attempts(route, ())}
    assert paths["same"] == "/x?id=two&user={user.canary}"
    assert paths["again"] == "/x?id=three&user={user.canary}"


@pytest.mark.parametrize(
    ("path", "names", "paths"),
    [
        ("/{canary}/{user.number}", ["locale", "n"], ("/fr/{user.number}", "/nl/{user.number}")),
        ("/{canary}/{canary}", ["n", "until"], ("/{canary}/2024-02-01", "/{canary}/2024-03-01")),
        ("/{canary}", ["day", "more"], ()),
        ("/{user.number}", ["day"], ()),
        ("/{canary}", ["name"], ()),
    ],
)
def test_the_names_of_a_paths_arguments_suggest_texts(path, names, paths):
    assert likely_paths(path, names) == paths
    tried = attempts(Route("POST", path, likely=paths), ())
    sent = (each.step.path.partition("?")[0] for each in tried if each.variant == "likely")
    assert tuple(sent) == paths


def test_what_is_chosen_by_a_header_is_sent_as_each_of_the_choices():
    """A text of the request's own would be none of them, and be refused by some applications."""
    wanted = Read("header", "Accept", "choice", ("text/csv", "text/html"))
    tried = attempts(Route("GET", "/x"), [wanted])
    sent = {dict(each.step.headers).get("Accept") for each in tried}
    assert sent == {"text/csv", "text/html", None}


def test_every_way_to_send_a_route_is_tried_once():
    route = Route("GET", "/x/{user.number}", (Read("query", "user"), Read("query", "n", "int")))
    paths = [each.step.path for each in attempts(route, ())]
    assert paths == [
        "/x/{user.number}?user={user.canary}&n=2&tag={canary}",
        "/x/{user.number}?user={user.canary}&n={user.number}&tag={canary}",
        "/x/{user.number}?user={user.canary}&n={canary}",
        "/x/{user.number}?user={user.canary}&tag={canary}",
        "/x/{user.number}?n=2&tag={canary}",
        "/x/2?user={user.canary}&n=2",
        "/x/3?user={user.canary}&n=2",
        "/x/1?tag={canary}",
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Tenant", "{user.canary}"),
        ("X-Api-Key", "{user.canary}"),
        ("X-Auth-Token", "{user.canary}"),
        ("X-Csrf-Token", "{canary}"),
        ("X-Trace", "{canary}"),
    ],
)
def test_what_tells_a_user_is_the_same_in_all_its_requests(name, value):
    """A key or token is known by it; what stands for one request alone is not."""
    tried = attempts(Route("GET", "/"), [Read("header", name)])
    assert dict(tried[0].step.headers)[name] == value


def test_a_password_is_no_canary_and_a_body_is_sent_as_it_is_read():
    route = Route("POST", "/in", (Read("json", "email"), Read("json", "password")))
    step = attempts(route, ())[0].step
    assert step.json == {"email": "{user.canary}@example.com", "password": "password"}


APP = """
import os, time, flask
from flask.views import MethodView
app = flask.Flask(__name__)
app.secret_key = "key"
@app.before_request
def who(): flask.g.tenant = flask.request.headers.get("X-Tenant")
class Page(MethodView):
    def get(self, number): return f"page {number} {flask.request.args['q']}"
    def post(self, number): return flask.request.form["text"]
app.add_url_rule("/page/<int:number>", view_func=Page.as_view("page"))
@app.get("/private")
def private(): return flask.redirect("/login")
@app.get("/exit")
def leave(): os._exit(3)
"""


def test_a_body_that_must_be_json_is_sent_as_json(look):
    """Whoever takes the body as a whole names nothing of it, and refuses a form."""
    text = """
import flask
app = flask.Flask(__name__)
@app.post("/orders")
def orders(): return flask.jsonify(flask.request.get_json())
"""
    [orders] = [
        each
        for each in look(text, unsafe=True).finished().sight.routes
        if each.route.name == "POST /orders"
    ]
    accepted = [each for each in orders.trials if each.status == 200]
    assert [each.step.json["title"] for each in accepted] == ["{canary}"]
    assert accepted[0].echoes


def test_a_cookie_that_an_answer_has_set_is_the_users_own(look):
    """Any other would begin a session more with each request."""
    text = """
import flask
app = flask.Flask(__name__)
@app.get("/add")
def add():
    answer = flask.Response(flask.request.args["item"] and "added")
    if flask.request.cookies.get("sid") != "given": answer.set_cookie("sid", "given")
    return answer
@app.get("/cart")
def cart():
    return flask.request.cookies.get("sid", "") + flask.request.args.get("item", "")
"""
    routes = look(text).finished().sight.routes
    [cart] = [each for each in routes if each.route.name == "GET /cart"]
    first = cart.trials[0]
    assert (first.variant, first.step.path) == ("full", "/cart?item={canary}")
    assert "Cookie" not in dict(first.step.headers)


def test_a_look_finds_routes_and_tries_what_is_safe(look):
    sight = look(APP, left_out=("GET /exit",)).finished().sight
    by_name = {each.route.name: each for each in sight.routes}
    assert sight.framework == "Flask"
    page = by_name["GET /page/{user.number}"]
    assert page.route.view.function == "Page.get"
    assert page.trials[0].status == 200
    assert page.trials[0].echoes
    assert ("X-Tenant", "{user.canary}") in page.trials[0].step.headers
    assert by_name["GET /private"].trials[0].leads_to == "/login"
    assert "--unsafe" in by_name["POST /page/{user.number}"].why
    assert not by_name["GET /exit"].trials


def test_unsafe_methods_are_tried_where_that_is_allowed(look):
    sight = look(APP, left_out=("GET /exit",), unsafe=True).finished().sight
    [post] = [each for each in sight.routes if each.route.method == "POST"]
    assert post.trials[0].step.form == (("text", "{canary}"),)
    assert post.trials[0].echoes


def test_a_route_that_ends_the_process_is_named_before_it_does(look):
    lived = look(APP)
    assert lived.sight is None
    assert lived.tried[-1] == "GET /exit"


@pytest.mark.parametrize("name", ["looked", "looked:app"])
def test_the_application_of_a_module_is_found(look, name):
    lived = look(APP, app=name, doctor=True).finished()
    assert lived.sight.app == "looked:app"


def test_a_route_that_failed_for_what_another_left_is_tried_again(look):
    text = """
import flask
app = flask.Flask(__name__)
last = []
@app.get("/before")
def before(): return last.append(1) or "left"
@app.get("/health")
def health():
    assert not last
    return "fine"
@app.get("/later")
def later(): return last.clear() or "gone"
@app.get("/never")
def never(): return 1 / 0
"""
    sight = look(text).finished().sight
    by_path = {each.route.path: [trial.status for trial in each.trials] for each in sight.routes}
    assert by_path["/health"] == [500, 500, 200]
    assert by_path["/never"] == [500, 500, 500]


def test_paths_are_guessed_where_no_framework_tells_them(look):
    text = """
def app(environ, start_response):
    path = environ["PATH_INFO"]
    found = path in ("/a", "/b") or path.startswith("/c/")
    start_response("200 OK" if found else "404 Not Found", [])
    return [path.encode()]
"""
    sight = look(text).finished().sight
    statuses = {each.route.path: each.trials[0].status for each in sight.routes}
    assert statuses.pop(NO_SUCH_PAGE.path) == 404
    assert statuses == {"/": 404, "/a": 200, "/b": 200, "/c/": 200, "/c/{canary}": 200}


def test_paths_that_are_answered_around_the_application_are_tried_too(look):
    """No framework tells them, and they run on the same workers."""
    text = """
import flask
site = flask.Flask(__name__)
@site.get("/known")
def known(): return "/known" if flask.request.path == "/known" else "/text"
def app(environ, start_response):
    if environ["PATH_INFO"] in ("/health", "/not/here"):
        start_response("200 OK" if environ["PATH_INFO"] == "/health" else "404 Not Found", [])
        return [b"fine"]
    return site(environ, start_response)
"""
    sight = look(text).finished().sight
    assert sight.framework == "Flask"
    tried = {each.route.path: (each.trials[0].status, each.route.is_guess) for each in sight.routes}
    assert tried.pop(NO_SUCH_PAGE.path) == (404, False)
    assert tried == {"/known": (200, False), "/health": (200, True), "/not/here": (404, True)}


SHARED = """
import threading
from contextvars import ContextVar
CACHE = {}
LIMIT = 3
local = threading.local()
seen = ContextVar("seen", default=[])
def write(name):
    global LIMIT
    LIMIT = 4
    CACHE[name] = 1
def read(name):
    own = {}
    own[name] = CACHE.get(name)
    return own
def collect(x, into=[]):
    into.append(x)
class Basket:
    things = []
    __slots__ = ()
    def add(self, x): self.things.append(x)
app.app_context().push()
user = current_user._get_current_object()
"""


def test_what_looks_shared_is_told_with_its_line():
    source = sources.Source("shared.py", ast.parse(SHARED))
    told = {note.where.line: note.text for note in suspects.notes_of([source])}
    assert set(told) == {6, 7, 10, 11, 16, 19, 22, 23}
    assert "write() writes into CACHE" in told[11]
    assert "one object for all contexts" in told[7]
    assert "default argument of collect()" in told[16]
    assert "Basket.things" in told[19]


def test_an_instance_that_is_made_once_and_changes_is_told_with_its_method():
    """Also where the class stands in another file; what only `__init__` sets belongs to all."""
    kinds = """
class Greeter:
    def text(self, name):
        self.name = name
class Config:
    def __init__(self):
        self.limit = 3
"""
    made = "greeter: Greeter = kinds.Greeter()\nconfig = Config()\ndef f():\n    Greeter()\n"
    files = [("kinds.py", kinds), ("made.py", made)]
    notes = list(suspects.notes_of(sources.Source(n, ast.parse(text)) for n, text in files))
    assert [(note.where.file, note.where.line, note.text) for note in notes] == [
        ("made.py", 1, "one Greeter for all requests, and Greeter.text() sets name")
    ]


def test_of_functions_in_functions_the_innermost_is_told():
    text = "CACHE = {}\ndef outer():\n    def inner(x):\n        CACHE[x] = 1\n    return inner\n"
    [note] = suspects.notes_of([sources.Source("own.py", ast.parse(text))])
    assert note.text.startswith("inner() writes into CACHE")


def test_what_a_function_keeps_to_itself_is_not_told():
    text = "LIMIT = 3\ndef f(x):\n    own = []\n    own.append(x)\n    LIMIT = 4\n    return own\n"
    assert not list(suspects.notes_of([sources.Source("own.py", ast.parse(text))]))
