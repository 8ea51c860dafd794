"""What is kept of a user under that user's own key: a store of users keeps it by right.

A cart, a profile or a cache that is found by whose it is gives nobody another's value. What is kept
of a user under no name, or under another one's, is left to be told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ctxsim.cell import canaries
from ctxsim.cell.witness.marks import Marks
from ctxsim.cell.witness.reach import Tree


def without_filed(tree: Tree, roots: Iterable[object], marks: Marks) -> Tree:
    """The ways of `tree` from `roots`, but for those that lead through a user's own key."""
    ways = _ways(tree, roots, marks)
    parents = {id(child): id(parent) for parent, children in ways for child in children}
    hits = tree.canaries.keys() & (parents.keys() | set(map(id, roots)))
    live = set(hits)
    for hit in hits:
        above = parents.get(hit)
        while above is not None and above not in live:
            live.add(above)
            above = parents.get(above)
    children = {id(each): [c for c in ahead if id(c) in live] for each, ahead in ways}
    return Tree(
        {key: ahead for key, ahead in children.items() if ahead},
        {key: tree.canaries[key] for key in hits},
        tree.alive,
    )


def _ways(tree: Tree, roots: Iterable[object], marks: Marks) -> list[tuple[Any, list[Any]]]:
    found = []
    left = list(roots)
    seen: set[int] = set()
    while left:
        each = left.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        ahead = tree.children.get(id(each), [])
        if issubclass(type(each), dict):
            ahead = list(_not_filed(tree, each, ahead, marks))
        found.append((each, ahead))
        left += ahead
    return found


def _not_filed(tree: Tree, holder: Any, ahead: list[Any], marks: Marks) -> Iterator[Any]:
    keys = {id(value): key for key, value in list(dict.items(holder))}
    for each in ahead:
        whose = _users(keys[id(each)], marks) if id(each) in keys else frozenset()
        if not whose or not _of(tree.below(each)) <= whose:
            yield each


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
