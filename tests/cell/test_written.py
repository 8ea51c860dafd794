"""The lines of a source that write to a variable: told where there is one, and only then."""

from __future__ import annotations

import importlib
import sys
import textwrap

import pytest
from driving import live, plan_of, step

from ctxsim.cell.witness import written as written_of_module
from ctxsim.cell.witness.stores import Store
from ctxsim.cell.witness.written import is_read, writer_of

SHOP = """
    import types
    import told_store as store
    from told_store import cart as basket, log

    last, names, pages, orders = None, {}, {}, []
    STATE = types.SimpleNamespace(user=None)

    class Shelf:
        newest = None

        def __init__(self):
            self.items = {}
            self.counted = 0

        def put(self, key, item):
            self.counted += 1
            self.items[key] = item  # SHELF

        @classmethod
        def show(cls, item):
            cls.newest = item  # CLASS

    class Other:
        def put(self, key, item):
            self.items[key] = item

    shelf = Shelf()

    def view(request):
        WRITE

    def read(request):
        return READ
"""
STORE = """
    cart, log, seen = [], {}, set()
    latest = None
"""
WRITES = {
    "an assignment": ("global last; last = request.user", "last"),
    "an entry": ("pages[request.path] = request.user", "pages[...]"),
    "one slot of several": ("names['time'] = request.time; names['user'] = request.user",
                            "names['user']"),
    "a method": ("orders.append(request.user)", "orders[...]"),
    "a key that is kept with a flag": ("names[request.user] = True", "names[...]"),
    "where it is made empty before": (
        "if request.path not in pages: pages[request.path] = []\n"
        "        pages[request.path].append(request.user)",
        "pages[...]",
    ),
    "what a method gives": ("pages.setdefault(request.path, []).append(request.user)",
                            "pages[...]"),
    "another name": ("mine = pages[request.path]; mine.append(request.user)", "pages[...]"),
    "an attribute": ("STATE.user = request.user", "STATE.user"),
    "by a module": ("store.latest = request.user", "store.latest"),
    "a list by a module": ("store.cart.append(request.user)", "store.cart[...]"),
    "an imported name": ("basket.append(request.user)", "store.cart[...]"),
    "a part of an item": (
        "pages[request.path] = {'time': request.time}\n"
        "        pages[request.path]['user'] = request.user",
        "pages['k']['user']",
    ),
    "a part of an item by another name": (
        "pages[request.path] = {'time': request.time}\n"
        "        def view(shelf): shelf['user'] = request.user",
        "pages['k']['user']",
    ),
    "what empties is no writer": ("orders.append(request.user)\n        orders.clear()",
                                  "orders[...]"),
}  # fmt: skip
UNTOLD = {
    "several lines": ("orders.append(request.user)\n        orders.insert(0, request.user)",
                      "orders[...]"),
    "a local of that name": ("orders = []; orders.append(request.user)", "orders[...]"),
    "handed on": ("request.remember(orders)", "orders[...]"),
    "another part of an item": ("pages[request.path] = {'time': request.time}",
                                "pages['k']['user']"),
    "another slot": ("names['time'] = request.time", "names['user']"),
    "another object's": ("request.user.STATE = 1; basket.user = request.user", "STATE.user"),
    "nothing of a request's": ("orders.append('x'); orders.clear()", "orders[...]"),
    "not of a path": ("", "default argument seen of view['x']"),
}  # fmt: skip


@pytest.fixture
def sources(tmp_path, monkeypatch):
    """Writes and imports two modules; gives a store by its path, and the source's lines."""

    def write(body="pass", reads="None"):
        text = textwrap.dedent(SHOP).replace("WRITE", body).replace("READ", reads)
        for name, source in (("told_store", textwrap.dedent(STORE)), ("told_shop", text)):
            (tmp_path / f"{name}.py").write_text(source)
            monkeypatch.delitem(sys.modules, name, raising=False)
            module = importlib.import_module(name)
            monkeypatch.setitem(sys.modules, name, module)
        return text.splitlines()

    def told():
        # Beside them stand all modules of the tests, which are no part of any application.
        return [each for name, each in sys.modules.items() if name in ("told_store", "told_shop")]

    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(written_of_module, "application_modules", told)
    return write


def store_at(path):
    module = "told_store" if path.startswith("store.") else "told_shop"
    path = path.removeprefix("store.")
    name = path.partition("[")[0].partition(".")[0]
    place = f"{module}.{path}" if name.isidentifier() else path
    return Store(place, place, "", frozenset(), named=f"{module}:{name}")


@pytest.mark.parametrize("kind", WRITES)
def test_the_only_line_that_writes_is_told(sources, kind):
    body, path = WRITES[kind]
    lines = sources(body.replace("\n        ", "\n    "))
    written = writer_of(store_at(path))
    assert written is not None
    assert (written.file, written.function) == ("told_shop.py", "view")
    assert "request.user" in lines[written.line - 1]


@pytest.mark.parametrize("kind", UNTOLD)
def test_what_cannot_be_told_from_something_else_is_not_told(sources, kind):
    body, path = UNTOLD[kind]
    sources(body.replace("\n        ", "\n    ") or "pass")
    assert writer_of(store_at(path)) is None


@pytest.mark.parametrize(
    ("path", "mark"), [("shelf.items[...]", "SHELF"), ("Shelf.newest", "CLASS")]
)
def test_a_method_writes_to_objects_of_its_own_class(sources, path, mark):
    """Another class may have an attribute of the same name."""
    lines = sources()
    written = writer_of(store_at(path))
    assert written is not None
    assert lines[written.line - 1].endswith(mark)


READS = [
    ("orders", True), ("orders[-1]", True), ("[each for each in orders]", True),
    ("orders.pop()", True), ("str(orders)", True), ("len(orders)", False), ("None", False),
    ("request.orders", False), ("pages[orders[0]]", True), ("log.get(orders[0], None)", True),
]  # fmt: skip


@pytest.mark.parametrize(("expression", "read"), READS)
def test_a_variable_is_read_where_what_it_holds_is(sources, expression, read):
    """How many it holds says nothing of them."""
    sources("orders.append(request.user); del orders[0]", expression)
    assert is_read(store_at("orders[...]")) is read


def test_what_a_source_does_not_tell_counts_as_read(sources):
    sources()
    assert is_read(Store("frame of f(): x", "", "", frozenset()))


APP = """
    from urllib.parse import parse_qs
    audit, current, history = {}, {}, []

    def app(environ, start_response):
        sent = parse_qs(environ["QUERY_STRING"])
        if "tag" in sent:
            tag = sent["tag"][0]
            audit["last"] = tag
            current["tag"] = tag  # READ
            history.append(tag)  # KEPT
        start_response("200 OK", [])
        return [f"{current.get('tag')}, {len(audit)} of {len(history)}".encode()]
"""


def test_the_variable_that_is_read_is_told_of_several_that_hold_a_text(application):
    """No answer comes from one that is only written."""
    target = application(APP)
    plan = plan_of("GET /set?tag={canary}", step("GET /show"), target=target)
    found = live(plan).finished()
    line = _line_of(APP, "READ")
    [story] = [each.story for each in found.findings if each.code == "CTX201"]
    assert "kept in app.current['tag']" in story
    assert f"written by app.py:{line} in app" in story


def test_retention_names_the_line_that_writes(application):
    """As one that was found in the source, unless it was seen to write."""
    steps = ("GET /set?tag={canary}", step("GET /show"))
    found = live(plan_of(*steps, target=application(APP), retention=True)).finished()
    stories = {each.cause[2]: each.story for each in found.findings}
    line = _line_of(APP, "KEPT")
    assert stories["app.history[...]"][-1] == f"likely written by app.py:{line} in app"
    once = APP.replace("history.append(tag)", "pass").replace('audit["last"] = tag', "pass")
    found = live(plan_of(*steps, target=application(once), retention=True)).finished()
    [story] = [each.story for each in found.findings if each.code == "CTX402"]
    assert story[-1] == f"written by app.py:{_line_of(once, 'READ')} in app"


def _line_of(text, mark):
    lines = textwrap.dedent(text).splitlines()
    return next(at for at, line in enumerate(lines, 1) if mark in line)
