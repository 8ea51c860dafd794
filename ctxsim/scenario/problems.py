"""What pydantic found, in our own sentences, at the place in the file where it stands.

A sentence says what happened and what was expected; the suggestion says what to write instead.
"""

from __future__ import annotations

import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from ctxsim.errors import Problem
from ctxsim.scenario import nodes
from ctxsim.scenario.model import Document
from ctxsim.scenario.nodes import Node, Place
from ctxsim.scenario.target import Part
from ctxsim.scenario.words import WordError, clipped, did_you_mean, shown

Path = tuple[int | str, ...]

_EXPECTED = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "dict_type": "a mapping of names to values",
    "model_type": "a mapping of names to values",
    "model_attributes_type": "a mapping of names to values",
    "tuple_type": "a list",
}


@dataclass(frozen=True, slots=True)
class Found:
    """A place in the tree: the node, its key's place where it has one, and the names to it."""

    node: Node
    key: Place | None
    names: tuple[str, ...]

    @property
    def dotted(self) -> str:
        return ".".join(map(clipped, self.names))


def at(place: Place, message: str, suggestion: str | None = None) -> Problem:
    """A problem whose caret is under `place`."""
    return Problem(place.line, place.column, message, place.width, suggestion)


def find(root: Node, path: Path) -> Found:
    """Follow `path` into the tree. Parts that do not stand in the file (a short way to write a
    value has none) are passed over."""
    node: Node = root
    key: Place | None = None
    names: list[str] = []
    for part in path:
        if isinstance(node, nodes.Mapping) and isinstance(part, str) and part in node.values:
            key = node.keys[part]
            node = node.values[part]
            names.append(part)
        elif isinstance(node, nodes.Sequence) and isinstance(part, int) and part < len(node.items):
            key = None
            node = node.items[part]
    return Found(node, key, tuple(names))


def translated(errors: Iterable[ErrorDetails], root: Node) -> Iterator[Problem]:
    """Each error of pydantic as a problem; those that only follow from another are left out."""
    for error in errors:
        path = tuple(error["loc"])
        if error["input"] is None:
            # A key without a value is told by `rules`, once for all types.
            continue
        if error["type"] == "missing":
            yield _missing(root, path)
        elif error["type"] == "extra_forbidden":
            yield _unknown(root, path)
        elif error["type"] != "too_short" or not error["input"]:
            # Items that are wrong are not counted, and then a list seems to be short.
            yield _wrong_value(root, path, error)


def _missing(root: Node, path: Path) -> Problem:
    parent = find(root, path[:-1])
    if isinstance(path[-1], int):
        message = f"'{parent.dotted}' must have two texts, name and password"
        return at(parent.node.place, message, 'write ["{user.name}", "{user.password}"]')
    dotted = ".".join((*map(clipped, parent.names), path[-1]))
    place = parent.key or parent.node.place
    if parent.key is None:
        place = Place(place.line, place.column, 1, place.start, place.end)
    return at(place, f"'{dotted}' is missing", f"add  {path[-1]}: {_example(path)}")


def _unknown(root: Node, path: Path) -> Problem:
    found, part = find(root, path), _part_at(path[:-1])
    key, place = str(path[-1]), found.key or found.node.place
    known = [field.alias or name for name, field in part.model_fields.items()]
    hint = did_you_mean(key, known) or _elsewhere(key)
    return at(place, f"unknown key '{found.dotted}'", hint or f"known here: {', '.join(known)}")


def _wrong_value(root: Node, path: Path, error: ErrorDetails) -> Problem:
    is_key = path[-1] == "[key]"
    found = find(root, path[:-1] if is_key else path)
    place = found.key if is_key and found.key else found.node.place
    wrong = error.get("ctx", {}).get("error")
    if isinstance(wrong, WordError):
        return at(place, f"'{found.dotted}' {wrong.message}", wrong.suggestion)
    if hint := _lost_colon(_part_at(path), error["input"]):
        return at(place, f"'{found.dotted}' {_expectation(error)}", hint)
    example = _example(path)
    hint = f"write for example  {found.names[-1]}: {example}" if example and found.names else None
    return at(place, f"'{found.dotted}' {_expectation(error)}", hint)


def _lost_colon(part: type[Part], value: object) -> str | None:
    key, space, rest = value.partition(" ") if isinstance(value, str) else ("", "", "")
    return f"did you mean  {key}: {clipped(rest)}" if space and key in _fields(part) else None


def _expectation(error: ErrorDetails) -> str:
    limits: Mapping[str, Any] = error.get("ctx", {})
    value = shown(error["input"])
    kind = error["type"]
    if kind in _EXPECTED:
        return f"must be {_EXPECTED[kind]}, not {value}"
    if kind in ("too_short", "string_too_short"):
        return "is empty"
    if kind == "too_long":
        return f"must have {limits['max_length']} items, not {limits['actual_length']}"
    bounds = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
    for name, sentence in bounds.items():
        if name in limits:
            return f"must be {sentence} {limits[name]}, not {value}"
    return f"is not right: {value}"


def _example(path: Path) -> str | None:
    field = _field_at(path)
    return str(field.examples[0]) if field is not None and field.examples else None


def _part_at(path: Path) -> type[Part]:
    """The model of the mapping at `path`."""
    part: type[Part] = Document
    is_name = False
    for step in path:
        field = None if is_name or isinstance(step, int) else _fields(part).get(step)
        is_name = False
        if field is not None:
            part = _model_within(field.annotation) or part
            # In `flows`, what follows is a name of the user's choice.
            is_name = _is_named(field.annotation)
    return part


def _field_at(path: Path) -> FieldInfo | None:
    for length in range(len(path), 0, -1):
        last = path[length - 1]
        field = _fields(_part_at(path[: length - 1])).get(last) if isinstance(last, str) else None
        if field is not None:
            return field
    return None


def _fields(part: type[Part]) -> dict[str, FieldInfo]:
    return {field.alias or name: field for name, field in part.model_fields.items()}


def _is_named(annotation: Any) -> bool:
    return typing.get_origin(annotation) is dict


def _model_within(annotation: Any) -> type[Part] | None:
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return annotation
    inner = (_model_within(each) for each in typing.get_args(annotation))
    return next((each for each in inner if each is not None), None)


def _elsewhere(key: str) -> str | None:
    """Where a key that stands at the wrong level belongs, if the format has it once."""
    places = [dotted for dotted in _all_keys(Document, "") if dotted.split(".")[-1] == key]
    return f"did you mean '{places[0]}'?" if len(places) == 1 else None


def _all_keys(part: type[Part], prefix: str) -> Iterator[str]:
    for name, field in _fields(part).items():
        yield f"{prefix}{name}"
        inner = _model_within(field.annotation)
        if inner is not None and not _is_named(field.annotation):
            yield from _all_keys(inner, f"{prefix}{name}.")
