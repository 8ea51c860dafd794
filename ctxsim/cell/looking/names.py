"""Which names an application reads where, told by the functions of its source."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import chain

from ctxsim.cell.looking.sources import (
    Source,
    assigned,
    fields_in,
    mentions,
    name_of,
    pairs_of,
    places_of,
    reads_in,
    text_of,
    unique,
    without_calls,
    words_of,
)
from ctxsim.cell.looking.vocabulary import KINDS
from ctxsim.cell.sights import Place, Read

# What a view takes besides the arguments of its path.
_NO_ARGUMENTS = ("self", "cls", "request")
# By which a model is made of a document; pydantic's, and what others are called after.
_MAKERS = frozenset({"model_validate", "parse_obj", "from_dict"})


class Names:
    """Which names are read where: by the line of the function, and by all that is no view."""

    def __init__(self, sources: list[Source]) -> None:
        self._functions: dict[tuple[str, int], ast.AST] = {}
        self._sources = sources
        for source in sources:
            for node in ast.walk(source.tree):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                    first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
                    self._functions[source.file, node.lineno] = node
                    self._functions[source.file, first] = node

    def of_function(self, file: str, line: int) -> tuple[Read, ...] | None:
        """What the function or class at that line reads; None where it is not known."""
        node = self._functions.get((file, line))
        if node is None:
            return None
        called = {name for each in ast.walk(node) for name in _called(each)}
        functions = self._functions.values()
        helpers = [each for each in functions if getattr(each, "name", "") in called]
        classes = {each.name: each for each in helpers if isinstance(each, ast.ClassDef)}
        return unique((*_filled(node, classes), *reads_in(node)), words_of([node], helpers))

    def arguments(self, file: str, line: int) -> tuple[str, ...]:
        """The names of what the view at that line takes from its path, if it takes nothing else."""
        node = self._functions.get((file, line))
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            return ()
        return tuple(each.arg for each in node.args.args if each.arg not in _NO_ARGUMENTS)

    def compared_arguments(self, file: str, line: int) -> tuple[str, ...]:
        """The texts that the function at that line compares its parameters with."""
        node = self._functions.get((file, line))
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            return ()
        parameters = {each.arg for each in (*node.args.args, *node.args.kwonlyargs)}
        texts = (t for n, t in pairs_of(node) if isinstance(n, ast.Name) and n.id in parameters)
        return tuple(dict.fromkeys(texts))

    def compared_with(self, file: str, line: int) -> dict[str, tuple[str, ...]]:
        """The texts that the function at that line, and those that it names, compare with what
        they are given: by what a client calls that, in small letters.

        So FastAPI and Litestar hand over what they read: `sort: str`, or a model's `order.kind`.
        """
        node = self._functions.get((file, line))
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            return {}
        found: dict[str, dict[str, None]] = {}
        for each in (node, *self._named_in(node)):
            given = dict(_given(each))
            for made, text in pairs_of(each):
                name, compared = "", without_calls(made)
                if isinstance(compared, ast.Name):
                    name = given.get(compared.id, "")
                elif isinstance(compared, ast.Attribute) and name_of(compared.value) in given:
                    name = compared.attr
                if name:
                    found.setdefault(name, {})[text] = None
        return {name: tuple(texts) for name, texts in found.items()}

    def _named_in(self, view: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        """The functions that a view names: it calls them, or they are called for it before.

        Also by way of a variable, such as `User = Annotated[str, Depends(user)]`.
        """
        names = {each.id for each in ast.walk(view) if isinstance(each, ast.Name)}
        for name in names & self._aliases.keys():
            names |= self._aliases[name]
        for each in dict.fromkeys(self._functions.values()):
            if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) and each.name in names:
                yield each

    @functools.cached_property
    def _aliases(self) -> dict[str, set[str]]:
        """The variables of modules, each with the names in what it is."""
        return {
            target.id: {each.id for each in ast.walk(value) if isinstance(each, ast.Name)}
            for source in self._sources
            for node in source.tree.body
            for target, value in assigned(node)
            if isinstance(target, ast.Name)
        }

    def mentions(self, file: str, line: int, word: str) -> bool:
        """Whether the function or class at that line holds the text `word`, or a name like it."""
        node = self._functions.get((file, line))
        return node is not None and mentions(node, word)

    def elsewhere(self, views: set[tuple[str, int]]) -> tuple[Read, ...]:
        """What is read outside of the given functions: in hooks, middleware, what views call."""
        left_out = {id(self._functions[each]) for each in views if each in self._functions}
        found = (read for each in self._sources for read in reads_in(each.tree, left_out))
        others = [node for node in self._functions.values() if id(node) not in left_out]
        return unique(found, words_of(others))


def _given(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[tuple[str, str]]:
    """The parameters of a function, each with what a client calls it: `Query(alias="format")`."""
    named = function.args
    before = [*named.posonlyargs, *named.args]
    defaults = [None] * (len(before) - len(named.defaults)) + [*named.defaults, *named.kw_defaults]
    for each, default in zip((*before, *named.kwonlyargs), defaults, strict=True):
        said = [n for one in (each.annotation, default) if one is not None for n in ast.walk(one)]
        alias = (n.value for n in said if isinstance(n, ast.keyword) and n.arg == "alias")
        yield each.arg, (next(filter(None, map(text_of, alias)), each.arg)).lower()


def _called(node: ast.AST) -> Iterator[str]:
    """What a call calls: a function or a class; of `Item.model_validate`, the class."""
    if isinstance(node, ast.Call):
        yield name_of(node.func)
        if isinstance(node.func, ast.Attribute) and node.func.attr in _MAKERS:
            yield name_of(node.func.value)


def _filled(node: ast.AST, classes: Mapping[str, ast.ClassDef]) -> Iterator[Read]:
    """The fields of what a function makes of a part of a request.

    `SearchForm(request.args)`, whose fields say nothing of where they come from, or
    `Item(**request.get_json())`, of a model that says by its annotations what it has.
    """
    for each in ast.walk(node) if classes else ():
        made = next((classes[name] for name in _called(each) if name in classes), None)
        if made is not None and isinstance(each, ast.Call):
            for place in dict.fromkeys(chain.from_iterable(map(places_of, _whole(each)))):
                yield from _annotated(made, place)
            given = (*each.args, *(keyword.value for keyword in each.keywords))
            if any("query" in places_of(one) for one in given):
                fields = (read for inner in made.body for read in fields_in(inner))
                yield from (replace(read, place="query") for read in fields)


def _whole(call: ast.Call) -> Iterator[ast.expr]:
    """What a call is given as a whole: `**part`, or what a model is made of by its method."""
    yield from (keyword.value for keyword in call.keywords if keyword.arg is None)
    if isinstance(call.func, ast.Attribute) and call.func.attr in _MAKERS:
        yield from call.args[:1]


def _annotated(model: ast.ClassDef, place: Place) -> Iterator[Read]:
    """The annotated names of a class, each with its kind."""
    for each in model.body:
        match each:
            case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation):
                # Of `int | None` and `Optional[int]`, too.
                inside = [name_of(n) for n in ast.walk(annotation) if isinstance(n, ast.expr)]
                if "ClassVar" not in inside:
                    kind = next((KINDS[n] for n in inside if n in KINDS), "text")
                    yield Read(place, name, kind)  # type: ignore[arg-type]
