"""The paths that an application's own source names, where no framework tells its routes."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator

from ctxsim.cell.looking.sources import Source, text_of

_PATH = re.compile(r"/[\w./-]*")
_REGISTER = ("startswith", "add_route", "route", "get", "add_url_rule")


def literal_paths(sources: list[Source]) -> list[str]:
    """The paths that an application without known routes compares with, in the order of its text.

    In comparisons, `match` cases, `startswith`, and as keys of dictionaries.
    """
    return _paths(sources, lambda node: (*_compared(node), *_registered(node)))


def compared_paths(sources: list[Source]) -> list[str]:
    """The paths with which a source compares, in the order of its text."""
    return _paths(sources, _compared)


def _paths(sources: list[Source], named_by: Callable[[ast.AST], Iterable[ast.expr]]) -> list[str]:
    nodes = (node for source in sources for node in ast.walk(source.tree))
    texts = (text_of(each) for node in nodes for each in named_by(node))
    return list(dict.fromkeys(text for text in texts if text and _PATH.fullmatch(text)))


def _compared(node: ast.AST) -> Iterator[ast.expr]:
    if isinstance(node, ast.Compare):
        for each in (node.left, *node.comparators):
            yield from each.elts if isinstance(each, ast.Tuple | ast.List | ast.Set) else (each,)
    elif isinstance(node, ast.MatchValue):
        yield node.value


def _registered(node: ast.AST) -> Iterator[ast.expr]:
    if isinstance(node, ast.Dict):
        yield from (key for key in node.keys if key is not None)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        yield from node.args[:2] if node.func.attr in _REGISTER else ()
