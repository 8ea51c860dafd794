"""What a look reads in functions that are handed a part of a request."""

import pytest

from ctxsim.cell.looking import handing, sources
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
    assert sources.Names(found).elsewhere(set()) == (Read("query", "x"),)
