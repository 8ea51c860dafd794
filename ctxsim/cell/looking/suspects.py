"""What looks shared between requests in the application's own source, told in plain words.

Nothing here is a finding: source only shows what may go wrong.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import TypeGuard

from ctxsim.cell.history import Where
from ctxsim.cell.looking.sources import Source
from ctxsim.cell.sights import Note

_MUTABLE = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
_MAKERS = frozenset(
    [
        "list",
        "dict",
        "set",
        "bytearray",
        "deque",
        "defaultdict",
        "OrderedDict",
        "Counter",
        "WeakKeyDictionary",
    ]
)
_CHANGES = frozenset(
    [
        "append",
        "add",
        "update",
        "setdefault",
        "insert",
        "extend",
        "pop",
        "popitem",
        "remove",
        "discard",
        "clear",
        "appendleft",
    ]
)
_Function = ast.FunctionDef | ast.AsyncFunctionDef
# Where classes hold what belongs to the class alone by convention.
_DECLARED = frozenset({"__slots__", "__all__", "__match_args__"})


def notes_of(sources: Iterable[Source]) -> Iterator[Note]:
    """What looks shared, file by file in the order of its lines."""
    sources = list(sources)
    writers = {name: how for source in sources for name, how in _writers(source.tree)}
    for source in sources:
        notes = [*_of(source), *_instances(source, writers)]
        found = {(note.where.line, note.text): note for note in notes if note.where}
        yield from (found[each] for each in sorted(found))


def _writers(module: ast.Module) -> Iterator[tuple[str, str]]:
    """The classes that have a method that writes to its instance, once that is made."""
    for kind in ast.walk(module):
        if isinstance(kind, ast.ClassDef):
            for method in kind.body:
                if isinstance(method, _Function) and not _is_dunder(method.name):
                    written = [each.attr for each in ast.walk(method) if _is_of_self(each)]
                    if written:
                        yield kind.name, f"{kind.name}.{method.name}() sets {written[0]}"


def _is_dunder(name: str) -> bool:
    return name.startswith("__") and name not in ("__call__", "__enter__")


def _is_of_self(node: ast.AST) -> TypeGuard[ast.Attribute]:
    return (
        isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    )


def _instances(source: Source, writers: dict[str, str]) -> Iterator[Note]:
    """What a module makes once of a class of the application's whose instances change."""
    for node in source.tree.body:
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        for name, how in writers.items():
            if _calls(value, name):
                yield _note(source.file, node, f"one {name} for all requests, and {how}")


def _of(source: Source) -> Iterator[Note]:
    module = source.tree
    kept = _names_kept(module)
    # Of functions in functions the innermost is told, which comes last.
    written: dict[tuple[ast.AST, str], Note] = {}
    for node in ast.walk(module):
        if isinstance(node, _Function):
            yield from _in_defaults(node, source.file)
            written |= _in_function(node, kept, source.file)
        elif isinstance(node, ast.ClassDef):
            yield from _in_class(node, source.file)
        elif isinstance(node, ast.Call):
            yield from _in_call(node, source.file)
    yield from written.values()
    for node in module.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and _calls(node.value, "local"):
            yield _note(
                source.file, node, "a threading.local: what a request leaves in it, the next sees"
            )
        for push in _pushes(node):
            yield _note(source.file, push, "a context is pushed at import, and requests inherit it")


def _names_kept(module: ast.Module) -> dict[str, int]:
    """The variables of a module, with the line that makes them."""
    names: dict[str, int] = {}
    for node in module.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.AnnAssign):
            targets = [node.target]
        names |= {each.id: node.lineno for each in targets if isinstance(each, ast.Name)}
    return names


def _in_defaults(function: _Function, file: str) -> Iterator[Note]:
    for default in [*function.args.defaults, *function.args.kw_defaults]:
        if default is not None and _is_mutable(default):
            yield _note(
                file, default, f"a default argument of {function.name}() that all calls share"
            )


def _in_function(
    function: _Function, kept: dict[str, int], file: str
) -> dict[tuple[ast.AST, str], Note]:
    """Where a function writes to variables of its module, by node and name."""
    found: dict[tuple[ast.AST, str], Note] = {}
    declared = {
        name for node in ast.walk(function) if isinstance(node, ast.Global) for name in node.names
    }
    own = _bound_in(function) - declared
    for node in ast.walk(function):
        for name, how in _writes(node, declared):
            if name in declared or (name in kept and name not in own):
                text = f"{function.name}() {how} {name}, a variable of the module"
                found[node, name] = _note(file, node, text)
    return found


def _bound_in(function: _Function) -> set[str]:
    arguments = [*function.args.args, *function.args.kwonlyargs, *function.args.posonlyargs]
    names = {each.arg for each in arguments}
    return names | {
        node.id
        for node in ast.walk(function)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }


def _writes(node: ast.AST, declared: set[str]) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id in declared:
        yield node.id, "sets"
    elif isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.ctx, ast.Store):
        yield from [(node.value.id, "writes into")] if isinstance(node.value, ast.Name) else []
    else:
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=how)):
                yield from [(name, "changes")] if how in _CHANGES else []


def _in_class(kind: ast.ClassDef, file: str) -> Iterator[Note]:
    for node in kind.body:
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        if value is None or not _is_mutable(value) or not isinstance(node, ast.Assign):
            continue
        for target in node.targets:
            if isinstance(target, ast.Name) and target.id not in _DECLARED:
                changed = _changed_in(kind, target.id)
                if changed:
                    text = f"{kind.name}.{target.id} is one for all instances, and is changed"
                    yield _note(file, node, text)


def _changed_in(kind: ast.ClassDef, name: str) -> bool:
    """Whether a method writes into the attribute, through `self`, `cls` or the class's name."""
    for node in ast.walk(kind):
        inner = None
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
            inner = node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            inner = node.func.value if node.func.attr in _CHANGES else None
        if isinstance(inner, ast.Attribute) and inner.attr == name:
            return True
    return False


def _in_call(call: ast.Call, file: str) -> Iterator[Note]:
    if _calls(call, "ContextVar"):
        for keyword in call.keywords:
            if keyword.arg == "default" and _is_mutable(keyword.value):
                yield _note(file, call, "a ContextVar whose default is one object for all contexts")
    elif _calls(call, "_get_current_object"):
        yield _note(file, call, "a proxy is resolved here; what it gives belongs to one request")


def _pushes(node: ast.stmt) -> Iterator[ast.Call]:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        called = node.value.func
        if isinstance(called, ast.Attribute) and called.attr == "push":
            yield node.value


def _is_mutable(node: ast.expr) -> bool:
    return isinstance(node, _MUTABLE) or any(_calls(node, name) for name in _MAKERS)


def _calls(node: ast.expr | None, name: str) -> bool:
    if not isinstance(node, ast.Call):
        return False
    called = node.func
    return name == (called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", ""))


def _note(file: str, node: ast.AST, text: str) -> Note:
    line: int = getattr(node, "lineno", 0)
    return Note(text, Where(file, line, ""))
