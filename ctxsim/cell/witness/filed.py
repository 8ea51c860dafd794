"""What is kept of a user under that user's own key: a store of users keeps it by right.

A cart, a profile or a cache that is found by whose it is gives nobody another's value. What is kept
of a user under no name, or under another one's, is left to be told.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ctxsim.cell import canaries
from ctxsim.cell.canaries import LENGTH
from ctxsim.cell.witness.marks import Marks
from ctxsim.cell.witness.reach import Tree

_CHUNK = 1000


def without_filed(tree: Tree, roots: Iterable[object], marks: Marks) -> Tree:
    """The ways of `tree` from `roots`, but for those that lead through a user's own key."""
    others = {id(each): _not_filed(tree, each, marks) for each in tree.dicts}
    if all(len(ahead) == len(tree.children[key]) for key, ahead in others.items()):
        return tree
    ways = _ways(tree, roots, others)
    reached = {*map(id, roots), *(id(child) for _, ahead in ways for child in ahead)}
    canaries = {key: held for key, held in tree.canaries.items() if key in reached}
    live = set(canaries)
    children: dict[int, list[Any]] = {}
    # What is ahead of each stands behind it.
    for key, ahead in reversed(ways):
        if onwards := [each for each in ahead if id(each) in live]:
            children[key] = onwards
            live.add(key)
    return Tree(children, canaries, tree.dicts, tree.alive)


def _ways(
    tree: Tree, roots: Iterable[object], others: dict[int, list[Any]]
) -> list[tuple[int, list[Any]]]:
    """The ids of what leads on, with where it leads: by `others`, where that says it."""
    found: list[tuple[int, list[Any]]] = []
    seen: set[int] = set()
    level = list(map(id, roots))
    while level:
        fresh = [key for key in dict.fromkeys(level) if key in tree.children and key not in seen]
        seen.update(fresh)
        ways = [(key, others[key] if key in others else tree.children[key]) for key in fresh]
        found += ways
        level = [id(each) for _, ahead in ways for each in ahead]
    return found


def _not_filed(tree: Tree, holder: Any, marks: Marks) -> list[Any]:
    """Where a dict leads on by other keys than those of the users whose values they lead to."""
    ahead = tree.children[id(holder)]
    keys = {id(value): key for key, value in list(dict.items(holder))}
    naming = _naming([keys[id(each)] for each in ahead if id(each) in keys], tree, marks)
    if not naming:
        return ahead
    others = []
    for each in ahead:
        key = keys.get(id(each))
        whose = _users(key, marks) if id(key) in naming else frozenset()
        if not whose or not _of(tree.below(each)) <= whose:
            others.append(each)
    return others


def _naming(keys: list[object], tree: Tree, marks: Marks) -> set[int]:
    """The ids of those keys that may name a user; there may be very many that do not."""
    # A request's canary alone names nobody.
    texts = [
        each
        for each in keys
        if type(each) is str and not (len(each) == LENGTH and id(each) in tree.canaries)
    ]
    naming = {id(each) for each in keys if type(each) is not str}
    for start in range(0, len(texts), _CHUNK):
        chunk = texts[start : start + _CHUNK]
        # No coding, and no name, goes on behind a space.
        if _users(" ".join(chunk), marks):
            naming.update(map(id, chunk))
    return naming


def _users(key: object, marks: Marks) -> frozenset[int]:
    """Whom a key names: by a text that is a user's, or by its number."""
    if type(key) is int:
        return frozenset([key])
    # Also as a header has it, coded in base64.
    read = marks.in_bytes(key.encode("utf-8", "replace")) if type(key) is str else ()
    found = (*read, *marks.in_object(key))
    return frozenset(mark.user for mark in found if mark.user and not mark.request)


def _of(found: Iterable[str]) -> frozenset[int]:
    origins = map(canaries.read, found)
    return frozenset(origin.user if origin else 0 for origin in origins)
