"""LocalProxy behaves as the object that it stands for at the moment of each use."""

from __future__ import annotations

import asyncio
import copy
import operator
import pickle
from collections.abc import Callable
from contextvars import ContextVar
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctxsim import runtime
from ctxsim.errors import OutsideContextError
from ctxsim.runtime import App, Local, LocalProxy, LocalStack, current_app, g, request, session
from ctxsim.runtime.proxy import SHORTCUT_LIMIT

OBJECTS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-50, 50),
    st.floats(-50, 50),
    st.complex_numbers(max_magnitude=50),
    st.text(max_size=5),
    st.binary(max_size=5),
    st.lists(st.integers(0, 9), max_size=4),
    st.tuples(st.integers(0, 3), st.integers(0, 3)),
    st.dictionaries(st.text(max_size=2), st.integers(0, 3), max_size=3),
    st.sets(st.integers(0, 5), max_size=4),
    st.frozensets(st.integers(0, 5), max_size=4),
)
UNARY: list[Callable[[Any], Any]] = [
    repr, str, bool, hash, len, abs, iter, reversed, int, float, complex, round, bytes, dir, list,
    sorted, operator.neg, operator.pos, operator.invert, operator.index, copy.copy, copy.deepcopy,
    lambda x: x.__class__, lambda x: isinstance(x, (int, str, list)), lambda x: x.__doc__,
    lambda x: x.upper(), lambda x: x.real, lambda x: x.missing, lambda x: f"{x}",
    lambda x: format(x, ">9"), lambda x: [*x], lambda x: {**x},
    lambda x: pickle.loads(pickle.dumps(x)), lambda x: x(), lambda x: next(x), callable,
    lambda x: x.__dict__, operator.length_hint, memoryview,
]  # fmt: skip
BINARY: list[Callable[[Any, Any], Any]] = [
    operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod,
    operator.and_, operator.or_, operator.xor, operator.lt, operator.le, operator.eq, operator.ne,
    operator.gt, operator.ge, operator.contains, operator.getitem, operator.delitem, divmod,
    operator.matmul,
]  # fmt: skip
IN_PLACE: list[Callable[[Any, Any], Any]] = [
    operator.iadd, operator.isub, operator.imul, operator.iand, operator.ior, operator.ixor,
    operator.itruediv, operator.ifloordiv, operator.imod,
]  # fmt: skip


def outcome(function: Callable[..., Any], *args: Any) -> Any:
    """What a call gives or raises, in a form that can be compared."""
    try:
        result = function(*args)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        return type(error), None if isinstance(error, TypeError) else str(error)
    if issubclass(type(result), LocalProxy):
        result = result._get_current_object()
    if hasattr(result, "__next__"):
        return type(result), list(result)
    return type(result), repr(result)


def proxy_to(value: Any) -> Any:
    return LocalProxy(lambda: value)


@given(value=OBJECTS, number=st.sampled_from(range(len(UNARY))))
def test_what_takes_one_object_takes_its_proxy(value: Any, number: int) -> None:
    """Each operation of one operand gives, or raises, for a proxy what it does for the object."""
    function = UNARY[number]
    if function is callable or (function is memoryview and not hasattr(bytes, "__buffer__")):
        return
    assert outcome(function, proxy_to(value)) == outcome(function, value)


@given(a=OBJECTS, b=OBJECTS, number=st.sampled_from(range(len(BINARY))))
def test_operators_take_a_proxy_on_either_side(a: Any, b: Any, number: int) -> None:
    """Each operator of two operands does with a proxy left, right, or both what it does without."""
    function = BINARY[number]
    expected = outcome(function, copy.deepcopy(a), b)
    assert outcome(function, proxy_to(copy.deepcopy(a)), b) == expected
    assert outcome(function, copy.deepcopy(a), proxy_to(b)) == expected or takes_no_stranger(a, b)
    assert outcome(function, proxy_to(copy.deepcopy(a)), proxy_to(b)) == expected or (
        takes_no_stranger(a, b)
    )


def takes_no_stranger(a: Any, b: Any) -> bool:
    """Built-in containers look at the type of the right operand, where no proxy can help."""
    kinds = (str, bytes, list, tuple)
    return isinstance(a, (*kinds, set, frozenset)) or isinstance(b, kinds)


@given(a=OBJECTS, b=OBJECTS, number=st.sampled_from(range(len(IN_PLACE))))
def test_augmented_assignment_changes_the_object_or_gives_a_new_one(
    a: Any, b: Any, number: int
) -> None:
    """`proxy += b` changes what changes itself, and stays a proxy; else it is the new object."""
    function = IN_PLACE[number]
    plain, proxied = copy.deepcopy(a), copy.deepcopy(a)
    proxy = proxy_to(proxied)
    expected, got = outcome(function, plain, b), outcome(function, proxy, b)
    assert got == expected
    assert repr(proxied) == repr(plain)
    if function is operator.iadd and isinstance(a, list) and isinstance(b, list):
        assert type(function(proxy, b)) is type(proxy)


@given(base=st.integers(-9, 9), power=st.integers(0, 4), modulo=st.integers(1, 9))
def test_powers(base: int, power: int, modulo: int) -> None:
    """pow with two and three operands, and on the right."""
    assert proxy_to(base) ** power == base**power
    assert pow(proxy_to(base), power, modulo) == pow(base, power, modulo)
    assert base ** proxy_to(power) == base**power


@given(value=st.lists(st.integers(), min_size=1), new=st.integers())
def test_items_are_set_and_deleted_in_the_object(value: list[int], new: int) -> None:
    """Changing a proxy changes the object."""
    proxy = proxy_to(value)
    proxy[0] = new
    proxy.append(new)
    assert value[0] == value[-1] == new
    del proxy[0]
    assert list(proxy) == value
    assert new in proxy


def test_attributes_are_set_and_deleted_in_the_object() -> None:
    """Also after a read gave the proxy a shortcut for the attribute."""
    value = SimpleNamespace(a=1)
    proxy = proxy_to(value)
    assert (proxy.a, proxy.a) == (1, 1)
    proxy.a = 2
    assert (proxy.a, value.a) == (2, 2)
    del proxy.a
    with pytest.raises(
        AttributeError, match=r"'types.SimpleNamespace' object has no attribute 'a'"
    ):
        proxy.a  # noqa: B018


def test_names_that_the_proxy_class_has_are_the_objects() -> None:
    """`__doc__`, `__dict__`, `__class__` and names like the proxy's own insides are forwarded."""

    class Thing:
        """A thing."""

        _shortcuts = "mine"
        __wrapped = "also mine"

    value = Thing()
    value.source = 3  # type: ignore[attr-defined]
    proxy = proxy_to(value)
    for _ in range(2):
        assert (proxy.__doc__, proxy.__dict__, proxy.source) == ("A thing.", {"source": 3}, 3)
        assert (proxy._shortcuts, proxy._Thing__wrapped) == ("mine", "also mine")
    assert isinstance(proxy, Thing)
    assert type(proxy) is not Thing
    assert "Behaves as the object" in str(LocalProxy.__doc__)


def test_an_attribute_error_inside_a_property_is_the_objects() -> None:
    """The error's own words arrive, though a shortcut's failure looks like a missing attribute."""

    class Thing:
        @property
        def broken(self) -> None:
            raise AttributeError("from inside")

    proxy = proxy_to(Thing())
    for _ in range(2):
        with pytest.raises(AttributeError, match=r"^from inside$"):
            proxy.broken  # noqa: B018


def test_odd_attribute_names_work() -> None:
    """Names that are no identifiers, or keywords, get no shortcut but are found."""
    value = SimpleNamespace(**{"class": 1, "two words": 2, "__private": 3})
    proxy = proxy_to(value)
    for name in ("class", "two words", "__private") * 2:
        assert getattr(proxy, name) == getattr(value, name)


def test_shortcuts_are_bounded() -> None:
    """Computed names do not make the proxy's class grow without end."""
    names = [f"name{number}" for number in range(SHORTCUT_LIMIT + 50)]
    proxy = proxy_to(SimpleNamespace(**dict.fromkeys(names, 1)))
    assert all(getattr(proxy, name) == 1 for name in names * 2)
    assert len(type(proxy).__dict__) <= SHORTCUT_LIMIT + 5


def test_two_proxies_do_not_share_shortcuts() -> None:
    """A shortcut belongs to one proxy: the other's attribute of that name is its own object's."""
    a, b = proxy_to(SimpleNamespace(name="a")), proxy_to(SimpleNamespace(name="b"))
    assert [a.name, b.name] * 2 == ["a", "b", "a", "b"]


def test_a_proxy_follows_its_source() -> None:
    """Callable, stack top, local attribute and context variable are looked up at each use."""
    stack: LocalStack[Any] = LocalStack()
    local, variable = Local(), ContextVar[Any]("variable")
    cell = [None]
    puts: list[tuple[Any, Callable[[Any], object]]] = [
        (LocalProxy(lambda: cell[0]), lambda value: cell.__setitem__(0, value)),
        (stack(), stack.push),
        (local("it"), lambda value: setattr(local, "it", value)),
        (LocalProxy(variable), variable.set),
    ]
    for proxy, put in puts:
        for number in (1, 2):
            put(SimpleNamespace(number=number))
            assert (proxy.number, proxy.number) == (number, number)
    stack.pop()
    assert puts[1][0].number == 1
    stack.pop()
    local.__release_local__()


def test_a_name_picks_an_attribute_of_what_is_found() -> None:
    """`LocalProxy(source, name)` and `stack(name)` stand for the attribute."""
    variable, stack = ContextVar[Any]("variable"), LocalStack[Any]()
    value = SimpleNamespace(user=SimpleNamespace(name="ann"))
    variable.set(value)
    stack.push(value)
    for proxy in (LocalProxy(variable, "user"), stack("user"), LocalProxy(lambda: value, "user")):
        assert [proxy.name, proxy.name] == ["ann", "ann"]
    stack.pop()


def test_an_unbound_proxy_says_so_wherever_it_must_not_fail() -> None:
    """repr, bool, dir and isinstance work unbound; every use raises a RuntimeError."""
    stack: LocalStack[Any] = LocalStack()
    proxy = stack(unbound_message="nobody is here")
    assert (repr(proxy), bool(proxy), dir(proxy)) == ("<LocalProxy unbound>", False, [])
    assert isinstance(proxy, LocalProxy)
    uses: list[Callable[[], Any]] = [
        lambda: proxy.name, lambda: len(proxy), lambda: proxy + 1, lambda: proxy(),
        lambda: str(proxy),
        lambda: setattr(proxy, "a", 1), lambda: hash(proxy), lambda: proxy._get_current_object(),
    ]  # fmt: skip
    for use in uses:
        with pytest.raises(OutsideContextError, match=r"^nobody is here$"):
            use()


def test_an_unset_variable_is_unbound_also_after_a_shortcut() -> None:
    """A proxy that was read while bound raises the same error once it is not."""
    variable: ContextVar[Any] = ContextVar("variable")
    proxy = LocalProxy(variable)
    token = variable.set(SimpleNamespace(name="ann"))
    assert [proxy.name, proxy.name] == ["ann", "ann"]
    variable.reset(token)
    with pytest.raises(OutsideContextError):
        proxy.name  # noqa: B018


@pytest.mark.parametrize(
    ("name", "context", "ways"),
    [
        ("current_app", "app context", ["app.app_context()", "while a request is handled"]),
        ("g", "app context", ["app.app_context()", "while a request is handled"]),
        ("request", "request context", ["app.test_request_context(", "a view or a hook"]),
        ("session", "request context", ["app.test_request_context(", "a view or a hook"]),
    ],
)
def test_the_error_names_the_missing_context_and_both_ways_to_push_it(
    name: str, context: str, ways: list[str]
) -> None:
    """Outside a context, whoever reads the message knows what to write."""
    with pytest.raises(OutsideContextError) as caught:
        getattr(runtime, name).anything  # noqa: B018
    text = str(caught.value)
    assert f"`{name}` was used outside" in text
    assert all(word in text for word in [context, *ways])
    assert isinstance(caught.value, RuntimeError)


def test_a_proxy_needs_something_to_stand_for() -> None:
    """A number, or a Local without a name, is refused with what to give instead."""
    with pytest.raises(TypeError, match="Give it a callable"):
        LocalProxy(3)
    with pytest.raises(TypeError, match="needs the name of an attribute"):
        LocalProxy(Local())


def test_with_await_and_async_protocols_are_forwarded() -> None:
    """A proxy can be entered, awaited and iterated, with and without async."""

    class Everything:
        def __enter__(self) -> str:
            return "entered"

        def __exit__(self, *_: object) -> bool:
            return True

        async def __aenter__(self) -> str:
            return "async entered"

        async def __aexit__(self, *_: object) -> None:
            return None

        def __await__(self) -> Any:
            yield from ()
            return "awaited"

        async def __aiter__(self) -> Any:
            yield "item"

    proxy = proxy_to(Everything())
    with proxy as entered:
        raise KeyError(entered)

    async def use() -> list[Any]:
        async with proxy as inside:
            return [inside, await proxy, [item async for item in proxy]]

    assert asyncio.run(use()) == ["async entered", "awaited", ["item"]]
    with pytest.raises(TypeError, match="__enter__"), proxy_to(3):
        pass


def test_a_proxy_to_a_class_serves_isinstance() -> None:
    """isinstance(x, proxy) and issubclass(x, proxy) ask the class."""
    proxy = proxy_to(int)
    assert isinstance(3, proxy)
    assert issubclass(bool, proxy)
    assert proxy("7") == 7


def test_copies_are_of_the_object() -> None:
    """copy and deepcopy of a proxy give objects, not proxies."""
    value = [[1]]
    shallow, deep = copy.copy(proxy_to(value)), copy.deepcopy(proxy_to(value))
    assert type(shallow) is type(deep) is list
    assert shallow[0] is value[0]
    assert deep[0] is not value[0]


@pytest.mark.usefixtures("storage")
def test_the_context_proxies_work_on_every_storage(app: App) -> None:
    """request, session, g and current_app follow the selected storage."""
    with app.test_request_context("/path?a=1"):
        session["user"] = "ann"
        g.user = session["user"]
        assert (request.path, request.args["a"], g.user, current_app.name) == (
            "/path", "1", "ann", "shop",
        )  # fmt: skip
        assert current_app == app
        assert current_app._get_current_object() is app  # type: ignore[attr-defined]
