"""How the way from one object to the next is written: `.name`, `['key']`, `[3]`, a default.

Nothing of the application's is called: what a class says of its attributes is not asked.
"""

from __future__ import annotations

import contextlib
import gc
import types
from _thread import _local
from collections import deque
from collections.abc import Callable, Iterator, Sequence, Set
from typing import Any, NamedTuple

from ctxsim.cell.witness.reach import CACHED

_LONGEST_KEY = 40
# An open end of a path: what follows differs from request to request.
OPEN = "{}[...]"
CALLS = "{}(...)"


class Step(NamedTuple):
    """One step of a path to `thing`. `form` is filled with the path so far.

    `varying` is common to all that a store keeps side by side, as entries of a list or of a dict
    whose keys are data; '' where the step leads to one slot. `beside` are the others of those, to
    which nothing but their own key or number tells the way. `attribute` is a name in the code.
    """

    form: str
    thing: Any
    varying: str = ""
    attribute: str = ""
    beside: Sequence[Any] = ()

    def after(self, path: str) -> str:
        return self.form.replace("{}", path, 1)

    def general(self, path: str) -> str:
        return (self.varying or self.form).replace("{}", path, 1)


def steps(thing: Any, ways: Callable[[Any], list[Any]], *, names: bool = False) -> list[Step]:
    """How `thing` leads to what `ways` says of it; `names`: it is a dict of variables.

    What stands between an object and its attributes, such as its `__dict__`, is no step.
    """
    wanted = list(ways(thing))
    if wanted and type(thing) in _PLAIN:
        # Nothing but its items, of which there may be very many.
        first, *others = wanted
        return [Step(_item(thing, first), first, OPEN, beside=others)]
    for inner in _innards(thing):
        if any(each is inner for each in wanted):
            wanted = [each for each in wanted if each is not inner] + list(ways(inner))
    left = {id(each): each for each in wanted}
    found: list[Step] = []
    for step in _attributes(thing) if names else _steps(thing, left.keys()):
        if left.pop(id(step.thing), None) is not None:
            found.append(step)
            for each in step.beside:
                del left[id(each)]
            if not left:
                return found
    form, varying = (CALLS, CALLS) if type(thing) is CACHED else ("{}", "")
    # Only C code knows the names of the rest.
    return [*found, *(Step(form, each, varying) for each in left.values())]


def _innards(thing: Any) -> list[Any]:
    kind = type(thing)
    if kind is types.FunctionType:
        parts = (thing.__defaults__, thing.__kwdefaults__, thing.__closure__)
        return [each for each in parts if each is not None]
    if issubclass(kind, type):
        return gc.get_referents(type.__getattribute__(thing, "__dict__"))
    if kind is CACHED:
        return [each for each in gc.get_referents(thing) if type(each) is dict]
    if issubclass(kind, _CONTAINERS):
        return []
    if issubclass(kind, _local):
        return _of_threads(thing)
    attributes = dict_of(thing)
    return [] if attributes is None else [attributes]


def _of_threads(local: Any) -> list[Any]:
    # A dict of dicts, one for each thread; or, in later versions, one of those only.
    outer = [each for each in gc.get_referents(local) if type(each) is dict]
    return [*outer, *(each for each in gc.get_referents(*outer) if type(each) is dict)]


def _steps(thing: Any, wanted: Set[int]) -> Iterator[Step]:
    kind = type(thing)
    if issubclass(kind, dict):
        yield from _of_dict(thing, wanted)
    elif issubclass(kind, _ITEMS):
        yield from _side_by_side(items_of(thing), wanted, lambda first: _item(thing, first))
    elif issubclass(kind, _local):
        for each in _of_threads(thing):
            yield from _attributes(each)
    elif kind in _OF_CODE:
        yield from _OF_CODE[kind](thing)
    if issubclass(kind, type):
        yield from _attributes(dict(type.__getattribute__(thing, "__dict__")))
    else:
        yield from _of_object(thing)


def _side_by_side(
    things: list[Any], wanted: Set[int], form: Callable[[Any], str]
) -> Iterator[Step]:
    """One step for all of `things` that are wanted: there may be very many."""
    # Once each, however often they are there.
    here = {id(each): each for each in things if id(each) in wanted}
    if here:
        first, *others = here.values()
        yield Step(form(first), first, OPEN, beside=others)


def _item(holder: Any, thing: Any) -> str:
    if not issubclass(type(holder), _SEQUENCES):
        return OPEN
    # An item may have gone meanwhile.
    place = (i for i, each in enumerate(items_of(holder)) if each is thing)
    return f"{{}}[{next(place, '...')}]"


def _of_dict(thing: Any, wanted: Set[int]) -> Iterator[Step]:
    pairs = [
        (key, value)
        for key, value in list(dict.items(thing))
        if id(value) in wanted or id(key) in wanted
    ]
    by_data: list[Any] = []
    for key, value in pairs:
        if _is_constant(key):
            yield Step(_entry(key), value)
        else:
            by_data.append(value)
    yield from _side_by_side(by_data, wanted, lambda first: _entry(_key_of(pairs, first)))
    yield from _side_by_side([key for key, _ in pairs], wanted, _entry)


def _key_of(pairs: list[tuple[Any, Any]], thing: Any) -> Any:
    return next(key for key, value in pairs if value is thing and not _is_constant(key))


def _entry(key: object) -> str:
    shown = repr(key) if type(key) in (str, int, bytes) else f"<{type(key).__name__}>"
    return f"{{}}[{shown[: 2 * _LONGEST_KEY]}]"


def _is_constant(key: object) -> bool:
    """Whether a key looks like one that is written in the code, and is no data."""
    return type(key) is str and len(key) <= _LONGEST_KEY and not any(map(str.isdigit, key))


def _attributes(names: dict[Any, Any]) -> Iterator[Step]:
    for name, value in list(dict.items(names)):
        if type(name) is str and name.isidentifier():
            yield Step(f"{{}}.{name}", value, attribute=name)
        else:
            yield Step(f"{{}}.{str(name)[:_LONGEST_KEY]}", value, OPEN)


def _of_object(thing: Any) -> Iterator[Step]:
    yield from _attributes(dict_of(thing) or {})
    for kind in type(thing).__mro__:
        for name, member in list(type.__getattribute__(kind, "__dict__").items()):
            if type(member) is types.MemberDescriptorType:
                with contextlib.suppress(AttributeError, TypeError):
                    yield Step(f"{{}}.{name}", member.__get__(thing), attribute=name)


def dict_of(thing: Any) -> dict[str, Any] | None:
    """The attributes that an object itself has, as they are."""
    try:
        found = object.__getattribute__(thing, "__dict__")
    except (AttributeError, TypeError):
        return None
    return found if type(found) is dict else None


def _of_function(function: types.FunctionType) -> Iterator[Step]:
    code, defaults = function.__code__, function.__defaults__ or ()
    names = code.co_varnames[: code.co_argcount]
    given = [*zip(names[len(names) - len(defaults) :], defaults, strict=True)]
    for name, value in (*given, *(function.__kwdefaults__ or {}).items()):
        yield Step(f"default argument {name} of {{}}", value)
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        yield Step(f"closure variable {name} of {{}}", cell)


def _of_generator(generator: Any) -> Iterator[Step]:
    frame = generator.gi_frame if type(generator) is types.GeneratorType else generator.cr_frame
    # Reading the locals of a function runs no code.
    for name, value in dict(frame.f_locals if frame is not None else ()).items():
        yield Step(f"local {name} of {generator.__name__}() in {{}}", value)


_SEQUENCES = (list, tuple, deque)
_ITEMS = (*_SEQUENCES, set, frozenset)
_CONTAINERS = (*_ITEMS, dict)
_PLAIN = frozenset(_ITEMS)

_OF_CODE: dict[type, Callable[[Any], Iterator[Step]]] = {
    types.FunctionType: _of_function,
    types.GeneratorType: _of_generator,
    types.CoroutineType: _of_generator,
}


def items_of(thing: Any) -> list[Any]:
    """What a list, tuple, deque or set holds, asked of the builtin class and not of its own."""
    for kind in (list, tuple, deque, set, frozenset):
        if issubclass(type(thing), kind):
            return list(kind.__iter__(thing))
    return []
