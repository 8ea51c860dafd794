"""What a line uses, and where that leads: to what is shared, and to nothing that is not."""

import sys
import textwrap
import threading

import pytest
from werkzeug.local import LocalProxy

from ctxsim.cell.searching.holders import Holders
from ctxsim.cell.searching.uses import Use, uses_of

HEAD = """
import threading
total, names, known = 0, {}, []

class Cart:
    kind = "plain"
    def __init__(self):
        self.items = {}
    @property
    def price(self):
        return 3

class Slotted:
    __slots__ = ("owner",)

class Closed:
    def __setattr__(self, name, value):
        pass

CART, SLOTTED, CLOSED, LOCAL = Cart(), Slotted(), Closed(), threading.local()
"""


@pytest.fixture
def found(tmp_path):
    """What the last line of a function's body leads to: kinds with names, and the locations."""

    def look(body, name="found", **given):
        file = tmp_path / f"{name}.py"
        source = textwrap.indent(textwrap.dedent(body), "    ")
        file.write_text(f"{HEAD}\ndef run(one=None, key=None):\n{source}\n", encoding="utf-8")
        variables = {"__name__": "shop", **given.pop("variables", {})}
        exec(compile(file.read_text(encoding="utf-8"), str(file), "exec"), variables)
        last = len(file.read_text(encoding="utf-8").rstrip().splitlines())
        seen = []

        def trace(frame, event, arg):
            if event == "line" and frame.f_lineno == last and not seen:
                holders = Holders()
                for use in uses_of(str(file)).get(last, ()):
                    at = holders.location(use, frame)
                    if at is not None:
                        seen.append((use.kind, at))
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            variables["run"](**given)
        finally:
            sys.settrace(before)
        return [(kind, at.name) for kind, at in seen], [at for _, at in seen]

    return look


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("global total\ntotal = 3", ("writes", "shop.total")),
        ("global total\ntotal += 3", ("reads", "shop.total")),
        ("names['a'] = 3", ("writes", "shop.names['a']")),
        ("key = 'a'\nnames[key] = 3", ("writes", "shop.names[key]")),
        ("known.append(3)", ("writes", "shop.known")),
        ("return 3 in known", ("reads", "shop.known")),
        ("return names.get('a')", ("reads", "shop.names['a']")),
        ("names.pop('a', None)", ("writes", "shop.names['a']")),
        ("CART.owner = 3", ("writes", "shop.CART.owner")),
        ("CART.items['a'] = 3", ("writes", "shop.CART.items['a']")),
        ("cart = CART\ncart.owner = 3", ("writes", "Cart.owner")),
        ("Cart.kind = 'other'", ("writes", "shop.Cart.kind")),
        ("return CART.kind", ("reads", "shop.CART.kind")),
        ("SLOTTED.owner = 3", ("writes", "shop.SLOTTED.owner")),
        ("setattr(CART, 'owner', 3)", ("writes", "shop.CART.owner")),
        ("return getattr(CART, 'items', None)", ("reads", "shop.CART.items")),
        ("return names.get(CART.kind)", ("reads", "shop.names[CART.kind]")),
        ("CART.__dict__['owner'] = 3", ("writes", "Cart.owner")),
        ("return CART.__dict__.get('items')", ("reads", "Cart.items")),
    ],
)
def test_a_use_of_what_may_be_shared_leads_to_it(found, body, told):
    assert told in found(body)[0]


@pytest.mark.parametrize(
    "body",
    [
        "total = 3",
        "own = {name: 1 for name in 'ab'}",
        "return [total for total in (1, 2)]",
        "return CART.price",
        "CLOSED.owner = 3",
        "LOCAL.owner = 3",
        "return len('a')",
    ],
)
def test_what_is_ones_own_or_computed_leads_nowhere(found, body):
    shown, _ = found(body)
    modules = {"shop.CART", "shop.CLOSED", "shop.LOCAL", "shop.len"}
    assert {name for _, name in shown} <= modules, shown


def test_a_proxy_leads_nowhere_since_it_is_another_for_each_request(found):
    proxied = threading.local()
    proxied.object = type("Own", (), {})()
    g = LocalProxy(lambda: proxied.object)
    for body in ("one.user = 3", "return one.user"):
        proxied.object.user = "ann"
        assert found(body, one=g)[0] == []


def test_the_same_object_is_met_by_any_name_and_others_are_not(found):
    shared, other = {"a": 1}, {"a": 1}
    _, [read, *_] = found("return one['a']", "read", one=shared)
    _, [written] = found("one['a'] = 3", "written", one=shared)
    _, [elsewhere] = found("one['b'] = 3", "elsewhere", one=shared)
    _, [anything, *_] = found("one.clear()", "anything", one=shared)
    _, [foreign] = found("one['a'] = 3", "foreign", one=other)
    assert read.meets(written)
    assert read.meets(anything)
    assert not read.meets(elsewhere)
    assert not read.meets(foreign)


def test_an_attribute_is_met_among_the_variables_of_its_object_and_by_its_name(found):
    class Lazy:
        name = "token"

    one = Lazy()
    _, [written] = found("one.token = 3", "written", one=one)
    for number, body in enumerate(("one.__dict__[one.name]", "getattr(one, 'token')")):
        kept = found(f"return {body}", f"read{number}", one=one)[1]
        assert any(written.meets(each) for each in kept), body
    assert not any(written.meets(each) for each in found("one.__dict__.get('other')", one=one)[1])


def test_a_class_of_which_many_read_is_met_through_its_instances(found):
    class Plain:
        kind = "plain"

    _, [read] = found("return one.kind", "read", one=Plain())
    _, [written] = found("one.kind = 'other'", "written", one=Plain)
    assert read.meets(written)


def test_a_file_that_is_no_python_has_no_uses(tmp_path):
    file = tmp_path / "page.html"
    file.write_text("{% for x %}", encoding="utf-8")
    assert uses_of(str(file)) == {}
    assert Use("reads", "a") == Use("reads", "a", ())
