"""Routes of frameworks that tell them in ways of their own, and what is read of their forms.

CherryPy, Litestar and Sanic are stood in for by what of them is asked.
"""

import ast
import textwrap

import pytest

from ctxsim.cell.looking import sources
from ctxsim.cell.looking.attempts import attempts
from ctxsim.cell.looking.names import Names
from ctxsim.cell.sights import Read, Route

CHERRYPY = """
import sys, types
class Application:
    def __init__(self, root, script_name=""):
        self.root, self.script_name = root, script_name
    def __call__(self, environ, start_response):
        name = environ["PATH_INFO"].removeprefix(self.script_name).strip("/") or "index"
        asked = environ["QUERY_STRING"]
        page = getattr(self.root, name.partition("/")[0], None)
        is_taken = page is not None and all(n in ("", "q") for n in [asked.partition("=")[0]])
        start_response("200 OK" if is_taken else "404 Not Found", [])
        return [asked.encode()]
Application.__module__ = "cherrypy._cptree"
for name in ("cherrypy", "cherrypy._cptree"):
    sys.modules[name] = types.ModuleType(name)
sys.modules["cherrypy._cptree"].Application = Application

def expose(page):
    page.exposed = True
    return page

class Shelf:
    exposed = True
    def GET(self, q=""): return q

class Notes:
    def __init__(self, parent): self.parent = parent
    @expose
    def index(self, q=""): return q
    @expose
    def default(self, name, colour=None): return name
    def hidden(self): return ""

class Root:
    lending = 3
    def __init__(self): self.notes, self.shelf = Notes(self), Shelf()
    @expose
    def index(self, q=""): return q
    @property
    def broken(self): raise RuntimeError("properties are not asked")

app = Application(Root(), "/shop")
"""


def test_the_pages_of_a_tree_of_cherrypys_are_sent_what_they_take(look):
    """It answers 404 where a page is sent anything else."""
    sight = look(CHERRYPY).finished().sight
    assert sight.framework == "CherryPy"
    by_name = {each.route.name: each for each in sight.routes}
    assert set(by_name) >= {
        "GET /shop/", "GET /shop/notes/", "GET /shop/notes/{canary}", "GET /shop/shelf",
    }  # fmt: skip
    assert not any("hidden" in name or "parent" in name for name in by_name)
    paths = [trial.step.path for trial in by_name["GET /shop/notes/"].trials]
    assert paths[0] == "/shop/notes/?q={canary}"
    assert not any("tag=" in path for path in paths)
    # The argument of the path comes first.
    assert by_name["GET /shop/notes/{canary}"].trials[0].step.path.endswith("?colour={canary}")


LITESTAR = """
import sys, types
async def search(q): return q
async def note(data): return data
async def library(): return ""
library.__code__ = __import__("textwrap").dedent.__code__
Handler = lambda fn: (types.SimpleNamespace(fn=fn), None)
class HTTPRoute:
    def __init__(self, path, **handlers):
        self.path = path
        self.route_handler_map = {each: Handler(fn) for each, fn in handlers.items()}
class WebSocketRoute:
    path = "/live"
class Litestar:
    routes = [HTTPRoute("/search", GET=search), HTTPRoute("/notes", POST=note),
              HTTPRoute("/schema", GET=library), WebSocketRoute()]
    openapi_config = None
    async def __call__(self, scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"said"})
class Described(Litestar):
    routes = Litestar.routes
    openapi_config = "known"
    class openapi_schema:
        def to_schema():
            q = {"name": "q", "in": "query", "schema": {"type": "string"}}
            return {"paths": {"/search": {"get": {"parameters": [q]}}}}
sys.modules["litestar"] = types.ModuleType("litestar")
sys.modules["litestar"].Litestar = Litestar
app = MADE()
"""


@pytest.mark.parametrize(("made", "path"), [("Litestar", "tag="), ("Described", "q=")])
def test_the_routes_of_litestar_come_with_what_its_document_tells(look, made, path):
    """The pages of the document itself are a library's, and left out."""
    sight = look(LITESTAR.replace("MADE", made)).finished().sight
    assert sight.framework == "Litestar"
    by_name = {each.route.name: each for each in sight.routes}
    assert by_name["GET /search"].trials[0].step.path == f"/search?{path}{{canary}}"
    assert by_name["GET /live"].why == "it is a WebSocket, which no check speaks"
    assert "POST /notes" in by_name
    assert "GET /schema" not in by_name


def test_what_handlers_of_litestar_take_is_sent_without_a_document(look):
    """Their own parameters, those of what is provided for them, and the members of their data."""
    text = LITESTAR.replace("MADE", "Litestar").replace(
        "async def note(data): return data",
        """
class Note:
    text: str
    stars: int
async def note(data: Note, size: "int | None", who): return data
""",
    )
    told = """
Told = types.SimpleNamespace
def Handler(fn):
    query = [Told(field_name="size", field_alias="size"), Told(field_name="q", field_alias="q")]
    header = [Told(field_name="x", field_alias="X-User"),
              Told(field_name="y", field_alias="authorization")]
    return Told(fn=fn), Told(expected_query_params=query, expected_header_params=header)
class HTTPRoute:"""
    routes = look(text.replace("class HTTPRoute:", told)).finished().sight.routes
    [note] = [each.route for each in routes if each.route.name == "POST /notes"]
    assert note.reads == (
        Read("query", "q"),
        Read("query", "size", "int"),
        Read("header", "X-User"),
        Read("auth", "header"),
        Read("json", "text"),
        Read("json", "stars", "int"),
    )


def test_the_routes_of_sanic_are_read(look):
    text = """
import sys, types
async def item(request, name): return request.args.get("colour")
class Sanic:
    router = types.SimpleNamespace(routes=[types.SimpleNamespace(
        path="item/<name:str>/<count:int>", methods={"GET", "OPTIONS"}, handler=item)])
    async def __call__(self, scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"said"})
sys.modules["sanic"] = types.ModuleType("sanic")
sys.modules["sanic"].Sanic = Sanic
app = Sanic()
"""
    sight = look(text).finished().sight
    [route] = [each for each in sight.routes if each.route.view is not None]
    assert route.route.name == "GET /item/{canary}/{user.number}"
    assert Read("query", "colour") in route.route.reads


SUFFIXED = """
from django.conf import settings
settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="a key for tests")
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path, re_path
def notes(request, format=None): return HttpResponse("said")
def export(request, kind): return HttpResponse("said")
urlpatterns = [
    re_path(r"^notes/$", notes),
    re_path(r"^notes\\.(?P<format>[a-z0-9]+)/?$", notes),
    re_path(r"^export\\.(?P<kind>[a-z0-9]+)$", export),
]
app = get_wsgi_application()
"""


def test_another_name_for_a_view_with_a_formats_suffix_is_not_sent(look):
    """REST framework's routers add one for each route; no text but a format is taken there."""
    sight = look(SUFFIXED).finished().sight
    paths = {each.route.path for each in sight.routes}
    assert paths >= {"/notes/", "/export.{canary}"}
    assert not any(path.startswith("/notes.") for path in paths)


METHODS = """
class App:
    async def __call__(self, scope, receive, send):
        view = {"/me": self.me}.get(scope["path"])
        status, said = (404, "") if view is None else view(scope)
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": said.encode()})
    def header(self, name, scope):
        return dict(scope["headers"]).get(name, b"").decode()
    def me(self, scope):
        said = self.header(b"x-user", scope)
        return (200, said) if said else (401, "")
app = App()
"""


def test_a_path_that_a_method_answers_is_one_route(look):
    """The source names the path, and the class has a method that is named so."""
    sight = look(METHODS).finished().sight
    [me] = [each for each in sight.routes if each.route.path == "/me"]
    assert any(trial.is_good and trial.echoes for trial in me.trials)


def reads_of(text, name):
    tree = ast.parse(textwrap.dedent(text))
    sources._follow_variables(tree)
    sources._note_lists(tree)
    names = Names([sources.Source("app.py", tree)])
    [line] = [n.lineno for n in ast.walk(tree) if getattr(n, "name", "") == name]
    return set(names.of_function("app.py", line))


@pytest.mark.parametrize(
    ("filled", "place"),
    [("SearchForm(request.args)", "query"), ("SearchForm(data=request.GET)", "query")],
)
def test_a_form_that_is_filled_from_the_query_is_read_there(filled, place):
    text = f"""
    class SearchForm(Form):
        term = StringField("term")
        page = IntegerField("page")

    def search():
        form = {filled}
        return form.term.data
    """
    assert reads_of(text, "search") >= {Read(place, "term"), Read(place, "page", "int")}


@pytest.mark.parametrize(
    ("made", "place"),
    [
        ("NewItem(**request.get_json())", "json"),
        ("NewItem.model_validate(json.loads(request.body))", "json"),
        ("NewItem(**request.form.to_dict())", "form"),
    ],
)
def test_a_model_that_is_made_of_a_body_says_what_it_has(made, place):
    text = f"""
    class NewItem(BaseModel):
        kinds: ClassVar[list] = []
        title: str
        count: int | None = None

    def add():
        return {made}.title
    """
    assert reads_of(text, "add") == {Read(place, "title"), Read(place, "count", "int")}


@pytest.mark.parametrize("made", ["User(name=form.name.data)", "User(name=request.form['name'])"])
def test_a_model_that_is_given_single_values_says_nothing_of_a_body(made):
    text = f"""
    class User(Model):
        name: Mapped[str] = column()
        secret: Mapped[str] = column()

    def add():
        return {made}
    """
    assert not any(read.name == "secret" for read in reads_of(text, "add"))


@pytest.mark.parametrize(
    "made", ["request.args.get('x') or other", "other if ok else request.args['x']"]
)
def test_a_variable_of_one_or_another_is_compared_as_either(made):
    text = f"def f():\n    x = {made}\n    return x == 'a'"
    assert Read("query", "x", words=("a",)) in reads_of(text, "f")


def test_a_decimal_is_a_number():
    text = "def f():\n    return Decimal(request.args['net'])"
    assert reads_of(text, "f") == {Read("query", "net", "float")}


def test_a_time_zone_that_is_compared_with_is_sent():
    zone = Read("query", "tz", words=("Europe/Berlin",))
    sent = [each.step.path for each in attempts(Route("GET", "/now", (zone,)), ())]
    assert any("tz=Europe/Berlin" in path for path in sent)


def test_a_page_that_differs_by_a_header_is_asked_for_by_one_url():
    """A cache that keeps pages by their URLs, without that header, gives one to all then."""
    route = Route("GET", "/prices/", (Read("header", "X-Region"),))
    paths = {each.step.path: dict(each.step.headers) for each in attempts(route, ())}
    assert paths["/prices/"]["X-Region"] == "{canary}"


PARAMETERS = """
@get("/notes")
async def notes(who: User, sort: str = "new", page: Page = Depends(pages), note: Note = None):
    if sort.lower() == "old" or note.kind in ("open", "done"): return shown(who, sort)
def user(x_role: str = Header()):
    return x_role != "guest"
def pages(size: Annotated[str, Query(alias="per-page")] = "few"):
    return size == "many"
def shown(who, sort):
    return sort == "best"
def other(sort):
    return sort == "none"
User = Annotated[str, Depends(user)]
"""


def test_what_a_view_is_handed_is_sent_as_what_it_is_compared_with(tmp_path):
    """By the view, by what it calls, and by what is called for it before."""
    file = tmp_path / "app.py"
    file.write_text(PARAMETERS)
    names = Names([sources._parsed(str(file))])
    assert names.compared_with(str(file), 2) == {
        "sort": ("old", "best"),
        "kind": ("open", "done"),
        "x_role": ("guest",),
        "per-page": ("many",),
    }


def test_what_is_sent_to_somebody_is_sent_to_a_user():
    """Whoever sends it finds it, where it was put for him; of a query it may be a date."""
    reads = (Read("json", "to"), Read("json", "text"), Read("query", "to"))
    step = attempts(Route("POST", "/mail", reads), [Read("header", "X-Editor")])[0].step
    assert dict(step.headers)["X-Editor"] == "{user.canary}"
    assert step.json == {"to": "{user.canary}", "text": "{canary}"}
    assert step.path == "/mail?to={canary}"
