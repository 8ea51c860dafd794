"""What can be reached from given objects, level by level, without running any code of theirs.

A breadth-first search by `gc.get_referents`, in bulk, because a process may hold millions of
objects. Parents are not recorded on the way, since that would double its cost: they are looked up
afterwards, level by level, for what was found alone.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import sys
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, compress, repeat
from types import (
    AsyncGeneratorType,
    BuiltinFunctionType,
    CodeType,
    CoroutineType,
    FrameType,
    FunctionType,
    GeneratorType,
    ModuleType,
)
from typing import Any, Protocol

from ctxsim.cell.visits import Request
from ctxsim.cell.witness.record import is_application_file, is_own_file

_CHUNK = 1000
_LONG = 1000  # characters of a text
CACHED = type(functools.lru_cache(lambda: None))
_OURS = "ctxsim.cell"
_LEAVES = (int, float, complex, type(None), BuiltinFunctionType, CodeType, type(...))

# What is done with an object, by its class.
_WALK, _LEAF, _ASK, _HOLDS = range(4)


class Found(Protocol):
    """Which canaries a text holds that are looked for; most texts hold none."""

    def __call__(self, text: str) -> list[str]: ...


@dataclass(slots=True)
class Tree:
    """The shortest ways from the roots to what was found.

    `children` maps the id of each object on such a way to the next ones; `canaries` the id of what
    was found to the canaries that it holds; `dicts` are those on the ways. `alive` keeps what has
    ids here from being freed.
    """

    children: dict[int, list[Any]] = field(default_factory=dict)
    canaries: dict[int, list[str]] = field(default_factory=dict)
    dicts: list[Any] = field(default_factory=list)
    alive: list[list[Any]] = field(default_factory=list)

    def below(self, *nodes: object) -> set[str]:
        """All canaries that are reached by way of `nodes`."""
        found: set[str] = set()
        level = list(map(id, nodes))
        # Level by level, since these may be all that a process keeps.
        while level:
            found.update(*filter(None, map(self.canaries.get, level)))
            inner = filter(None, map(self.children.get, level))
            level = list(map(id, chain.from_iterable(inner)))
        return found

    def is_of_one(self, node: object) -> bool:
        """Whether just one canary is reached by way of `node`, be it in several places."""
        first: str | None = None
        for canary in self._below(node):
            if first is not None and canary != first:
                return False
            first = canary
        return first is not None

    def _below(self, node: object) -> Iterator[str]:
        canaries, children = self.canaries, self.children
        ways = [id(node)]
        while ways:
            each = ways.pop()
            if each in canaries:
                yield from canaries[each]
            if each in children:
                ways += map(id, children[each])


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """No collection of what is unreachable, since the lists of a search would set off many."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


class Walk:
    """Searches texts for `prefix`, and tells by `found` what they hold.

    Where what is looked for has no one prefix, `likely` tells of a text, which may be many that are
    joined by NULs, whether it is worth asking `found` of each.
    What is in `barred`, an instance of one of `barred_classes`, or ctxsim's own, is not entered; a
    deque that has a `maxlen`, and an application's `lru_cache` that has a bound, only if `bounded`.
    """

    def __init__(
        self,
        prefix: str,
        found: Found,
        barred: Iterable[object] = (),
        barred_classes: tuple[type, ...] = (),
        *,
        bounded: bool = True,
        likely: Callable[[str], object] | None = None,
    ) -> None:
        self._prefix = prefix
        self._found = found
        self._likely = likely
        self._barred = list(barred)
        self._enters_bounded = bounded
        self._roles = _Roles(barred_classes, () if bounded else (deque,))
        # Classes, by what is done with all their instances; they are learnt on the way.
        self._leaves: set[type] = {str}
        self._simple: set[type] = set()

    def from_(self, roots: Sequence[object], most: float = float("inf")) -> Tree:
        """What is found from `roots`, which must be containers.

        At most `most` objects are seen, not counting those that lead nowhere.
        """
        tree = Tree()
        with uncollected():
            levels = self._down(roots, most, tree)
            tree.alive = [self._barred, *(each.things for each in levels)]
            tree.alive += [each.hits for each in levels]
            _up(levels, tree)
        return tree

    def _down(self, roots: Sequence[object], most: float, tree: Tree) -> list[_Level]:
        seen = _Seen((*roots, *self._barred))
        levels = [_Level(list(roots), list(self._by_keys(roots, tree)))]
        while levels[-1].things and len(seen) < most:
            level = _Level()
            for chunk in _chunks(levels[-1].things):
                if len(seen) >= most:
                    break
                # One object may have very many.
                for referents in _chunks(gc.get_referents(*chunk)):
                    self._look_at(referents, seen, level, tree)
                level.ends.append((len(level.things), len(level.hits)))
            levels.append(level)
        return levels

    def _look_at(self, referents: list[object], seen: _Seen, level: _Level, tree: Tree) -> None:
        level.hits += self._texts(referents, seen, tree.canaries)
        leaves = self._leaves
        fresh = seen.fresh([each for each in referents if type(each) not in leaves])
        if not self._simple.issuperset(map(type, fresh)):
            fresh = list(self._sorted(fresh, level.hits, tree.canaries))
            level.hits += self._by_keys(fresh, tree)
        level.things += fresh

    def _texts(
        self, referents: list[Any], seen: _Seen, canaries: dict[int, list[str]]
    ) -> Iterator[object]:
        """The texts that hold what is looked for, but for those that were found before."""
        texts = [each for each in referents if type(each) is str]
        # To join short texts is faster than to look into each; a long one that many refer to is
        # looked into once.
        if sum(map(len, texts)) <= _LONG * len(texts):
            if not self._is_likely_in(texts):
                return
            texts = [each for each in texts if self._prefix in each]
        for i, each in seen.remembered(texts).items():
            if self._prefix in each and (held := self._found(each)):
                canaries[i] = held
                yield each

    def _is_likely_in(self, texts: Iterable[str]) -> bool:
        """Whether one of the texts may hold what is looked for; raises TypeError if one is none."""
        if self._likely is None:
            return self._prefix in "".join(texts)
        return bool(self._likely("\0".join(texts)))

    def _sorted(
        self, fresh: list[Any], hit: list[object], canaries: dict[int, list[str]]
    ) -> Iterator[object]:
        """What of `fresh` is entered; what holds texts is looked into."""
        for each in fresh:
            kind = type(each)
            role = self._roles[kind]
            if role == _WALK:
                if not issubclass(kind, dict):
                    self._simple.add(kind)
                yield each
            elif role == _LEAF:
                self._leaves.add(kind)
            elif role == _ASK:
                if not _is_barred(each, enters_bounded=self._enters_bounded):
                    yield each
            elif held := self._held(each):
                canaries[id(each)] = held
                hit.append(each)

    def _by_keys(self, nodes: Iterable[Any], tree: Tree) -> Iterator[object]:
        """The dicts whose keys hold what is looked for: such keys are no referents of a dict."""
        prefix = self._prefix
        for each in nodes:
            if type(each) is dict or issubclass(type(each), dict):
                try:
                    is_in = self._is_likely_in(dict.__iter__(each))
                except TypeError:
                    continue  # keys of other kinds are referents
                except RuntimeError:
                    is_in = True  # it was changed meanwhile
                if is_in:
                    keys = [key for key in list(dict.keys(each)) if prefix in key]
                    held = {id(key): (key, found) for key in keys if (found := self._found(key))}
                    tree.canaries.update((i, found) for i, (_, found) in held.items())
                    if held:
                        tree.children[id(each)] = [key for key, _ in held.values()]
                        tree.dicts.append(each)
                        yield each

    def _held(self, thing: Any) -> list[str]:
        kind = type(thing)
        if kind is Request:
            return self._found(thing.canary)
        # By the classes' own methods: a subclass may answer anything.
        if issubclass(kind, str):
            return self._found(str.__str__(thing))
        read: Any = bytes if issubclass(kind, bytes) else bytearray
        return self._found(read.__getitem__(thing, slice(None)).decode("latin-1"))


@dataclass(slots=True)
class _Level:
    """What is a number of steps away from the roots: what leads on, and what is looked for.

    `ends` tells, for each chunk of the level before, how many of both were found until its end.
    """

    things: list[Any] = field(default_factory=list)
    hits: list[Any] = field(default_factory=list)
    ends: list[tuple[int, int]] = field(default_factory=list)


class _Seen:
    """What a search has come by, so that it enters each object once.

    What one object alone holds can be come by only once: the collector, too, relies on it that an
    object is referred to as often as it is counted. To ask for the count takes a fifth of the time
    of remembering the object, and most of what a process holds is of this kind.
    """

    __slots__ = ("_alone", "ids")

    def __init__(self, things: Iterable[object]) -> None:
        self.ids = set(map(id, things))
        # How many were come by that are not remembered.
        self._alone = 0

    def __len__(self) -> int:
        return len(self.ids) + self._alone

    def fresh(self, things: list[Any]) -> list[Any]:
        """What of `things` was not seen before, once each, and is now."""
        counts = list(map(sys.getrefcount, things))
        alone = counts.count(_COUNT_ALONE)
        self._alone += alone
        if alone == len(things):
            return things
        shared = [each for each, n in zip(things, counts, strict=True) if n != _COUNT_ALONE]
        fresh = list(self.remembered(shared).values())
        if alone:
            pairs = zip(things, counts, strict=True)
            fresh += [each for each, n in pairs if n == _COUNT_ALONE]
        return fresh

    def remembered(self, things: list[Any]) -> dict[int, Any]:
        """What of `things` was not remembered before, by id, and is from now on."""
        by_id = dict(zip(map(id, things), things, strict=True))
        for known in self.ids.intersection(by_id):
            del by_id[known]
        self.ids.update(by_id)
        return by_id


def _count_alone() -> int:
    """How often an object that one other holds is counted in `_Seen.fresh`.

    The lists on the way there hold it, too: those of `Walk._down` and `Walk._look_at`.
    """
    holder = [object()]
    referents = gc.get_referents(holder)
    [chunk] = _chunks(referents)
    things = [each for each in chunk if type(each) is object]
    return next(map(sys.getrefcount, things))


def _chunks(level: list[object]) -> Iterator[list[object]]:
    for start in range(0, len(level), _CHUNK):
        yield level[start : start + _CHUNK]


_COUNT_ALONE = _count_alone()


def _up(levels: list[_Level], tree: Tree) -> None:
    """Fill in the ways from the roots to the hits: the first parent of each that there is."""
    above: list[int] = []
    for above_it, level in zip(reversed(levels[:-1]), reversed(levels[1:]), strict=True):
        above = _parents(above_it.things, level, above, tree)


def _parents(parents: list[Any], level: _Level, below: list[int], tree: Tree) -> list[int]:
    """Lead to the hits of a level, and to what else of it is on a way; its places are `below`.

    Returned are the places of the parents on a way, in their order.
    """
    found: list[int] = []
    hits_seen = below_seen = 0
    starts = range(0, len(parents), _CHUNK)
    # A search that is bounded comes to no end of the later chunks.
    for start, (things_end, hits_end) in zip(starts, level.ends, strict=False):
        below_end = bisect_left(below, things_end, below_seen)
        if hits_seen == hits_end and below_seen == below_end:
            continue
        # What was come by from a chunk has a parent there: few at a time are quickly told apart.
        wanted = set(map(id, level.hits[hits_seen:hits_end]))
        wanted.update(map(id, map(level.things.__getitem__, below[below_seen:below_end])))
        hits_seen, below_seen = hits_end, below_end
        chunk = parents[start : start + _CHUNK]
        found += (start + place for place in _adopted(chunk, wanted, tree.children))
    tree.dicts += (each for each in map(parents.__getitem__, found) if issubclass(type(each), dict))
    return found


def _adopted(parents: list[Any], wanted: set[int], children: dict[int, list[Any]]) -> Iterator[int]:
    """Give each of what is wanted to the first parent that refers to it; the parents' places."""
    # To ask each for its referents costs more than to ask all at once. A mark that stands between
    # them tells where those of one end.
    mark = object()
    referents = gc.get_referents(*chain.from_iterable(zip(parents, repeat([mark]))))
    is_told = {*wanted, id(mark)}.__contains__
    place, last = 0, -1
    for each in compress(referents, map(is_told, map(id, referents))):
        if each is mark:
            place += 1
        elif id(each) in wanted:
            wanted.discard(id(each))
            key = id(parents[place])
            if key in children:
                children[key].append(each)
            else:
                children[key] = [each]
            if place != last:
                yield place
                last = place


class _Roles(dict[type, int]):
    """What is done with the instances of each class; told once for each class."""

    def __init__(self, barred: tuple[type, ...], asked: tuple[type, ...]) -> None:
        super().__init__()
        self._barred = barred
        self._asked = asked

    def __missing__(self, kind: type) -> int:
        role = self[kind] = self._role(kind)
        return role

    def _role(self, kind: type) -> int:
        if kind is Request or issubclass(kind, (str, bytes, bytearray)):
            return _HOLDS
        if issubclass(kind, _LEAVES) or issubclass(kind, self._barred) or _is_our_class(kind):
            return _LEAF
        asked: tuple[type, ...]
        asked = (FunctionType, FrameType, GeneratorType, CoroutineType, AsyncGeneratorType)
        asked += (ModuleType, type, CACHED, *self._asked)
        return _ASK if issubclass(kind, asked) else _WALK


def _is_our_class(kind: type) -> bool:
    module = type.__getattribute__(kind, "__dict__").get("__module__")
    return type(module) is str and module.startswith((_OURS, "ctxsim.switchpoint"))


_CODES: dict[type, Callable[[Any], CodeType]] = {
    FunctionType: lambda each: each.__code__,
    FrameType: lambda each: each.f_code,
    GeneratorType: lambda each: each.gi_code,
    CoroutineType: lambda each: each.cr_code,
    AsyncGeneratorType: lambda each: each.ag_code,
}


def _has_bound(cached: Any) -> bool:
    """Whether a function's `lru_cache` ends what it keeps; who wrote it has said how much."""
    parameters = object.__getattribute__(cached, "__dict__").get("cache_parameters")
    return type(parameters) is FunctionType and parameters()["maxsize"] is not None


def _is_of_application(cached: Any) -> bool:
    """Whether it is the application's own function that is cached, and no library's."""
    wrapped = object.__getattribute__(cached, "__dict__").get("__wrapped__")
    return type(wrapped) is FunctionType and is_application_file(wrapped.__code__.co_filename)


@functools.cache
def _is_our_code(file: str) -> bool:
    return file[:1] != "<" and is_own_file(file) and not is_application_file(file)


def _is_barred(thing: Any, *, enters_bounded: bool) -> bool:
    """Whether something is ctxsim's, is searched anyway, or is a deque or a cache with a bound."""
    kind = type(thing)
    if kind is CACHED:
        return _has_bound(thing) and not (enters_bounded and _is_of_application(thing))
    if issubclass(kind, deque):
        # Whoever made it has said how much it may keep.
        return deque.maxlen.__get__(thing) is not None
    if (code := _CODES.get(kind)) is not None:
        return _is_our_code(code(thing).co_filename)
    if issubclass(kind, type):
        return _is_our_class(thing)
    name = ModuleType.__getattribute__(thing, "__dict__").get("__name__")
    ours = type(name) is str and name.partition(".")[0] == "ctxsim"
    return ours or (type(name) is str and sys.modules.get(name) is thing)
