"""A response's headers behave as Werkzeug's."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.datastructures import Headers as WerkzeugHeaders

from ctxsim.runtime.headers import Headers

NAMES = st.sampled_from(["X-A", "x-a", "X-B", "Vary", "vary"])
VALUES = st.sampled_from(["", "1", "a b", "a\nb", "a\rb", "\u00e9", 3, None, b"c"])
CALLS = st.lists(st.tuples(st.sampled_from(["set", "add", "item", "remove"]), NAMES, VALUES))


def apply(headers: WerkzeugHeaders, call: tuple[str, str, Any]) -> str:
    how, name, value = call
    try:
        if how == "item":
            headers[name] = value
        elif how == "remove":
            headers.remove(name)
        else:
            getattr(headers, how)(name, value)
    except (TypeError, ValueError) as error:
        return repr(error)
    return "done"


@settings(deadline=None)
@given(calls=CALLS)
def test_the_same_as_werkzeugs(calls: list[tuple[str, str, Any]]) -> None:
    """Whatever is set, added or removed: the same fields in the same order, the same errors."""
    given = [("Content-Type", "text/html"), ("x-a", "0")]
    ours, theirs = Headers.holding(list(given)), WerkzeugHeaders(given)
    for call in calls:
        assert apply(ours, call) == apply(theirs, call)
        assert ours.to_wsgi_list() == theirs.to_wsgi_list()
    assert ours == theirs
    assert theirs == ours
    assert repr(ours) == repr(theirs)


def test_parameters_of_a_value() -> None:
    """`add` takes them as keywords."""
    headers = Headers()
    headers.add("Content-Disposition", "attachment", filename="a b.txt")
    assert headers["content-disposition"] == 'attachment; filename="a b.txt"'
    assert headers.copy() == headers
    assert headers != Headers()
    assert headers != {"content-disposition": "attachment"}
    with pytest.raises(TypeError, match="unhashable"):
        hash(headers)
