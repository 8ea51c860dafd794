"""What a part of a request is handed on to: the parameters of the application's other functions.

`SearchForm(request.args)` reads nothing by itself; what the class reads of its parameter is a name
of the query, whatever the parameter is called, and in whichever file it stands.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator

from ctxsim.cell.looking.sources import Source, follow, name_of, places_of
from ctxsim.cell.sights import Place

_Function = ast.FunctionDef | ast.AsyncFunctionDef
# A form that is handed on to a validator, which hands it to a helper: more is seldom written.
_ROUNDS = 3
# What a call gives a method by itself.
_GIVEN = ("self", "cls")


def follow_calls(sources: Iterable[Source]) -> None:
    """Note, in the functions that are called with a part of a request, where it came from."""
    trees = [source.tree for source in sources]
    called = _called(trees)
    calls = [
        (each, functions)
        for tree in trees
        for each in ast.walk(tree)
        if isinstance(each, ast.Call) and (functions := called.get(name_of(each.func)))
    ]
    known: set[tuple[int, str]] = set()
    for _ in range(_ROUNDS):
        news = [
            (function, name, places)
            for call, functions in calls
            for function in functions
            for name, places in _handed(call, function)
            if (id(function), name) not in known
        ]
        for function, name, places in news:
            known.add((id(function), name))
            follow(function, {name: places})
        if not news:
            return


def _called(trees: Iterable[ast.Module]) -> dict[str, list[_Function]]:
    """The application's functions by the name that calls them; of a class, what makes it."""
    called: dict[str, list[_Function]] = defaultdict(list)
    for node in (each for tree in trees for each in ast.walk(tree)):
        if isinstance(node, _Function) and not node.name.startswith("__"):
            called[node.name].append(node)
        elif isinstance(node, ast.ClassDef):
            makers = [each for each in node.body if isinstance(each, _Function)]
            called[node.name] += (each for each in makers if each.name == "__init__")
    return called


def _handed(call: ast.Call, function: _Function) -> Iterator[tuple[str, tuple[Place, ...]]]:
    """The parameters of a function that a call hands a part of a request."""
    names = [each.arg for each in (*function.args.posonlyargs, *function.args.args)]
    if names[:1] and names[0] in _GIVEN:
        del names[0]
    known = {*names, *(each.arg for each in function.args.kwonlyargs)}
    by_place = zip(names, call.args, strict=False)
    by_name = ((each.arg, each.value) for each in call.keywords if each.arg in known)
    for name, value in (*by_place, *by_name):
        if name is not None and (places := places_of(value)):
            yield name, places
