"""Where a use of a line leads: the object that holds what is used, by its identity.

Nothing of the application's runs for it: instances, classes, modules and Python's own containers
are looked into as they are. What a class computes itself, such as a proxy, a thread-local or a
property, leads nowhere: who is behind it is another for each request, and what its own lines use is
told there.
"""

from __future__ import annotations

import dis
import gc
import operator
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice
from types import (
    CellType,
    CodeType,
    FrameType,
    FunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    ModuleType,
)
from typing import Any, Final

from ctxsim.cell.searching.uses import Attribute, Contents, Hop, Item, Kind, Use

_ALL: Final = "*"
_NOTHING: Final = object()
_CONTAINERS = (dict, list, set, deque, bytearray)
_STORING = ("STORE_GLOBAL", "DELETE_GLOBAL")
_CONTENTS: Final = ("name", "")
# How often functions are looked for among all objects, which takes a while.
_MOST_LOOKS = 50
# Enough to tell a text from others.
_MOST_TEXT = 200
# So many of them are looked at of a container, and containers in it so deep.
_MOST_TEXTS, _DEEP = 20, 2
_LOOKED_INTO = (dict, list, tuple, deque)
_VARIABLES: Final = Attribute("__dict__")
_KEYS = (str, bytes, int, float, bool, tuple)


@dataclass(frozen=True, slots=True)
class Location:
    """One attribute, variable or item of an object that is alive, or `_ALL` of its items.

    `name` is how a reader finds it; two of the same object and key are the same by any name.
    """

    holder: int
    key: object
    name: str

    def meets(self, other: Location) -> bool:
        """Whether what is written to one of them is read from the other."""
        if self.holder != other.holder:
            return False
        return self.key == other.key or _ALL_ITEMS in (self.key, other.key)


_ALL_ITEMS = ("items", _ALL)


class Holders:
    """Finds what uses lead to; `alive` keeps it, so that no other object gets its identity."""

    def __init__(self) -> None:
        self.alive: dict[int, object] = {}
        # By code, the functions that have it, as they were looked for last.
        self._functions: dict[CodeType, list[FunctionType]] = {}
        self._looks = 0

    def location(self, use: Use, frame: FrameType) -> Location | None:
        """Where the use leads in that frame now; None where it leads to what cannot be shared."""
        if not use.hops:
            return self._variable(use.name, use.kind, frame)
        value = _value(use.name, frame)
        name = _begun(use.name, frame)
        for at, hop in enumerate(use.hops):
            if value is _NOTHING:
                return None
            if _is_variables(use.hops[at:]):
                return self._variable_of(value, use.hops[-1], frame)
            if at == len(use.hops) - 1:
                return self._last(value, hop, use, frame, name)
            value = _next(value, hop, frame)
            name += _told(hop)
        return None

    def texts(self, use: Use, frame: FrameType) -> tuple[str, ...]:
        """The text that is there now, or the first ones in a container of Python's own."""
        value = _value(use.name, frame)
        for hop in use.hops:
            if not isinstance(hop, Contents):
                value = _next(value, hop, frame)
        return tuple(islice(_texts(value, _DEEP), _MOST_TEXTS))

    def _variable(self, name: str, kind: Kind, frame: FrameType) -> Location | None:
        if name in frame.f_code.co_freevars:
            cell = self._cell(name, frame)
            around = frame.f_code.co_qualname.rpartition(".<locals>.")[0]
            return None if cell is None else self._of(cell, _CONTENTS, f"{around}.{name}")
        loaded, stored = _globals_of(frame.f_code)
        is_used = name in (stored if kind == "writes" else loaded)
        if not is_used or (name not in frame.f_globals and name in frame.f_builtins):
            return None
        return self._of(frame.f_globals, ("name", name), _begun(name, frame))

    def _variable_of(self, value: object, hop: Hop, frame: FrameType) -> Location | None:
        """`value.__dict__[name]` is its attribute, past all that its class makes of that."""
        name = _key(hop, frame)
        if type(name) is not str or _own(value) is None:
            return None
        return self._of(value, ("name", name), f"{type(value).__qualname__}.{name}")

    def _cell(self, name: str, frame: FrameType) -> CellType | None:
        """What functions within one have in common of a variable of its; None if that is not known.

        A frame does not tell it, but the function does that it runs: that, or those that have the
        same code and see the same values.
        """
        code = frame.f_code
        found = self._cells(name, frame)
        if not found and self._looks < _MOST_LOOKS:
            self._looks += 1
            self._functions[code] = list(_functions_of(code))
            found = self._cells(name, frame)
        return next(iter(found.values())) if len(found) == 1 else None

    def _cells(self, name: str, frame: FrameType) -> dict[int, CellType]:
        names = frame.f_code.co_freevars
        seen = [frame.f_locals.get(each, _NOTHING) for each in names]
        at = names.index(name)
        closures = [each.__closure__ or () for each in self._functions.get(frame.f_code, ())]
        return {
            id(closure[at]): closure[at]
            for closure in closures
            if all(map(operator.is_, map(_contents, closure), seen))
        }

    def _of(self, holder: object, key: object, name: str) -> Location:
        self.alive[id(holder)] = holder
        return Location(id(holder), key, name)

    def _last(
        self, value: object, hop: Hop, use: Use, frame: FrameType, name: str
    ) -> Location | None:
        kind = type(value)
        if isinstance(hop, Attribute):
            holder = _holder(value, hop.name, use.kind)
            if holder is None:
                return None
            # A local variable's name says nothing elsewhere: its class does.
            if _is_local(use.name, frame.f_code) and len(use.hops) == 1:
                name = value.__name__ if isinstance(value, type) else kind.__qualname__
            return self._of(holder, ("name", hop.name), f"{name}.{hop.name}")
        if not issubclass(kind, _CONTAINERS):
            return None
        key = _key(hop, frame)
        shown = _told(hop) if not isinstance(hop, Contents) else ""
        return self._of(value, _ALL_ITEMS if key is _NOTHING else ("item", key), f"{name}{shown}")


def _texts(value: object, deep: int) -> Iterator[str]:
    if type(value) is str:
        yield value[:_MOST_TEXT]
    elif deep and type(value) in _LOOKED_INTO:
        among: Any = value.values() if type(value) is dict else value
        # A copy, because to go on from one text to the next takes a while.
        for each in list(islice(among, _MOST_TEXTS)):
            yield from _texts(each, deep - 1)


def _is_variables(hops: tuple[Hop, ...]) -> bool:
    return len(hops) == 2 and hops[0] == _VARIABLES and isinstance(hops[1], Item)  # noqa: PLR2004


def _functions_of(code: CodeType) -> Iterator[FunctionType]:
    for each in gc.get_referrers(code):
        if type(each) is FunctionType and each.__code__ is code:
            yield each


def _contents(cell: CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:
        return _NOTHING


def _is_local(name: str, code: CodeType) -> bool:
    return name in code.co_varnames or name in code.co_cellvars or name in code.co_freevars


@cache
def _globals_of(code: CodeType) -> tuple[frozenset[str], frozenset[str]]:
    """The variables of its module that a code loads, and those that it stores or deletes."""
    found = [(each.opname, each.argval) for each in dis.get_instructions(code)]
    return (
        frozenset(name for operation, name in found if operation == "LOAD_GLOBAL"),
        frozenset(name for operation, name in found if operation in _STORING),
    )


def _begun(name: str, frame: FrameType) -> str:
    """A variable's name; a module's with that of its module."""
    if _is_local(name, frame.f_code):
        return name
    value = frame.f_globals.get(name, _NOTHING)
    if issubclass(type(value), ModuleType):
        return name
    module = frame.f_globals.get("__name__")
    return f"{module}.{name}" if type(module) is str else name


def _told(hop: Hop) -> str:
    if isinstance(hop, Attribute):
        return f".{hop.name}"
    if isinstance(hop, Item):
        path = ".".join((hop.variable, *hop.names))
        return "[...]" if hop.is_any else f"[{path or repr(hop.constant)}]"
    return ""


def _value(name: str, frame: FrameType) -> Any:
    if _is_local(name, frame.f_code):
        return frame.f_locals.get(name, _NOTHING)
    # A line may have several codes, such as a comprehension's: each knows its own names alone.
    is_used = name in _globals_of(frame.f_code)[0]
    return frame.f_globals.get(name, _NOTHING) if is_used else _NOTHING


def _next(value: Any, hop: Hop, frame: FrameType) -> Any:
    if isinstance(hop, Attribute):
        return _attribute(value, hop.name)
    kind, key = type(value), _key(hop, frame)
    if key is _NOTHING:
        return _NOTHING
    if issubclass(kind, dict) and kind.__getitem__ is dict.__getitem__:
        return dict.get(value, key, _NOTHING)
    if issubclass(kind, list | tuple) and type(key) is int and -len(value) <= key < len(value):
        base = list if issubclass(kind, list) else tuple
        return base.__getitem__(value, key)
    return _NOTHING


def _key(hop: Hop, frame: FrameType) -> object:
    """The key of an item, where it is of a kind that runs no code to be compared."""
    if not isinstance(hop, Item) or hop.is_any:
        return _NOTHING
    key = _value(hop.variable, frame) if hop.variable else hop.constant
    for name in hop.names:
        key = _attribute(key, name)
    if type(key) is tuple and not all(type(each) in _KEYS[:-1] for each in key):
        return _NOTHING
    return key if type(key) in _KEYS else _NOTHING


def _attribute(value: Any, name: str) -> Any:
    if name == _VARIABLES.name and not issubclass(type(value), type | ModuleType):
        return _NOTHING if _own(value) is None else _own(value)
    if (own := _own(value)) is not None and name in own:
        return own[name]
    for kind in _lookup(value):
        found = vars(kind).get(name, _NOTHING)
        if found is _NOTHING:
            continue
        if type(found) is MemberDescriptorType and not issubclass(type(value), type):
            try:
                return found.__get__(value)
            except AttributeError:
                return _NOTHING
        return _NOTHING if hasattr(type(found), "__get__") else found
    return _NOTHING


def _holder(value: Any, name: str, kind: Kind) -> object | None:
    """What holds that attribute, or will: the instance, a class, or a module's variables."""
    own = _own(value)
    if own is not None and issubclass(type(value), ModuleType):
        return own if name in own or kind == "writes" else None
    has = own is not None and name in own
    found = next((each for each in _lookup(value) if name in vars(each)), None)
    is_slot = found is not None and type(vars(found)[name]) is MemberDescriptorType
    if kind == "writes":
        plain = is_slot or (own is not None and (found is None or not _is_data(vars(found)[name])))
        return value if plain and _writes_plainly(value) else None
    if has or is_slot:
        return value if _reads_plainly(value) else None
    # A property is computed: what its lines use is told there.
    return None if found is None or _is_data(vars(found)[name]) else found


def _is_data(found: object) -> bool:
    return hasattr(type(found), "__set__")


def _reads_plainly(value: object) -> bool:
    kind = type(value)
    return kind.__getattribute__ in (object.__getattribute__, type.__getattribute__)


def _writes_plainly(value: object) -> bool:
    kind = type(value)
    return _reads_plainly(value) and kind.__setattr__ in (object.__setattr__, type.__setattr__)


def _lookup(value: Any) -> Iterator[type]:
    """The classes in which an attribute of `value` is looked up."""
    yield from type.__dict__["__mro__"].__get__(
        value if issubclass(type(value), type) else type(value)
    )


def _own(value: Any) -> Any:
    """The variables of an instance, class or module, whatever its class makes of `__dict__`."""
    kind = type(value)
    if issubclass(kind, type):
        return type.__dict__["__dict__"].__get__(value)
    if issubclass(kind, ModuleType):
        return ModuleType.__getattribute__(value, "__dict__")
    for each in kind.__mro__:
        found = vars(each).get("__dict__")
        if type(found) is GetSetDescriptorType:
            return found.__get__(value)
    return None
