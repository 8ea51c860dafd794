"""A YAML text as a tree whose every key and value knows its line and column.

ruamel.yaml reads the text (YAML 1.2) and gives events; the tree is built here, because the events
can be bounded while they come: an alias bomb or a million brackets ends as one problem. Scalars
mean what YAML 1.2's core schema says: `no` is a text, `012` is twelve, `1:30` is a text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    DocumentStartEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceStartEvent,
)

from ctxsim.errors import Problem
from ctxsim.scenario.syntax import syntax_problem
from ctxsim.scenario.words import clipped

MAX_DEPTH = 40
MAX_NODES = 50_000
# Python refuses longer ones by itself (4,300 digits), with a message that is not for our readers.
_MAX_DIGITS = 300
_CORE = "tag:yaml.org,2002:"
_BREAK = re.compile(r"\r\n|[\n\r]")
# Beside the control characters these are the other line breaks of YAML 1.1, of which YAML 1.2 makes
# plain characters: nobody sees them, and editors disagree about the lines that they make.
_UNPRINTABLE = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands: line and column from 1, how wide its caret is, and its offsets."""

    line: int
    column: int
    width: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value; `text` is what was written, `plain` whether it was written without quotes."""

    place: Place
    value: str | int | float | bool | None
    text: str
    plain: bool


@dataclass(frozen=True, slots=True)
class Sequence:
    place: Place
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys are kept as texts; `keys` says where each one stands."""

    place: Place
    keys: dict[str, Place]
    values: dict[str, Node]


Node = Scalar | Sequence | Mapping


class UnreadableError(Exception):
    """The text is no YAML that a scenario can be; holds the one problem that ended the reading."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not come yet."""

    event: NodeEvent
    anchor: str | None
    is_mapping: bool
    items: list[Node] = field(default_factory=list)
    # How many nodes it stands for once every alias is written out, and how deep.
    size: int = 1
    height: int = 0


def lines_of(text: str) -> list[str]:
    """The lines of `text`, broken where YAML breaks them."""
    return _BREAK.split(text)


def compose(text: str) -> tuple[Node | None, list[Problem]]:
    """Read one document: its tree (None for an empty text), and the problems that left a tree.

    Raises UnreadableError where no tree could be made.
    """
    _refuse_unprintable(text)
    composer = _Composer(text)
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            composer.take(event)
    except MarkedYAMLError as error:
        raise UnreadableError(syntax_problem(error, lines_of(text))) from error
    except (YAMLError, ValueError, OverflowError) as error:
        # Escapes such as "\\UFFFFFFFF" name no character; ruamel lets chr()'s error through.
        raise UnreadableError(
            Problem(1, 1, "this is no YAML: an escape or a character in it is not valid")
        ) from error
    return composer.root, composer.problems


class _Composer:
    """Builds the tree from events, without recursion, so that depth is ours to bound."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.lines = lines_of(text)
        self.root: Node | None = None
        self.problems: list[Problem] = []
        self._open: list[_Open] = []
        self._anchors: dict[str, tuple[Node, int, int]] = {}
        self._opened: set[str] = set()
        self._documents = 0
        self._nodes = 0

    def take(self, event: Any) -> None:
        if isinstance(event, DocumentStartEvent):
            self._begin_document(event)
        elif isinstance(event, AliasEvent):
            self._alias(event)
        elif isinstance(event, ScalarEvent):
            self._begin(event)
            self._close(self._scalar(event), event.anchor, 1, 0)
        elif isinstance(event, MappingStartEvent | SequenceStartEvent):
            self._begin(event)
            is_mapping = isinstance(event, MappingStartEvent)
            self._open.append(_Open(event, event.anchor, is_mapping))
            if event.anchor:
                self._opened.add(event.anchor)
        elif isinstance(event, CollectionEndEvent):
            self._end(event)

    def _begin_document(self, event: Any) -> None:
        self._documents += 1
        if self._documents > 1:
            raise self._refused(
                event, "a second document begins here; a scenario file holds exactly one",
                "write it into a file of its own",
            )  # fmt: skip

    def _begin(self, event: Any) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise self._refused(event, f"the file has more than {MAX_NODES:,} keys and values")
        if len(self._open) >= MAX_DEPTH:
            raise self._refused(event, f"this is nested more than {MAX_DEPTH} levels deep")
        self._check_tag(event)

    def _check_tag(self, event: Any) -> None:
        known = {"map"} if isinstance(event, MappingStartEvent) else {"seq"}
        if isinstance(event, ScalarEvent):
            known = {"str", "int", "float", "bool", "null"}
        tag = event.tag
        if tag is None or tag == "!" or tag.removeprefix(_CORE) in known:
            return
        shown = "!!" + tag.removeprefix(_CORE) if tag.startswith(_CORE) else tag
        raise self._refused(
            event, f"the tag '{clipped(shown)}' cannot stand here; a scenario is plain data",
            "remove the tag",
        )  # fmt: skip

    def _alias(self, event: Any) -> None:
        name, shown = event.anchor, clipped(event.anchor.rstrip(":"))
        if not shown:
            raise self._refused(
                event, "'*' begins an alias, which must have a name",
                'if a text is meant, put it in quotes: "*"',
            )  # fmt: skip
        if name in self._opened:
            raise self._refused(event, f"'*{shown}' stands inside of what it refers to")
        if name not in self._anchors:
            raise self._refused(
                event, f"'*{shown}' refers to an anchor '&{shown}' that does not stand above",
                f'if a text is meant, put it in quotes: "*{shown}"',
            )  # fmt: skip
        node, size, height = self._anchors[name]
        if len(self._open) + height > MAX_DEPTH:
            raise self._refused(event, f"'*{shown}' nests more than {MAX_DEPTH} levels deep")
        self._close(node, None, size, height)

    def _end(self, event: Any) -> None:
        done = self._open.pop()
        place = _place(done.event.start_mark, event.end_mark, self.lines)
        node: Node = Sequence(place, tuple(done.items))
        if done.is_mapping:
            node = self._mapping(place, done.items)
        if done.anchor:
            self._opened.discard(done.anchor)
        self._close(node, done.anchor, done.size, done.height)

    def _close(self, node: Node, anchor: str | None, count: int, height: int) -> None:
        if anchor:
            self._anchors[anchor] = (node, count, height)
        if not self._open:
            self.root = node
            return
        parent = self._open[-1]
        parent.items.append(node)
        parent.size += count
        parent.height = max(parent.height, height + 1)
        if parent.size > MAX_NODES:
            raise UnreadableError(
                _problem_at(
                    node.place,
                    f"with every alias written out, this is more than {MAX_NODES:,} values",
                    "write fewer aliases",
                )
            )

    def _scalar(self, event: Any) -> Scalar:
        place = _place(event.start_mark, event.end_mark, self.lines)
        text = event.value
        if any("\ud800" <= char <= "\udfff" for char in text):
            raise self._refused(event, "half of a surrogate pair is no character")
        tag = event.tag.removeprefix(_CORE) if event.tag else None
        plain = tag is None and event.implicit[0]
        if not plain and tag in (None, "!", "str"):
            return Scalar(place, text, text, plain=False)
        value = _meaning(text)
        if tag is not None and not _fits(value, tag):
            raise self._refused(
                event, f"'{clipped(text)}' is no {tag}, as its tag says", "remove the tag"
            )
        if isinstance(value, int | float) and len(text) > _MAX_DIGITS:
            raise self._refused(event, f"a number of more than {_MAX_DIGITS} digits")
        return Scalar(place, value, text, plain)

    def _mapping(self, place: Place, items: list[Node]) -> Mapping:
        keys: dict[str, Place] = {}
        values: dict[str, Node] = {}
        merged: list[Mapping] = []
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(key, Scalar):
                self.problems.append(_problem_at(key.place, "a key must be a text", "write name:"))
            elif key.plain and key.text == "<<":
                merged += self._merged(value)
            elif key.text in keys:
                first = keys[key.text].line
                message = f"duplicate key '{clipped(key.text)}' (first at line {first})"
                self.problems.append(_problem_at(key.place, message, "keep one of the two"))
            else:
                keys[key.text] = key.place
                values[key.text] = value
        for each in merged:
            for name, inner in each.values.items():
                keys.setdefault(name, each.keys[name])
                values.setdefault(name, inner)
        return Mapping(place, keys, values)

    def _merged(self, value: Node) -> Iterator[Mapping]:
        for each in value.items if isinstance(value, Sequence) else (value,):
            if isinstance(each, Mapping):
                yield each
            else:
                self.problems.append(
                    _problem_at(
                        each.place, "'<<' takes keys from a mapping, and this is none",
                        "write  <<: *name  of an anchored mapping",
                    )
                )  # fmt: skip

    def _refused(self, event: Any, message: str, suggestion: str | None = None) -> UnreadableError:
        place = _place(event.start_mark, event.end_mark, self.lines)
        return UnreadableError(_problem_at(place, message, suggestion))


def _place(start: Any, end: Any, lines: list[str]) -> Place:
    one_line = start.line == end.line
    until = end.column if one_line else len(lines[start.line]) if start.line < len(lines) else 0
    width = max(1, until - start.column)
    return Place(start.line + 1, start.column + 1, width, start.index, end.index)


def _problem_at(place: Place, message: str, suggestion: str | None = None) -> Problem:
    return Problem(place.line, place.column, message, place.width, suggestion)


def _meaning(text: str) -> str | int | float | bool | None:
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > _MAX_DIGITS:
        return 0 if _INT.fullmatch(text) or _FLOAT.fullmatch(text) else text
    if _INT.fullmatch(text):
        base = {"0o": 8, "0x": 16}.get(text[:2], 10)
        return int(text, base)
    if _FLOAT.fullmatch(text):
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return text


def _fits(value: object, tag: str) -> bool:
    kinds: dict[str, type | tuple[type, ...]] = {
        "int": int,
        "float": (int, float),
        "bool": bool,
        "null": type(None),
    }
    return isinstance(value, kinds[tag]) and (tag == "bool" or not isinstance(value, bool))


def _refuse_unprintable(text: str) -> None:
    found = _UNPRINTABLE.search(text)
    if found is None:
        return
    before = lines_of(text[: found.start()])
    character = f"the character U+{ord(found[0]):04X}"
    raise UnreadableError(
        Problem(
            len(before),
            len(before[-1]) + 1,
            f"{character} cannot stand in a scenario file; it must be printable text",
            suggestion='remove it, or write an escape such as "\\u0007" in double quotes',
        )
    )


def child(node: Node | None, *path: str) -> Node | None:
    """The value under these keys, None where there is none."""
    for key in path:
        node = node.values.get(key) if isinstance(node, Mapping) else None
    return node


def items_of(node: Node | None) -> tuple[Node, ...]:
    """The items of a list; a single value is its own only item."""
    if node is None:
        return ()
    return node.items if isinstance(node, Sequence) else (node,)


def plain(node: Node | None) -> Any:
    """The value without its places, as JSON has it."""
    match node:
        case Mapping():
            return {key: plain(inner) for key, inner in node.values.items()}
        case Sequence():
            return [plain(each) for each in node.items]
    return None if node is None else node.value
