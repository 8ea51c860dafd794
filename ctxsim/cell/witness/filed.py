"""What is kept of a user under that user's own key: a store of users keeps it by right.

A cart, a profile or a cache that is found by whose it is gives nobody another's value. What is kept
of a user under no name, or under another one's, is left to be told. The key of a session, which the
user was given as a cookie and sends back, names that user (or that visitor) as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ctxsim.cell import canaries
from ctxsim.cell.canaries import LENGTH
from ctxsim.cell.issued import IN_PLACE, key_parts
from ctxsim.cell.witness.marks import Marks
from ctxsim.cell.witness.reach import Tree

_CHUNK = 1000
# In a store of sessions some are of requests that failed before the key was given to anybody, and
# of error pages, to which frameworks add no cookie.
_SESSIONS_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Names:
    """What names a user: marks, and the keys of sessions with those to whom they were given."""

    marks: Marks
    sessions: Mapping[str, int]

    def any_in(self, texts: list[str]) -> bool:
        """Whether one of them may name a user."""
        # No coding, and no name, goes on behind a space.
        return bool(self.users(" ".join(texts))) or any(map(self.session_of, texts))

    def session_of(self, key: object) -> frozenset[int]:
        """Whose session it is the key of."""
        return frozenset(user for user in self._found(key) if user >= 0)

    def was_in_place(self, key: object) -> bool:
        """Whether it was given to one who had another, as the number of a request is."""
        return IN_PLACE in self._found(key)

    def _found(self, key: object) -> set[int]:
        if type(key) is not str or not self.sessions:
            return set()
        return {self.sessions[part] for part in key_parts(key) if part in self.sessions}

    def users(self, key: object) -> frozenset[int]:
        """Whom a key names: by a text that is a user's, or by its number."""
        if type(key) is int:
            return frozenset([key])
        # Also as a header has it, coded in base64.
        read = self.marks.in_bytes(key.encode("utf-8", "replace")) if type(key) is str else ()
        found = (*read, *self.marks.in_object(key))
        named = frozenset(mark.user for mark in found if mark.user and not mark.request)
        return named or self.session_of(key)


def without_filed(tree: Tree, roots: Iterable[object], names: Names) -> Tree:
    """The ways of `tree` from `roots`, but for those that lead through a user's own key."""
    others = {id(each): _not_filed(tree, each, names) for each in tree.dicts}
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


def _not_filed(tree: Tree, holder: Any, names: Names) -> list[Any]:
    """Where a dict leads on by other keys than those of the users whose values they lead to."""
    ahead = tree.children[id(holder)]
    keys = {id(value): key for key, value in list(dict.items(holder))}
    naming = _naming([keys[id(each)] for each in ahead if id(each) in keys], tree, names)
    if not naming:
        return ahead
    others: list[Any] = []
    unnamed: list[Any] = []
    of_sessions = 0
    for each in ahead:
        key = keys.get(id(each))
        whose = names.users(key) if id(key) in naming else frozenset()
        if not whose:
            unnamed.append(each)
        elif not _of(tree.below(each)) <= whose:
            others.append(each)
        else:
            of_sessions += bool(names.session_of(key))
    if of_sessions >= _SESSIONS_SHARE * len(ahead):
        # What is under the key of a session that nobody knows is that of one user all the same.
        unnamed = [
            each
            for each in unnamed
            if names.was_in_place(keys.get(id(each))) or len(_of(tree.below(each))) != 1
        ]
    return others + unnamed


def _naming(keys: list[object], tree: Tree, names: Names) -> set[int]:
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
        if names.any_in(chunk):
            naming.update(map(id, chunk))
    return naming


def _of(found: Iterable[str]) -> frozenset[int]:
    origins = map(canaries.read, found)
    return frozenset(origin.user if origin else 0 for origin in origins)
