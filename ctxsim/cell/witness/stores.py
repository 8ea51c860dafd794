"""Where values are kept, told by path: what a search found, brought together store by store."""

from __future__ import annotations

import functools
import sys
import types
from _thread import _local
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ctxsim.cell.history import Where
from ctxsim.cell.witness.paths import OPEN, Step, steps
from ctxsim.cell.witness.reach import Tree, uncollected
from ctxsim.cell.witness.record import is_application_file, module_file

_MOST_STEPS = 8
# What is built in, or code, belongs to whoever holds it.
_CONTAINERS = (dict, list, tuple, set, frozenset)
_WORK = (types.CoroutineType, types.GeneratorType, types.AsyncGeneratorType, deque)


@dataclass(frozen=True, slots=True)
class Root:
    """Where a search begins: the variables of a module, a frame or a context, by name.

    `form` is how a path from it begins. A value of a worker's own (`per_worker`) lives as long as
    its worker.
    """

    thing: dict[str, Any]
    form: str
    of_library: bool = False
    per_worker: bool = False
    where: tuple[Where, ...] = ()

    @property
    def is_frame(self) -> bool:
        return bool(self.where)


@dataclass(frozen=True, slots=True)
class Store:
    """One place that keeps values. `place` is its path, with an open end where it keeps several.

    `named` is how a scenario's `keeps` would name it; '' where it cannot. `of_library` means that a
    library, not the application, decides what is kept there. `of_work`: what is kept are variables
    of work that goes on, such as a thread or a coroutine, or wait in a queue for it.
    """

    place: str
    example: str
    canary: str
    canaries: frozenset[str]
    named: str = ""
    of_library: bool = False
    per_worker: bool = False
    of_work: bool = False
    where: tuple[Where, ...] = ()
    is_open: bool = False
    # Of what stands side by side there, how many hold just one canary, by that; where it is asked.
    holders: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Way:
    """How far a path has come."""

    thing: Any
    place: str
    example: str
    root: Root
    named: str = ""
    of_library: bool = False
    per_worker: bool = False
    kinds: tuple[type, ...] = ()

    def further(self, step: Step) -> _Way:
        named = self.named or (f"{self.root.form}:{step.attribute}" if step.attribute else "")
        return replace(
            self,
            thing=step.thing,
            place=step.general(self.place),
            example=step.after(self.example),
            named=named,
            of_library=self._is_of_library(step),
            kinds=(*self.kinds, type(self.thing)),
        )._entered()

    def _entered(self) -> _Way:
        if issubclass(type(self.thing), _local) and not self.per_worker:
            place, example = (f"thread-local {each}" for each in (self.place, self.example))
            return replace(self, per_worker=True, place=place, example=example)
        return self

    def _is_of_library(self, step: Step) -> bool:
        if (owner := _made_by(step.thing)) == "application":
            return False
        name = step.attribute
        if not self.kinds or not name or _made_by(self.thing) != "library":
            return self.of_library
        # What an object of a library offers openly to the application that made it (`app.config`),
        # and what it does not know of (`app.last_user`), is filled by the application.
        is_open = len(self.kinds) == 1 and not name.startswith("_") and owner == ""
        return self.of_library or (name in _known_names(_class_of(self.thing)) and not is_open)


def stores(tree: Tree, root: Root, *, count_holders: bool = False) -> list[Store]:
    """The stores that are reached from `root` by the ways of `tree`."""
    with uncollected():
        return list(_stores(tree, root, count_holders=count_holders))


def _stores(tree: Tree, root: Root, *, count_holders: bool) -> Iterator[Store]:
    form = root.form
    ways = [_Way(root.thing, form, form, root, "", root.of_library, root.per_worker)]
    while ways:
        way = ways.pop()
        ahead = _ahead(tree, way)
        if id(way.thing) in tree.canaries or (ahead and _is_one_store(tree, way, ahead)):
            yield _store(tree, way, way.place, [way.thing])
            continue
        open_ended: dict[str, list[Step]] = defaultdict(list)
        for step in ahead:
            if step.varying:
                open_ended[step.varying].append(step)
        ways += [way.further(step) for step in reversed(ahead) if not step.varying]
        for group in open_ended.values():
            first = way.further(group[0])
            things = list(_things(group))
            store = _store(tree, first, group[0].general(way.place), things)
            yield replace(store, holders=_holders(tree, things)) if count_holders else store


def _holders(tree: Tree, things: list[Any]) -> Mapping[str, int]:
    held = (tree.below(each) for each in things)
    return Counter(canary for found in held if len(found) == 1 for canary in found)


def _ahead(tree: Tree, way: _Way) -> list[Step]:
    def onwards(thing: Any) -> list[Any]:
        return tree.children.get(id(thing), [])

    ahead = steps(way.thing, onwards, names=way.thing is way.root.thing)
    if way.thing is way.root.thing and way.root.is_frame:
        return [step._replace(form=f"{{}}: {step.attribute}") for step in ahead]
    if way.thing is way.root.thing and way.root.per_worker:
        return [step._replace(form="{}") for step in ahead]
    if _are_several(ahead) and issubclass(type(way.thing), _CONTAINERS) and way.kinds:
        # Several side by side are one store, whatever its keys look like.
        return [step if step.varying else step._replace(varying=OPEN) for step in ahead]
    return ahead


def _is_one_store(tree: Tree, way: _Way, ahead: list[Step]) -> bool:
    """Whether a path ends here, although it could be told further."""
    kind = type(way.thing)
    if len(way.kinds) >= _MOST_STEPS:
        return True
    if issubclass(kind, _CONTAINERS):
        return bool(way.kinds) and _are_several(ahead) and tree.is_of_one(way.thing)
    if not _made_by(way.thing) or issubclass(kind, (type, types.FunctionType)):
        return False
    # A chain of like objects, or an object that is all one request's.
    is_chain = kind in way.kinds or any(type(each) is kind for each in _things(ahead))
    return is_chain or (_are_several(ahead) and tree.is_of_one(way.thing))


def _are_several(ahead: list[Step]) -> bool:
    return len(ahead) > 1 or any(step.beside for step in ahead)


def _things(ahead: list[Step]) -> Iterator[Any]:
    for step in ahead:
        yield step.thing
        yield from step.beside


def _store(tree: Tree, way: _Way, place: str, things: list[Any]) -> Store:
    last, canary = _example(tree, way)
    return Store(
        place=place,
        example=last.example,
        canary=canary,
        canaries=frozenset(tree.below(*things)),
        named="" if way.root.is_frame or way.root.per_worker else way.named,
        of_library=way.of_library,
        per_worker=way.per_worker,
        of_work=way.root.is_frame or any(issubclass(kind, _WORK) for kind in last.kinds),
        where=way.root.where,
        is_open=place.endswith(("[...]", "(...)")),
    )


def _example(tree: Tree, way: _Way) -> tuple[_Way, str]:
    """The way to one value of a store, and the value."""
    while (held := tree.canaries.get(id(way.thing))) is None:
        way = way.further(_ahead(tree, way)[0])
    return way, held[0]


def _made_by(thing: Any) -> str:
    """Whose class an object is of, or whose function it is: "application", "library", or ''."""
    kind = type(thing)
    if kind is types.FunctionType:
        ours = is_application_file(thing.__code__.co_filename)
        return "application" if ours else "library"
    return _maker(_class_of(thing))


def _class_of(thing: Any) -> Any:
    kind = type(thing)
    return thing if issubclass(kind, type) else kind


@functools.cache
def _maker(kind: Any) -> str:
    name = type.__getattribute__(kind, "__dict__").get("__module__")
    file = module_file(sys.modules.get(name)) if type(name) is str else None
    if file is None or issubclass(kind, _CONTAINERS) or issubclass(kind, types.ModuleType):
        return ""
    return "application" if is_application_file(file) else "library"


@functools.cache
def _known_names(kind: Any) -> frozenset[str]:
    """The names that the code of a class and its bases knows."""
    names: set[str] = set()
    for each in kind.__mro__:
        for name, value in list(type.__getattribute__(each, "__dict__").items()):
            names.add(name)
            if type(value) is types.FunctionType:
                names.update(value.__code__.co_names)
    return frozenset(names)
