"""What the application's own source says: the names it reads from requests, the paths it knows."""

from __future__ import annotations

import ast
import functools
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ctxsim.cell.looking.vocabulary import (
    BEST,
    BODY,
    CALLS,
    CHOOSERS,
    COPIES,
    DECLARES,
    ENVIRON,
    GETTERS,
    KINDS,
    LOADERS,
    LOCATIONS,
    NOT_SENT,
    OF_ATTRIBUTES,
    OF_HOLDERS,
    PARSERS,
    PLACES,
    RAW,
    VARIABLES,
)
from ctxsim.cell.sights import Place, Read
from ctxsim.cell.witness.record import is_application_file, module_file

# By place and name: the texts that a read is compared with, in the order of the source.
Words = dict[tuple[Place, str], dict[str, None]]
# Places of variables that were made from a request's, by the identity of their nodes. The nodes are
# kept, so that no other gets it.
_MADE: dict[int, tuple[ast.Name, tuple[Place, ...]]] = {}
# Likewise of names that a loop gives to what a part of a request calls its values.
_KEYS: dict[int, tuple[ast.Name, tuple[Place, ...]]] = {}
# Likewise the texts in the lists, and the keys of the dictionaries, that variables of a module are,
# or that a module keeps under a key, such as in the application's configuration.
_LISTED: dict[int, tuple[ast.expr, tuple[str, ...]]] = {}
_WHERE = ("location", "locations")
_MOST_FILES = 400


@dataclass(frozen=True, slots=True)
class Source:
    """One file of the application, parsed."""

    file: str
    tree: ast.Module


def application_sources() -> list[Source]:
    """The files of all imported modules that are the application's own."""
    files = {module_file(module) for module in list(sys.modules.values())}
    own = sorted(file for file in files if file is not None and is_application_file(file))
    parsed = (_parsed(file) for file in own[:_MOST_FILES])
    return [source for source in parsed if source is not None]


@functools.cache
def _parsed(file: str) -> Source | None:
    try:
        tree = ast.parse(Path(file).read_bytes())
    except (OSError, SyntaxError, ValueError):
        # A compiled module, or one whose file has gone: nothing is known of it.
        return None
    _follow_variables(tree)
    _note_lists(tree)
    return Source(file, tree)


def _follow_variables(tree: ast.Module) -> None:
    """Note of each variable that a function makes of a request's part where it came from."""
    functions = [
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    everywhere: dict[str, tuple[Place, ...]] = {}
    for function in functions:
        everywhere |= follow(function, {})
    # Once more, since it may be handed on: to a parameter that mostly has the same name.
    for function in functions:
        parameters = {each.arg for each in (*function.args.args, *function.args.kwonlyargs)}
        follow(function, {name: everywhere[name] for name in parameters & everywhere.keys()})


def _note_lists(tree: ast.Module) -> None:
    """Note of each variable that is a list of texts, or a dictionary, which texts these are."""
    known = {}
    for node in tree.body:
        for target, value in assigned(node):
            name = _kept_as(target)
            if name and isinstance(value, ast.Dict):
                value = ast.List([key for key in value.keys if key is not None], ast.Load())
            if name:
                known[name] = tuple(_texts(value))
    for each in ast.walk(tree):
        if isinstance(each, ast.expr) and known.get(_kept_as(each)):
            _LISTED[id(each)] = (each, known[_kept_as(each)])


def assigned(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    """What is assigned, with its value; `a, b = 1, 2` assigns two."""
    match node:
        case ast.AnnAssign(target=target, value=ast.expr() as value):
            yield target, value
        case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)):
            yield from zip(targets, values, strict=False)
        case ast.Assign(targets=[target, *_], value=value):
            yield target, value


def _kept_as(node: ast.expr) -> str:
    """The name of a variable, or the key of an item in brackets: `['KEY']`; '' for all else."""
    if isinstance(node, ast.Name):
        return node.id
    key = text_of(node.slice) if isinstance(node, ast.Subscript) else None
    return "" if key is None else f"[{key!r}]"


def follow(
    function: ast.FunctionDef | ast.AsyncFunctionDef, known: dict[str, tuple[Place, ...]]
) -> dict[str, tuple[Place, ...]]:
    """The variables of a function that hold a part of a request, with those that are `known`."""
    made = dict(known)
    for inner in ast.walk(function):
        for target, value in assigned(inner):
            if isinstance(target, ast.Name) and (places := places_of(value)):
                made[target.id] = places
        if isinstance(inner, ast.Name) and inner.id in made:
            _MADE[id(inner)] = (inner, made[inner.id])
    _follow_loops(function)
    return made


def _follow_loops(function: ast.AST) -> None:
    """Note what loops call the names of a request's part: `for name, value in scope["headers"]`."""
    for loop in ast.walk(function):
        for target, source in _gone_through(loop):
            match target:
                case ast.Tuple(elts=[ast.Name(id=name), _]) if places := places_of(source):
                    named = (n for n in ast.walk(loop) if isinstance(n, ast.Name) and n.id == name)
                    _KEYS.update((id(each), (each, places)) for each in named)


def _gone_through(loop: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    """What a loop, or a comprehension, calls each of what it goes through."""
    match loop:
        case ast.For(target=target, iter=source) | ast.AsyncFor(target=target, iter=source):
            yield target, source
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            yield from ((each.target, each.iter) for each in loop.generators)


def mentions(tree: ast.AST, word: str) -> bool:
    """Whether a piece of source holds the text `word`, or an attribute of that name."""
    return any(
        (isinstance(node, ast.Constant) and node.value == word)
        or (isinstance(node, ast.Attribute) and node.attr in (word, f"require_{word}"))
        for node in ast.walk(tree)
    )


def fields_in(node: ast.stmt) -> Iterator[Read]:
    match node:
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=kind) as value):
            yield from _field("form" if _is_form_field(kind) else BODY, name, value)


def unique(reads: Iterable[Read], words: Words) -> tuple[Read, ...]:
    # The more exact kind counts where one name is read in two ways.
    kinds: dict[tuple[Place, str], Read] = {}
    for read in reads:
        key = (read.place, read.name)
        known = kinds.get(key)
        # What is chosen from in one place may be given back as it is in another.
        exact = known is None or known.kind == "choice" or read.kind not in ("text", "choice")
        if known is None or (exact and known.kind in ("text", "choice")):
            kinds[key] = replace(read, words=tuple(words.get(key, read.words)))
    return tuple(kinds.values())


def words_of(functions: Iterable[ast.AST], helpers: Iterable[ast.AST] = ()) -> Words:
    """The texts with which functions compare what they read, at once or by way of a variable.

    `helpers` are handed it, by parameters that mostly have the same names.
    """
    words: Words = defaultdict(dict)
    for function in functions:
        held: dict[str, list[Read]] = {}
        for target, value in (pair for node in ast.walk(function) for pair in assigned(node)):
            if isinstance(target, ast.Name):
                made = (read for each in _alternatives(value) for read in _read_by(each))
                held.setdefault(target.id, []).extend(made)
        for compared, text in (pair for each in (function, *helpers) for pair in pairs_of(each)):
            named = held.get(compared.id, []) if isinstance(compared, ast.Name) else ()
            for read in (*named, *_read_by(compared)):
                words[read.place, read.name][text] = None
    return words


def _alternatives(value: ast.expr) -> Iterator[ast.expr]:
    """What a variable may be of: `a or b` may be either, and so may `a if c else b`."""
    match value:
        case ast.BoolOp(values=values):
            yield from (inner for each in values for inner in _alternatives(each))
        case ast.IfExp(body=body, orelse=other):
            yield from (*_alternatives(body), *_alternatives(other))
        case _:
            yield value


@functools.cache
def pairs_of(function: ast.AST) -> tuple[tuple[ast.expr, str], ...]:
    """What a function compares with texts, or chooses one by; many routes have the same helpers."""
    pairs = []
    for node in ast.walk(function):
        for compared, text in (*_comparisons(node), *_chosen_from(node)):
            if isinstance(compared, ast.Attribute) and compared.attr == BEST:
                compared = compared.value
            if text and text.isprintable():
                pairs.append((compared, text))
    return tuple(pairs)


def _comparisons(node: ast.AST) -> Iterator[tuple[ast.expr, str]]:
    """What is compared, with which text: by `==`, `!=`, `in`, `not in`, or a `match`."""
    compares = ast.Eq | ast.NotEq | ast.In | ast.NotIn
    if isinstance(node, ast.Compare) and isinstance(node.ops[0], compares):
        left, right = node.left, node.comparators[0]
        for text in _listed(right):
            yield left, text
        for text in _texts(left):
            yield right, text
    elif isinstance(node, ast.Match):
        for case in node.cases:
            for each in ast.walk(case.pattern):
                if isinstance(each, ast.MatchValue):
                    for text in _texts(each.value):
                        yield node.subject, text


def _chosen_from(node: ast.AST) -> Iterator[tuple[ast.expr, str]]:
    """What a text is chosen by, with each that it is chosen from.

    `languages.best_match([...])`, or a dictionary's `prices[name]` and `prices.get(name)`.
    """
    match node:
        case ast.Call(func=ast.Attribute(value=value, attr=attr), args=[first, *_]):
            if attr in CHOOSERS:
                yield from ((value, text) for text in _listed(first))
            elif attr in GETTERS and id(value) in _LISTED:
                yield from ((first, text) for text in _listed(value))
        case ast.Subscript(value=value, slice=chosen, ctx=ast.Load()) if id(value) in _LISTED:
            yield from ((chosen, text) for text in _listed(value))


def _listed(node: ast.expr) -> Iterable[str]:
    """The texts of a list, or of what is known to be one."""
    return _LISTED[id(node)][1] if id(node) in _LISTED else _texts(node)


def _texts(node: ast.expr) -> Iterator[str]:
    for each in node.elts if isinstance(node, ast.Tuple | ast.List | ast.Set) else (node,):
        if (text := text_of(each)) is not None:
            yield text


def reads_in(node: ast.AST, left_out: set[int] | frozenset[int] = frozenset()) -> Iterator[Read]:
    for child in ast.iter_child_nodes(node):
        if id(child) not in left_out:
            yield from _read_by(child)
            yield from reads_in(child, left_out)


def _read_by(node: ast.AST) -> Iterator[Read]:
    """What this very expression reads, with what it makes of it."""
    if isinstance(node, ast.Call):
        yield from _converted(node)
        if isinstance(node.func, ast.Attribute) and node.args:
            name = text_of(node.args[0])
            if node.func.attr in GETTERS and name is not None:
                yield from _made(node.func.value, name, _declared(node))
            place = CALLS.get(node.func.attr)
            if name is not None and place in ("cookie", "header", "query"):
                yield from _read(place, name, KINDS.get(node.func.attr, "text"))
    elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
        name = text_of(node.slice)
        if name is not None:
            yield from _made(node.value, name)
    elif isinstance(node, ast.Attribute):
        yield from OF_ATTRIBUTES.get(node.attr, ())
        yield from _by_attribute(node.value, node.attr)
    elif isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In | ast.NotIn):
        name = text_of(node.left)
        if name is not None:
            yield from _made(node.comparators[0], name)
    yield from _picked(node)
    yield from _fields(node)


def _picked(node: ast.AST) -> Iterator[Read]:
    """What a loop picks by its name: `if name.lower() == b"x-user"`."""
    for compared, text in _comparisons(node) if _KEYS else ():
        name = without_calls(compared)
        if id(name) in _KEYS:
            for place in _KEYS[id(name)][1]:
                yield from _read(place, text)


def without_calls(node: ast.expr) -> ast.expr:
    """Of what `name.strip().lower()` is made."""
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        node = node.func.value
    return node


def _by_attribute(holder: ast.expr, name: str) -> Iterator[Read]:
    """`request.query.name`, which Bottle takes for what others write as `request.query["name"]`."""
    match holder:
        case ast.Attribute(attr="query" | "forms" | "params", value=inner):
            if name_of(inner) == "request" and name not in OF_HOLDERS:
                yield from _made(holder, name)


def _fields(node: ast.AST) -> Iterator[Read]:
    """The fields of a schema: a dictionary that a call is given, or the attributes of a class."""
    if isinstance(node, ast.Call):
        if name_of(node.func) == DECLARES and node.args:
            yield from _declared_argument(node)
        location = next((_location(each) for each in node.keywords if each.arg in _WHERE), BODY)
        for given in node.args:
            if isinstance(given, ast.Dict):
                for key, value in zip(given.keys, given.values, strict=True):
                    yield from _field(location, text_of(key), value)
    elif isinstance(node, ast.ClassDef):
        for each in node.body:
            yield from fields_in(each)


def _declared_argument(call: ast.Call) -> Iterator[Read]:
    """`parser.add_argument("task", type=int, location="args")`, of a request's parser."""
    name = text_of(call.args[0])
    if name is not None and not name.startswith("-"):
        place = next((_location(each) for each in call.keywords if each.arg in _WHERE), BODY)
        yield from _read(place, name, _declared(call))


def _field(place: Place, name: str | None, value: ast.expr) -> Iterator[Read]:
    """`fields.Str(...)` as in marshmallow, `StringField(...)` as in WTForms and Django's forms."""
    if name is None or not isinstance(value, ast.Call):
        return
    kind = value.func
    is_of_schema = isinstance(kind, ast.Attribute) and name_of(kind.value) == "fields"
    if is_of_schema or _is_form_field(kind):
        yield from _read(place, name, KINDS.get(name_of(kind), "text"))


def _is_form_field(kind: ast.expr) -> bool:
    # A column of a database is called so, too.
    is_column = isinstance(kind, ast.Attribute) and name_of(kind.value) == "models"
    return name_of(kind).endswith("Field") and not is_column


def _location(keyword: ast.keyword) -> Place:
    texts = (text_of(each) for each in ast.walk(keyword.value) if isinstance(each, ast.Constant))
    return next((LOCATIONS[text] for text in texts if text in LOCATIONS), BODY)


def name_of(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _converted(call: ast.Call) -> Iterator[Read]:
    """`int(request.args["n"])`: the inner expression with the outer kind."""
    kind = KINDS.get(call.func.id) if isinstance(call.func, ast.Name) else None
    if kind is not None and call.args:
        for inner in _read_by(call.args[0]):
            yield Read(inner.place, inner.name, kind)  # type: ignore[arg-type]


def _declared(call: ast.Call) -> str:
    """`args.get("n", type=int)`."""
    for keyword in call.keywords:
        if keyword.arg == "type" and isinstance(keyword.value, ast.Name):
            return KINDS.get(keyword.value.id, "text")
    return "text"


def _made(holder: ast.expr, name: str, kind: str = "text") -> Iterator[Read]:
    for place in places_of(holder):
        yield from _read(place, name, kind)


def places_of(holder: ast.expr) -> tuple[Place, ...]:
    """From which part of a request this expression takes what it holds."""
    if id(holder) in _MADE:
        return _MADE[id(holder)][1]
    match holder:
        case (
            ast.Await(value=inner)
            | ast.NamedExpr(value=inner)
            | ast.BoolOp(values=[inner, *_])
            # What is put together of a part holds that part's names.
            | ast.DictComp(generators=[ast.comprehension(iter=inner), *_])
            | ast.ListComp(generators=[ast.comprehension(iter=inner), *_])
            | ast.GeneratorExp(generators=[ast.comprehension(iter=inner), *_])
        ):
            return places_of(inner)
        case ast.Attribute(attr=name, value=inner):
            # `os.environ`, and what a form's field holds.
            is_other = name_of(inner) == "os" or (name == "data" and not _is_request(inner))
            return () if is_other else PLACES.get(name, ())
        case ast.Call(func=called):
            return _places_of_call(called, holder.args) or _of_scope(holder)
        case ast.Subscript(value=ast.Name(id="message")):
            # What an ASGI application answers with has headers, too.
            pass
        # The one is a variable, the other of an ASGI scope.
        case ast.Name(id=name) | ast.Subscript(slice=ast.Constant(value="headers" as name)):
            return (VARIABLES[name],) if name in VARIABLES else ()
    return ()


def _is_request(node: ast.expr) -> bool:
    return name_of(node).lower().startswith("req")


def _places_of_call(called: ast.expr, arguments: list[ast.expr]) -> tuple[Place, ...]:
    name = name_of(called)
    if name in ("dict", "list") and arguments and isinstance(called, ast.Name):
        return places_of(arguments[0])
    if name in COPIES and isinstance(called, ast.Attribute):
        return places_of(called.value)
    inside = [node for each in arguments for node in ast.walk(each)]
    if name in PARSERS and any(map(_is_body, inside)):
        return ("form",)
    if name in LOADERS and any(_is_body(node) or _is_raw(node) for node in inside):
        return ("json",)
    return (CALLS[name],) if name in CALLS else PLACES.get(name, ())


def _of_scope(call: ast.Call) -> tuple[Place, ...]:
    """`scope.get("headers", [])` and Starlette's `Headers(scope=scope)`, of an ASGI scope."""
    match call:
        case ast.Call(func=ast.Attribute(value=of, attr="get"), args=[first, *_]):
            return ("header",) if (name_of(of), text_of(first)) == ("scope", "headers") else ()
        case ast.Call(keywords=[ast.keyword(arg="scope" | "raw", value=value)]):
            is_scope = "scope" in (
                name_of(node) for node in ast.walk(value) if isinstance(node, ast.expr)
            )
            return ("header",) if name_of(call.func) == "Headers" and is_scope else ()
    return ()


def _is_raw(node: ast.AST) -> bool:
    return isinstance(node, ast.expr) and name_of(node) in RAW


def _is_body(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute):
        return node.attr in ("body", "read")
    return isinstance(node, ast.Constant) and node.value == "wsgi.input"


def _read(place: Place, name: str, kind: str = "text") -> Iterator[Read]:
    if place == "header":
        if not name.startswith(ENVIRON) and name.isupper() and "_" in name:
            return  # a variable of the environ that is no header
        header = name.removeprefix(ENVIRON).replace("_", "-").title()
        if header == "Cookie" or header.lower() in NOT_SENT or "." in header:
            return
        if header == "Authorization":
            yield Read("auth", "header")
            return
        yield Read("header", header)
    elif name and name.isprintable():
        yield Read(place, name, kind)  # type: ignore[arg-type]


def text_of(node: ast.expr | None) -> str | None:
    if not isinstance(node, ast.Constant):
        return None
    if isinstance(node.value, bytes):
        # As an ASGI scope has the names of headers.
        return node.value.decode("latin-1")
    return node.value if isinstance(node.value, str) else None
