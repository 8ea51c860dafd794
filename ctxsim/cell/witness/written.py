"""Which lines of the application's source write to one of its variables, and whether any reads it.

A source is read, nothing is run: a line that is found is the likely writer, if it is the only one.
What is written by a name that was handed on, or by a library, is not known here.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from ctxsim.cell.history import Where
from ctxsim.cell.objects import UNCHANGEABLE
from ctxsim.cell.witness.bindings import application_modules
from ctxsim.cell.witness.paths import dict_of
from ctxsim.cell.witness.record import module_file, shown_file
from ctxsim.cell.witness.stores import Store

# Methods of containers and queues that add to what they hold, and that give one of the items.
_ADDING = frozenset(
    {
        "add", "append", "appendleft", "extend", "extendleft", "insert", "put", "put_nowait",
        "setdefault", "update",
    }
)  # fmt: skip
_ITEM = frozenset({"get", "setdefault"})
# What takes things away; what it gives back may be read.
_TAKING = frozenset({"clear", "discard", "pop", "popitem", "popleft", "remove"})
# To read so much takes about a third of a second, amid a load.
_MOST_BYTES = 400_000
_MADE_EMPTY = frozenset({"Counter", "OrderedDict", "defaultdict", "deque", "dict", "list", "set"})
_OF_INSTANCE = frozenset({"self", "cls"})
_NAMES = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*")
_FIRST_KEY = re.compile(r"\[('[^']*')\]")
# What an item of a variable leads on by: `orders[...]['total']`, `orders[...].total`.
_INNER = re.compile(r"\[[^][]*\](?:\['([^']*)'\]|\.([^\W\d]\w*))")


@dataclass(frozen=True, slots=True)
class _Path:
    """`name.attribute.attribute[key]`: the attributes before the first item, and its key if that
    is a constant. `name` is '' where the path begins with no variable."""

    name: str
    attributes: tuple[str, ...] = ()
    key: object = None
    has_item: bool = False
    # Attributes of an item follow: what is there is another object.
    is_deeper: bool = False
    # The constant key, if there is one, of what the item holds.
    inner: str | None = None

    def attribute(self, name: str) -> _Path:
        if self.has_item:
            return _Path(self.name, self.attributes, self.key, True, True)
        return _Path(self.name, (*self.attributes, name))

    def item(self, key: object) -> _Path:
        if not self.has_item:
            return _Path(self.name, self.attributes, key, True)
        if self.inner is None and isinstance(key, str):
            return replace(self, inner=key)
        return self


@dataclass(frozen=True, slots=True)
class _Use:
    """One use of a path, in a function of `kind` (the class around it, or '')."""

    path: _Path
    line: int
    function: str
    kind: str
    is_write: bool
    is_local: bool
    # The keys of the dictionary that is written, where it says all of them.
    keys: frozenset[str] | None = None

    def may_write_inner(self, inner: str) -> bool:
        """Whether what is written to an item may be what the item holds as `inner`."""
        if self.path.inner is not None:
            return self.path.inner == inner
        return self.keys is None or inner in self.keys


def writer_of(store: Store) -> Where | None:
    """The one line of the application's that writes to a store; None where it cannot be told."""
    variable = _Variable.of(store)
    if variable is None:
        return None
    for level in reversed(range(len(variable.names))):
        found = {
            Where(shown_file(file), use.line, use.function)
            for file, names, use in variable.uses()
            if use.is_write and use.function and variable.is_written(use, level, names)
        }
        if found:
            break
    found |= variable.inner_writers()
    return found.pop() if len(found) == 1 else None


def is_read(store: Store) -> bool:
    """Whether the application's source reads a store's variable anywhere, as far as can be told."""
    variable = _Variable.of(store)
    if variable is None:
        return True
    uses = variable.uses()
    return any(not use.is_write and variable.is_meant(use, names) for _, names, use in uses)


@dataclass(frozen=True, slots=True)
class _Variable:
    """A module's variable, and attributes that lead from it to what is written to."""

    module: ModuleType
    names: tuple[str, ...]
    # What each of the names but the last one leads to, as far as it can be followed.
    things: tuple[Any, ...]
    key: str | None
    # What of an item the value was found in, '' for the item itself.
    inner: str = ""

    @classmethod
    def of(cls, store: Store) -> _Variable | None:
        name = store.named.partition(":")[0]
        module = next((each for each in application_modules() if each.__name__ == name), None)
        rest = store.place.removeprefix(f"{name}.")
        found = _NAMES.match(rest)
        if module is None or found is None or rest == store.place:
            return None
        names = tuple(found[0].split("."))
        key = _FIRST_KEY.match(rest, found.end())
        constant = None if key is None else str(ast.literal_eval(key[1]))
        further = _INNER.match(store.example.removeprefix(f"{name}."), found.end())
        inner = "" if further is None else further[1] or further[2]
        made = cls(module, names, tuple(_followed(vars(module), names)), constant, inner)
        length = sum(len(_source(file)) for file, _ in made._sources())
        return made if length <= _MOST_BYTES else None

    def uses(self) -> Iterator[tuple[str, dict[str, Any], _Use]]:
        """All uses in the sources that know one of the names, with the file and its variables."""
        for file, names in self._sources():
            yield from ((file, names, use) for use in _uses_of(file))

    def inner_writers(self) -> set[Where]:
        """The lines that write to what is called as the value's part of the item is.

        They may have been handed the item by another name.
        """
        if not self.inner:
            return set()
        return {
            Where(shown_file(file), use.line, use.function)
            for file, _, use in self.uses()
            if use.is_write
            and use.function
            and use.is_local
            and self.inner in (use.path.key, *use.path.attributes[-1:])
        }

    def _sources(self) -> Iterator[tuple[str, dict[str, Any]]]:
        words = [name.encode() for name in self.names]
        for module in application_modules():
            file = module_file(module)
            if file is not None and any(word in _source(file) for word in words):
                yield file, vars(module)

    def is_written(self, use: _Use, level: int, names: dict[str, Any]) -> bool:
        """Whether a write may be one to what the name of that level leads to."""
        path = use.path
        if path.is_deeper or (self.key is not None and path.key not in (None, self.key)):
            return False
        if self.inner and path.has_item and not use.may_write_inner(self.inner):
            return False
        if level == 0:
            return self._leads_here(use, names) == len(path.attributes)
        if path.attributes[-1:] != (self.names[level],):
            return False
        return len(self.things) < level or _may_hold(self.things[level - 1], use, names)

    def is_meant(self, use: _Use, names: dict[str, Any]) -> bool:
        """Whether a use may lead to the variable or to what it holds."""
        if self._leads_here(use, names) >= 0:
            return True
        return any(name in use.path.attributes for name in self.names[1:])

    def _leads_here(self, use: _Use, names: dict[str, Any]) -> int:
        """After how many attributes a path is at the module's variable; -1: it is elsewhere."""
        path = use.path
        if use.is_local or path.name not in names:
            return -1
        found = names[path.name]
        if found is self.module:
            return 1 if path.attributes[:1] == self.names[:1] else -1
        if names is vars(self.module) and path.name == self.names[0]:
            return 0
        # Elsewhere it has been imported, perhaps by another name.
        is_same = bool(self.things) and found is self.things[0]
        return 0 if is_same and type(found) not in UNCHANGEABLE else -1


def _followed(variables: dict[str, Any], names: Sequence[str]) -> Iterator[Any]:
    """What each of the names leads to, until one cannot be followed without running code."""
    thing: Any = variables.get(names[0])
    for name in names[1:]:
        yield thing
        known = dict_of(thing) if not issubclass(type(thing), type) else vars(thing)
        if known is None or name not in known:
            return
        thing = known[name]
    yield thing


def _may_hold(holder: Any, use: _Use, names: dict[str, Any]) -> bool:
    """Whether what a use's last attribute is one of may be that object."""
    path = use.path
    if path.name in _OF_INSTANCE and len(path.attributes) == 1:
        return use.kind in _kinds(holder)
    if use.is_local or path.name not in names:
        # It may be anything.
        return True
    return [*_followed(names, (path.name, *path.attributes[:-1]))][-1] is holder


def _kinds(thing: Any) -> set[str]:
    """The names of the classes by whose methods a thing is written to."""
    kind = thing if issubclass(type(thing), type) else type(thing)
    return {each.__name__ for each in kind.__mro__}


@functools.cache
def _source(file: str) -> bytes:
    # Where there is no source, nothing is known.
    with contextlib.suppress(OSError):
        return Path(file).read_bytes()
    return b""


@functools.cache
def _uses_of(file: str) -> tuple[_Use, ...]:
    reader = _Reader()
    with contextlib.suppress(SyntaxError, ValueError):
        reader.visit(ast.parse(_source(file)))
    return tuple(reader.found)


class _Reader(ast.NodeVisitor):
    """Reads what is used out of a source, function by function."""

    def __init__(self) -> None:
        self.found: list[_Use] = []
        self._function = self._kind = ""
        self._local: frozenset[str] = frozenset()
        # What variables of the function stand for that were made of a path.
        self._made: dict[str, _Path] = {}

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        around = self._function, self._local, self._made
        self._function, self._made = node.name, dict(self._made)
        self._local = (self._local | _bound_in(node)) - _declared_in(node)
        self.generic_visit(node)
        self._function, self._local, self._made = around

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        around, self._kind = self._kind, node.name
        self.generic_visit(node)
        self._kind = around

    def visit_Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            self._write(target, node.value)
        made = self._path(node.value)
        match node.targets:
            case [ast.Name(id=name)] if made is not None and name in self._local:
                self._made[name] = made
        self.visit(node.value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self._write(node.target, node.value)
            self.visit(node.value)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self._write(node.target, node.value)
        self.visit(node.value)

    def visit_Delete(self, node: ast.Delete) -> None:
        """What is deleted is neither read nor written, but for the keys."""
        for each in node.targets:
            self._visit_inside(each)

    def visit_Expr(self, node: ast.Expr) -> None:
        match node.value:
            case ast.Call(func=ast.Attribute(value=inner, attr=how)) if how in _ADDING | _TAKING:
                # What it gives is thrown away.
                self._add_to(inner, how, node.value)
                self._visit_inside(inner)
                self._visit_arguments(node.value)
            case _:
                self.visit(node.value)

    def visit_Call(self, node: ast.Call) -> None:
        match node.func:
            case ast.Attribute(value=inner, attr=how) if how in _ADDING:
                self._add_to(inner, how, node)
        self.visit(node.func)
        match node:
            case ast.Call(func=ast.Name(id="len"), args=[counted]):
                # That says nothing of what is there.
                self._visit_inside(counted)
            case _:
                self._visit_arguments(node)

    def _visit_arguments(self, call: ast.Call) -> None:
        for argument in _arguments(call):
            self.visit(argument)

    def visit_Name(self, node: ast.Name) -> None:
        self._read(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self._read(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        self._read(node)

    def _read(self, node: ast.expr) -> None:
        if (path := self._path(node)) is not None:
            self._use(path, node, is_write=False)
        self._visit_inside(node)

    def _visit_inside(self, node: ast.expr) -> None:
        """Visit the keys of a path, and what it begins with where that is no variable."""
        while isinstance(node, ast.Attribute | ast.Subscript):
            if isinstance(node, ast.Subscript):
                self.visit(node.slice)
            node = node.value
        if not isinstance(node, ast.Name):
            self.visit(node)

    def _add_to(self, inner: ast.expr, how: str, call: ast.Call) -> None:
        path = self._path(inner)
        if path is None or how not in _ADDING:
            return
        match call.args:
            case [key, value] if how == "setdefault":
                self._write_item(path, key, value, call)
            case _ if not all(map(_is_empty, _arguments(call))):
                self._use(path.item(None), call, is_write=True)

    def _write_item(self, path: _Path, key: ast.expr, value: ast.expr, node: ast.expr) -> None:
        # A key that is kept with a flag or a number, as in a set.
        is_kept = isinstance(value, ast.Constant) and not isinstance(key, ast.Constant)
        if is_kept or not _is_empty(value):
            self._use(path.item(_constant(key)), node, is_write=True, keys=_keys_of(value))

    def _write(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Tuple | ast.List):
            for each in target.elts:
                self._write(each, value)
            return
        self._visit_inside(target)
        match target:
            case ast.Name(id=name):
                # A local one is written to by a line of its own, wherever that leads.
                path = None if name in self._local else _Path(name)
            case ast.Subscript(value=inner, slice=key):
                if (path := self._path(inner)) is not None:
                    self._write_item(path, key, value, target)
                return
            case _:
                path = self._path(target)
        if path is not None and not _is_empty(value):
            self._use(path, target, is_write=True)

    def _use(
        self,
        path: _Path,
        node: ast.expr,
        *,
        is_write: bool,
        keys: frozenset[str] | None = None,
    ) -> None:
        is_local = path.name in self._local
        use = _Use(path, node.lineno, self._function, self._kind, is_write, is_local, keys)
        self.found.append(use)

    def _path(self, node: ast.expr) -> _Path | None:
        match node:
            case ast.Name(id=name):
                return self._made.get(name, _Path(name))
            case ast.Attribute(value=inner, attr=name):
                return (self._path(inner) or _Path("")).attribute(name)
            case ast.Subscript(value=inner, slice=key):
                found = self._path(inner)
                return None if found is None else found.item(_constant(key))
            case ast.Call(func=ast.Attribute(value=inner, attr=how), args=[key, *_]):
                found = self._path(inner) if how in _ITEM else None
                return None if found is None else found.item(_constant(key))
        return None


def _arguments(call: ast.Call) -> list[ast.expr]:
    return [*call.args, *(each.value for each in call.keywords)]


def _constant(node: ast.expr) -> object:
    return node.value if isinstance(node, ast.Constant) else None


def _keys_of(value: ast.expr) -> frozenset[str] | None:
    """The keys of a dictionary that is written out; None where it may have others."""
    if not isinstance(value, ast.Dict):
        return None
    keys = [_constant(each) if each is not None else None for each in value.keys]
    texts = frozenset(each for each in keys if isinstance(each, str))
    return texts if len(texts) == len(keys) else None


def _is_empty(value: ast.expr) -> bool:
    """Whether a value can be no request's: a constant, or a container that is made empty."""
    match value:
        case ast.Constant():
            return True
        case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts):
            return all(map(_is_empty, parts))
        case ast.Dict(values=parts):
            return all(map(_is_empty, parts))
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name in _MADE_EMPTY and all(isinstance(each, ast.Name) for each in value.args)
    return False


_Function = ast.FunctionDef | ast.AsyncFunctionDef


def _declared_in(function: _Function) -> frozenset[str]:
    declared = (each for each in ast.walk(function) if isinstance(each, ast.Global))
    return frozenset(name for each in declared for name in each.names)


def _bound_in(function: _Function) -> frozenset[str]:
    arguments = (each.arg for each in ast.walk(function.args) if isinstance(each, ast.arg))
    stored = (
        each.id
        for each in ast.walk(function)
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
    )
    return frozenset((*arguments, *stored))
