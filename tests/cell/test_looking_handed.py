"""What a look reads of a request that was taken apart: handed on, or made of a raw body."""

import ast

import pytest

from ctxsim.cell.looking import handing, sources
from ctxsim.cell.looking.names import Names
from ctxsim.cell.sights import Read

HANDED = {
    "by place": ("Search(request.args)", "def __init__(self, a):\n        self.term = a['x']"),
    "by name": ("Search.of(given=request.args)", "def of(cls, *, given):\n        given.get('x')"),
    "further": (
        "Search(request.args)",
        "def __init__(self, a):\n        self.read(a)\n"
        "    def read(self, b):\n        return b.get('x')",
    ),
}


@pytest.mark.parametrize("how", HANDED)
def test_what_is_read_of_a_part_of_a_request_that_is_handed_on_is_sent(tmp_path, how):
    call, method = HANDED[how]
    (tmp_path / "views.py").write_text(f"def view():\n    return {call}\n")
    (tmp_path / "searching.py").write_text(f"class Search:\n    {method}\n")
    found = [sources._parsed(str(tmp_path / f"{each}.py")) for each in ("views", "searching")]
    handing.follow_calls(found)
    assert Names(found).elsewhere(set()) == (Read("query", "x"),)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("json.loads(request.body)['x']", Read("json", "x")),
        ("json.loads(request.get_data(as_text=True))['x']", Read("json", "x")),
        ("async def f():\n    d = json.loads(await r.body())\n    d['x']", Read("json", "x")),
        ("def f():\n    d = request.form.to_dict()\n    return d['x']", Read("form", "x")),
        ("req.get_media()['x']", Read("json", "x")),
        ("request.json_body.get('x')", Read("json", "x")),
        ("req.get_param_as_int('n')", Read("query", "n", "int")),
    ],
)
def test_what_is_made_of_a_body_or_asked_by_a_method_is_read(text, read):
    tree = ast.parse(text)
    sources._follow_variables(tree)
    assert set(sources.reads_in(tree)) == {read}


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (
            "def f(scope):\n    for name, value in scope['headers']:\n"
            "        if name.lower() == b'x-user': return value",
            Read("header", "X-User"),
        ),
        (
            "def f(self):\n    for k, v in self.scope['headers']:\n"
            "        match k.decode('latin-1'):\n            case 'x-user': return v",
            Read("header", "X-User"),
        ),
        (
            "def f(scope):\n    return [v for k, v in scope.get('headers', ()) if k == b'x-user']",
            Read("header", "X-User"),
        ),
        (
            "def f(scope):\n    h = {k.decode(): v.decode() for k, v in scope['headers']}\n"
            "    return h.get('x-user')",
            Read("header", "X-User"),
        ),
        (
            "def f(scope):\n    h: dict = dict((k, v) for k, v in scope['headers'])\n"
            "    return h[b'x-user']",
            Read("header", "X-User"),
        ),
        ("Headers(scope=scope).get('x-user')", Read("header", "X-User")),
        ("Headers(raw=self.scope['headers'])['x-user']", Read("header", "X-User")),
        (
            "def f(s):\n    for key, text in parse_qsl(s):\n        if key == 'x': return text",
            Read("query", "x"),
        ),
        (
            "def f():\n    return {v for k, v in request.cookies.items() if k in ('x', 'y')}",
            Read("cookie", "y"),
        ),
    ],
)
def test_what_is_picked_out_of_a_part_by_its_name_is_read(text, read):
    """As applications without a framework do, and middlewares, with the headers of a scope."""
    tree = ast.parse(text)
    sources._follow_variables(tree)
    assert read in set(sources.reads_in(tree))


@pytest.mark.parametrize(
    "text",
    [
        "def f(message):\n    for k, v in message['headers']:\n        if k == b'x-user': return v",
        "for name, value in other.items():\n    print(name == 'x')",
        "Headers({'x-user': 'y'}).get('x-user')",
    ],
)
def test_what_is_picked_out_of_anything_else_is_no_name(text):
    tree = ast.parse(text)
    sources._follow_variables(tree)
    assert not list(sources.reads_in(tree))
