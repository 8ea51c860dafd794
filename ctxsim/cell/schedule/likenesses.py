"""Whether code stands where it stood before, with the same values: then it goes round in circles.

A likeness tells a worker's stack by its lines, by the values of its variables, and by those of the
module variables that its functions name. It is told by contents and never by identity, since the
same choices must be judged alike in another process. What is deep inside an object is not seen.
"""

from __future__ import annotations

import dis
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from types import (
    CodeType,
    FrameType,
    FunctionType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
)
from typing import Any, Final

from ctxsim.cell.schedule.places import Place, is_application_file, is_installed

Likeness = tuple[object, ...]
# What was told of a value to some depth, by its identity, and the value, so that it stays whose.
_Told = dict[tuple[int, int], tuple[Any, object]]

_PLAIN: Final = frozenset({int, float, complex, bool, str, bytes, type(None)})
_CODE: Final = (FunctionType, MethodType, ModuleType)
_IN_ORDER: Final = (list, tuple, deque)
_CONTAINERS: Final = (dict, *_IN_ORDER, set, frozenset, bytearray)
# Load a variable, load a constant, add them, store the variable.
_OF_COUNT: Final = 4
_CONSTANTS: Final = ("LOAD_CONST", "LOAD_SMALL_INT")
_OURS: Final = "ctxsim.cell."
_DEPTH, _HOPS, _MOST_ITEMS, _MOST_FRAMES = 3, 4, 16, 30


def application_frames(frames: Iterable[FrameType]) -> list[FrameType]:
    """Those of the application and of packages that it uses, the innermost first."""
    found = (each for each in frames if is_application_file(each.f_code.co_filename))
    return list(islice(found, _MOST_FRAMES))


def likeness(frames: Iterable[FrameType]) -> Likeness:
    """What these frames, the innermost first, have in common with themselves at another time."""
    # Many frames have the same application, request and environment; nothing changes meanwhile.
    told: _Told = {}
    return tuple(_of_frame(each, told) for each in frames)


def _of_frame(frame: FrameType, told: _Told) -> Likeness:
    code = frame.f_code
    counted = _only_counted(code)
    held = [each for each in frame.f_locals.items() if each[0] not in counted]
    found = [(name, _shape(value, _DEPTH, told)) for name, value in held]
    for _, value in held:
        _add_behind(found, value, code.co_names, _HOPS, told)
    named: list[tuple[str, object]] = []
    _add_named(named, code, frame.f_globals, told, followed=True)
    return code.co_filename, code.co_qualname, frame.f_lasti, tuple(found), tuple(named)


# Both add to a list, because generators that go through each other take twice as long.
def _add_named(
    found: list[tuple[str, object]],
    code: CodeType,
    values: dict[str, Any],
    told: _Told,
    *,
    followed: bool,
) -> None:
    """The variables of its module that a code names, and those of functions that it names."""
    names = code.co_names
    for name in names:
        if name not in values:
            continue
        value: Any = values[name]
        if issubclass(type(value), FunctionType):
            if followed and _is_own(value.__code__):
                _add_named(found, value.__code__, value.__globals__, told, followed=False)
        else:
            found.append((name, _shape(value, _DEPTH, told)))
            _add_behind(found, value, names, _HOPS, told)


def _add_behind(
    found: list[tuple[str, object]], value: Any, names: Sequence[str], hops: int, told: _Told
) -> None:
    """What a path of these names, such as `shop.stock.count`, leads to, however deep it is."""
    if own := _own(value):
        for name in names:
            if name in own:
                inner = own[name]
                found.append((name, _shape(inner, 1, told)))
                if hops > 1:
                    _add_behind(found, inner, names, hops - 1, told)


def _own(value: Any) -> Any:
    """The variables of an instance, class or module; None where it has none of the usual kind."""
    kind: Any = type(value)
    if kind in _PLAIN:
        return None
    known_kind = _kinds.get(id(kind)) or _kind_of(kind)
    if known_kind.is_class:
        return type.__dict__["__dict__"].__get__(value)
    if not known_kind.may_own:
        return None
    try:
        own = object.__getattribute__(value, "__dict__")
    except (AttributeError, TypeError):
        return None
    return own if type(own) is dict else None


def _is_own(code: CodeType) -> bool:
    return is_application_file(code.co_filename) and not is_installed(code.co_filename)


def _shape(value: Any, depth: int, told: _Told) -> object:
    """Contents as far as `depth`; of what is deeper, or of no known kind, its type.

    Nothing of the application's runs for it, whatever its classes have made of len() and the like.
    """
    kind: Any = type(value)
    if kind in _PLAIN:
        return value
    known_kind = _kinds.get(id(kind)) or _kind_of(kind)
    if depth == 0 or known_kind.is_code:
        return known_kind.name
    key = id(value), depth
    if (known := told.get(key)) is not None:
        return known[1]
    shape = _shape_of(known_kind, value, depth, told)
    told[key] = value, shape
    return shape


@dataclass(frozen=True, slots=True)
class _Kind:
    """What of a class says how its instances are told; it is looked at once."""

    # By whose address it is known: what is kept here keeps its address.
    kind: Any
    name: str
    is_code: bool
    # Of which container it is derived, if it is one.
    container: Any
    # A lock that stands in knows who has it, who has come further since.
    is_ours: bool
    locked: Any
    is_class: bool
    # Whether there is any way to variables of its own.
    may_own: bool
    slots: tuple[tuple[str, Any], ...]


_kinds: Final[dict[int, _Kind]] = {}


def _kind_of(kind: Any) -> _Kind:
    module = kind.__module__
    found = _Kind(
        kind=kind,
        name=kind.__qualname__,
        is_code=issubclass(kind, _CODE),
        container=next((each for each in _CONTAINERS if issubclass(kind, each)), None),
        is_ours=type(module) is str and module.startswith(_OURS),
        locked=vars(kind).get("locked"),
        is_class=issubclass(kind, type),
        may_own=any("__dict__" in vars(each) for each in kind.__mro__),
        slots=tuple(_slots_of(kind)),
    )
    _kinds[id(kind)] = found
    return found


def _slots_of(kind: Any) -> Iterator[tuple[str, Any]]:
    for each in kind.__mro__:
        slots = vars(each).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else tuple(slots):
            found = vars(each).get(name)
            if type(found) is MemberDescriptorType:
                yield name, found


def _shape_of(kind: _Kind, value: Any, depth: int, told: _Told) -> object:
    container = kind.container
    if container is not None:
        return kind.name, container.__len__(value), _items(container, value, depth - 1, told)
    if kind.is_ours:
        return kind.name, kind.locked(value) if kind.locked is not None else None
    return kind.name, _inside(kind, value, depth, told)


# Lists that become tuples, because generators take much longer for a few items; what is plain is
# told in place, because most is.
def _items(container: Any, value: Any, depth: int, told: _Told) -> Likeness:
    if container is dict:
        items = islice(dict.items(value), _MOST_ITEMS)
        return tuple(
            [
                (
                    key if type(key) in _PLAIN else _shape(key, 1, told),
                    each if type(each) in _PLAIN else _shape(each, depth, told),
                )
                for key, each in items
            ]
        )
    if container in _IN_ORDER:
        found = islice(container.__iter__(value), _MOST_ITEMS)
        return tuple(
            [each if type(each) in _PLAIN else _shape(each, depth, told) for each in found]
        )
    return ()


def _inside(kind: _Kind, value: Any, depth: int, told: _Told) -> Likeness:
    """The attributes of an instance; of a class, those that are plain."""
    own = _own(value) or {}
    if kind.is_class:
        return tuple([(name, each) for name, each in own.items() if type(each) in _PLAIN])
    first = islice(own.items(), _MOST_ITEMS)
    attributes = [
        (name, each if type(each) in _PLAIN else _shape(each, depth - 1, told))
        for name, each in first
    ]
    slots = [(name, _shape(_slot(found, value), depth - 1, told)) for name, found in kind.slots]
    return (*attributes, *slots)


def _slot(found: Any, value: object) -> object:
    try:
        return found.__get__(value)
    except AttributeError:
        return None


@cache
def _only_counted(code: CodeType) -> frozenset[str]:
    """Variables that are looked at for nothing but to add a constant: how often it was tried.

    They grow in each round and decide nothing.
    """
    found = [each for each in dis.get_instructions(code) if each.opname != "CACHE"]
    counted: set[str] = set()
    other: set[str] = set()
    stores = set()
    for at, each in enumerate(found):
        names = each.argval if isinstance(each.argval, tuple) else (each.argval,)
        if each.opname == "LOAD_FAST" and _is_count(found[at : at + _OF_COUNT]):
            counted.add(each.argval)
            stores.add(at + _OF_COUNT - 1)
        elif at in stores or (each.opname == "STORE_FAST" and found[at - 1].opname in _CONSTANTS):
            # It is counted up, or begins anew.
            continue
        elif "_FAST" in each.opname:
            other.update(name for name in names if isinstance(name, str))
    return frozenset(counted - other)


def _is_count(instructions: list[dis.Instruction]) -> bool:
    if len(instructions) < _OF_COUNT:
        return False
    load, constant, add, store = instructions
    return (
        constant.opname in _CONSTANTS
        and add.opname == "BINARY_OP"
        and add.argrepr in ("+=", "-=")
        and store.opname == "STORE_FAST"
        and store.argval == load.argval
    )


def loop_of(stacks: Iterable[tuple[Place, ...]]) -> tuple[Place, ...]:
    """The lines of the loop that these stacks, innermost first, were seen in, in order.

    The loop is in the outermost function of the application's own that did not stay at one line;
    where all stay, since only where it gives way is seen, it is where the innermost one stands.
    """
    outermost_first = [tuple(reversed(each)) for each in stacks]
    shortest = min((len(each) for each in outermost_first), default=0)
    chosen: set[Place] = set()
    for depth in range(shortest):
        places = {each[depth] for each in outermost_first}
        if len({code for code, _ in places}) > 1:
            break
        if _is_own(next(iter(places))[0]) or not chosen:
            chosen = places
            if len(places) > 1 and _is_own(next(iter(places))[0]):
                break
    return tuple(sorted(chosen, key=lambda each: each[1]))
