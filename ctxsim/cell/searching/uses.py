"""What a line reads and writes that may be shared, as its source says it.

Found in the source, because neither comparing all that an application holds before and after each
line would tell what was read, nor does the interpreter tell whose attribute an operation takes. A
use is a path from a name: `cart`, `self.total`, `CARTS[user].items`; where it leads is looked up
among the values of the frame that runs the line. What is got by a call is no such path. The lines
of the called are told themselves.
"""

from __future__ import annotations

import ast
import linecache
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

Kind = Literal["reads", "writes"]

# Methods of Python's own containers that change them, and those that only look.
CHANGING = frozenset(
    {
        "add", "append", "appendleft", "clear", "difference_update", "discard", "extend",
        "extendleft", "insert", "intersection_update", "move_to_end", "pop", "popitem", "popleft",
        "remove", "reverse", "rotate", "setdefault", "sort", "symmetric_difference_update",
        "update",
    }
)  # fmt: skip
LOOKING = frozenset({"copy", "count", "get", "index", "items", "keys", "values"})
# Which also tell what was there before.
_TELLING = frozenset({"pop", "popitem", "popleft", "setdefault"})
# Functions that are told the name of an attribute.
_BY_NAME: Final[Mapping[str, Kind]] = {
    "getattr": "reads", "hasattr": "reads", "setattr": "writes", "delattr": "writes",
}  # fmt: skip
# Whose first argument is a key.
_KEYED = frozenset({"get", "pop", "setdefault"})


@dataclass(frozen=True, slots=True)
class Attribute:
    """`.name` of what comes before."""

    name: str


@dataclass(frozen=True, slots=True)
class Item:
    """`[key]` of what comes before: `constant` where the source has the key, else a `variable`.

    The key is that variable, or an attribute of it by these `names`. With neither, it is any item.
    """

    constant: object = None
    variable: str = ""
    names: tuple[str, ...] = ()

    @property
    def is_any(self) -> bool:
        return self.constant is None and not self.variable


@dataclass(frozen=True, slots=True)
class Contents:
    """All that a container of Python's own holds; no use where what comes before is none."""


Hop = Attribute | Item | Contents


@dataclass(frozen=True, slots=True)
class Use:
    """One path that a line reads or writes; without hops, the variable of that name itself."""

    kind: Kind
    name: str
    hops: tuple[Hop, ...] = ()


@cache
def uses_of(file: str) -> dict[int, tuple[Use, ...]]:
    """By line, what a file's lines use; empty where its source cannot be had."""
    try:
        tree = ast.parse("".join(linecache.getlines(file)))
    except SyntaxError:
        return {}
    reader = _Reader()
    reader.visit(tree)
    return {line: tuple(dict.fromkeys(uses)) for line, uses in reader.found.items()}


class _Reader(ast.NodeVisitor):
    def __init__(self) -> None:
        self.found: dict[int, list[Use]] = {}
        # Names of comprehensions and lambdas around: no variables of the frame.
        self._bound: list[str] = []

    def _add(self, node: ast.expr, kind: Kind, path: tuple[str, tuple[Hop, ...]]) -> None:
        name, hops = path
        if name not in self._bound:
            self.found.setdefault(node.lineno, []).append(Use(kind, name, hops))

    def visit_Name(self, node: ast.Name) -> None:
        self._take(node, node.ctx)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self._take(node, node.ctx)
        self._go_into(node.value)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        self._take(node, node.ctx)
        self._go_into(node.value)
        self.visit(node.slice)

    def _go_into(self, value: ast.expr) -> None:
        # The path before is read on the way; what it ends in is no use of its contents.
        if (path := _path(value)) is not None:
            self._add(value, "reads", path)
        if isinstance(value, ast.Attribute | ast.Subscript):
            self._go_into(value.value)
            if isinstance(value, ast.Subscript):
                self.visit(value.slice)
        elif not isinstance(value, ast.Name):
            self.visit(value)

    def _take(self, node: ast.expr, context: ast.expr_context) -> None:
        if (path := _path(node)) is None:
            return
        if isinstance(context, ast.Load):
            self._add(node, "reads", path)
            self._add(node, "reads", (path[0], (*path[1], Contents())))
        else:
            self._add(node, "writes", path)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if (path := _path(node.target)) is not None:
            self._add(node.target, "reads", path)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        called = node.func
        path = _path(called.value) if isinstance(called, ast.Attribute) else None
        if isinstance(called, ast.Attribute) and path is not None:
            for kind, hop in _of_method(called.attr, node.args):
                self._add(called, kind, (path[0], (*path[1], hop)))
        elif isinstance(called, ast.Name):
            self._take_by_name(called, node.args)
        self._go_into(called)
        for argument in (*node.args, *(each.value for each in node.keywords)):
            self.visit(argument)

    def _take_by_name(self, called: ast.Name, arguments: list[ast.expr]) -> None:
        kind = _BY_NAME.get(called.id)
        if kind is None or len(arguments) < 2:  # noqa: PLR2004 - the object and the name
            return
        path, name = _path(arguments[0]), arguments[1]
        if path is not None and isinstance(name, ast.Constant) and isinstance(name.value, str):
            self._add(called, kind, (path[0], (*path[1], Attribute(name.value))))

    def _visit_bound(self, node: ast.AST, names: list[str]) -> None:
        self._bound += names
        self.generic_visit(node)
        del self._bound[len(self._bound) - len(names) :]

    def visit_Lambda(self, node: ast.Lambda) -> None:
        arguments = (each for each in ast.walk(node.args) if isinstance(each, ast.arg))
        self._visit_bound(node, [each.arg for each in arguments])

    def _visit_comprehension(self, node: ast.AST) -> None:
        stored = [each for each in ast.walk(node) if isinstance(each, ast.comprehension)]
        names = [name for each in stored for name in _names(each.target)]
        self._visit_bound(node, names)

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _visit_comprehension


def _names(target: ast.expr) -> Iterator[str]:
    return (each.id for each in ast.walk(target) if isinstance(each, ast.Name))


def _of_method(name: str, arguments: list[ast.expr]) -> Iterator[tuple[Kind, Hop]]:
    """What a method of that name does, if it is one of Python's own containers'."""
    hop: Hop = Contents()
    if name in _KEYED and arguments and (key := _key(arguments[0])) is not None:
        hop = key
    if name in LOOKING or name in _TELLING:
        yield "reads", hop
    if name in CHANGING:
        yield "writes", hop


def _path(node: ast.expr) -> tuple[str, tuple[Hop, ...]] | None:
    """The name that an expression begins with, and the hops from it; None where it is no path."""
    if isinstance(node, ast.Name):
        return node.id, ()
    if isinstance(node, ast.Attribute):
        hop: Hop | None = Attribute(node.attr)
    elif isinstance(node, ast.Subscript):
        hop = _key(node.slice) or Item()
    else:
        return None
    before = _path(node.value)
    return None if before is None or hop is None else (before[0], (*before[1], hop))


def _key(node: ast.expr) -> Item | None:
    if isinstance(node, ast.Constant) and node.value is not None:
        return Item(constant=node.value)
    if isinstance(node, ast.Name):
        return Item(variable=node.id)
    if isinstance(node, ast.Attribute) and (path := _path(node)) is not None:
        names = tuple(each.name for each in path[1] if isinstance(each, Attribute))
        return Item(variable=path[0], names=names) if len(names) == len(path[1]) else None
    return None
