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
