"""JSON Schema as OpenAPI documents use it: what to send where a schema says what is taken."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeGuard

from ctxsim.cell.looking.attempts import CANARY, OTHER_UUID, SHORT, USER, UUID, value_of
from ctxsim.cell.plan import Json
from ctxsim.cell.sights import Place, Read

# References may lead round in circles, and objects may hold objects of their own kind.
_MOST_REFERENCES, _DEEPEST = 20, 5
# A canary has as many letters, and a short word of one's own no more.
_CANARY_LETTERS, _SHORT_LETTERS, _LEAST_SHORT = 25, 7, 4
_PLACEHOLDER = re.compile(r"\{[\w.]+\}")
_KINDS = {"integer": "int", "number": "float", "boolean": "bool"}
_PLAIN: dict[str, float] = {"int": 2, "float": 1.5}
_FORMATS = {
    "uuid": UUID,
    "date": "2024-02-01",
    "date-time": "2024-02-01T12:00:00Z",
    "time": "12:00:00",
    "duration": "P1D",
    "ipv4": "127.0.0.1",
    "ipv6": "::1",
    "uri": f"http://example.com/{CANARY}",
    "url": f"http://example.com/{CANARY}",
    "hostname": "example.com",
}
# What another user may say.
_OTHER_FORMATS = {
    "uuid": OTHER_UUID,
    "date": "2024-03-01",
    "date-time": "2024-03-01T13:00:00Z",
    "time": "13:00:00",
    "duration": "P2D",
}


@dataclass(frozen=True, slots=True)
class Schemas:
    """A document whose references are followed. What is not as it should be is taken for nothing.

    A document comes from outside, and any of its parts may be anything. With `others`, numbers,
    dates and the like are others than those that are given without.
    """

    document: dict[str, Any]
    others: bool = False

    def followed(self, value: Any) -> dict[str, Any]:
        """The object that a value is, or that its `$ref` leads to within the document."""
        for _ in range(_MOST_REFERENCES):
            reference = value.get("$ref") if isinstance(value, dict) else None
            if not isinstance(reference, str):
                break
            value = self._at(reference)
        return value if isinstance(value, dict) else {}

    def _at(self, reference: str) -> Any:
        if not reference.startswith("#/"):
            return {}
        found: Any = self.document
        for part in reference[2:].split("/"):
            name = part.replace("~1", "/").replace("~0", "~")
            found = found.get(name) if isinstance(found, dict) else None
        return found

    def plain(self, value: Any, depth: int = 0) -> dict[str, Any]:
        """A schema without references and choices: all of `allOf`, and the first that is no null
        of the others."""
        schema = self.followed(value)
        if depth > _DEEPEST:
            return schema
        for each in _list(schema.get("allOf")):
            schema = _merged(schema, self.plain(each, depth + 1))
        for name in ("anyOf", "oneOf"):
            choices = (self.plain(each, depth + 1) for each in _list(schema.get(name)))
            taken = next((each for each in choices if _type(each) != "null"), None)
            if taken is not None:
                schema = _merged(schema, taken)
        return schema

    def read_of(self, place: Place, name: str, value: Any) -> Read:
        """What to send under a name: a kind that other values may be tried for, or one value."""
        schema = self.plain(value)
        if _type(schema) == "array" and place not in ("json", "form"):
            # A list in a query is its items, each under the name.
            schema = self.plain(schema.get("items"))
        choices = [each for each in _list(schema.get("enum")) if isinstance(each, str)]
        if choices and len(choices) == len(_list(schema.get("enum"))):
            return Read(place, name, "choice", tuple(choices))
        kind = _KINDS.get(_type(schema), "text")
        found = self._value(schema, name, 0)
        if found == value_of(Read(place, name, kind)):  # type: ignore[arg-type]
            return Read(place, name, kind)  # type: ignore[arg-type]
        other = replace(self, others=True)._value(schema, name, 0)
        return Read(place, name, "value", tuple(dict.fromkeys(map(json.dumps, (found, other)))))

    def _value(self, schema: dict[str, Any], name: str, depth: int) -> Json:
        """A value that fits a schema, with the request's canary wherever a text may be anything."""
        choices = [schema["const"]] if "const" in schema else _list(schema.get("enum"))
        if choices:
            return _json(choices[-1 if self.others else 0])
        kind = _type(schema)
        if kind == "object":
            return {n: self._value(s, n, depth + 1) for n, s in self.members(schema, depth)}
        if kind == "array":
            least = schema.get("minItems")
            inner = self.plain(schema.get("items"), depth)
            count = least if isinstance(least, int) and 0 < least <= _MOST_REFERENCES else 1
            return [self._value(inner, name, depth + 1)] * (count if depth < _DEEPEST else 0)
        if kind in ("integer", "number"):
            return _number(schema, kind, others=self.others)
        if kind in ("boolean", "null"):
            return kind == "boolean" and not self.others
        return _text(schema, name, others=self.others)

    def members(
        self, schema: dict[str, Any], depth: int = 0
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """The members that are sent of an object: all that it has; deep down, what it must have."""
        required = _list(schema.get("required"))
        for name, inner in _dict(schema.get("properties")).items():
            plain = self.plain(inner, depth)
            if plain.get("readOnly") is True or (depth >= _DEEPEST - 2 and name not in required):
                continue
            if depth < _DEEPEST:
                yield name, plain


def _text(schema: dict[str, Any], name: str, *, others: bool) -> Json:
    """A text that fits: with one's own word where any text may be, if only a short one."""
    given = _example(schema)
    form = str(schema.get("format", ""))
    if form in _FORMATS:
        return (others and _OTHER_FORMATS.get(form)) or _FORMATS[form]
    if "pattern" in schema and form != "email":
        return given if isinstance(given, str) else CANARY
    longest, least = schema.get("maxLength"), schema.get("minLength")
    own = str(value_of(Read("json", name)))
    if form == "email" and "@" not in own:
        own = f"{own}@example.com"
    if isinstance(longest, int) and longest < _length(own, _CANARY_LETTERS):
        short = own.replace(USER, SHORT).replace(CANARY, SHORT)
        is_taken = SHORT in short and longest >= _length(short, _SHORT_LETTERS)
        if isinstance(given, str) and not (is_taken and (others or USER in own)):
            return given
        own = short if is_taken else "a" * max(1, min(longest, 3))
    shortest = _length(own, _LEAST_SHORT if SHORT in own else _CANARY_LETTERS)
    missing = least - shortest if isinstance(least, int) else 0
    filling = "a" * max(0, min(missing, 1000))
    # A short word counts as one's own where it stands by itself.
    return f"{own}-{filling}" if SHORT in own and filling else f"{own}{filling}"


def _length(text: str, letters: int) -> int:
    """How long a text is once its placeholders are filled, with so many letters each."""
    return len(_PLACEHOLDER.sub("a" * letters, text))


def _number(schema: dict[str, Any], kind: str, *, others: bool) -> Json:
    """A number within its bounds; of `others`, the next one."""
    value = _PLAIN[_KINDS[kind]]
    step = schema.get("multipleOf", 1 if kind == "integer" else 0.5)
    step = step if _is_number(step) and step > 0 else 1
    lowest = _bound(schema, "minimum", "exclusiveMinimum", step)
    highest = _bound(schema, "maximum", "exclusiveMaximum", -step)
    if lowest is not None and value < lowest:
        value = -(-lowest // step) * step
    if highest is not None and value > highest:
        value = highest // step * step
    if "multipleOf" in schema and value % step:
        value = -(-value // step) * step
    if others:
        value += step if highest is None or value + step <= highest else 0
    return int(value) if kind == "integer" else value


def _bound(schema: dict[str, Any], name: str, exclusive: str, step: float) -> float | None:
    bound, beyond = schema.get(name), schema.get(exclusive)
    if _is_number(beyond):
        return beyond + step
    if not _is_number(bound):
        return None
    # OpenAPI 3.0 says by a flag that the bound itself is out of bounds.
    return bound + step if beyond is True else bound


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _example(schema: dict[str, Any]) -> Any:
    every = [schema.get("example"), *_list(schema.get("examples")), schema.get("default")]
    return next((each for each in every if each is not None), None)


def _type(schema: dict[str, Any]) -> str:
    """What a schema says that values are; of several the first that is no null (OpenAPI 3.1)."""
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((each for each in kind if each != "null"), "null")
    if isinstance(kind, str):
        return kind
    if "properties" in schema:
        return "object"
    return "array" if "items" in schema else ""


def _merged(schema: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    together = {**schema, **more}
    for name, kind in (("properties", dict), ("required", list)):
        parts = [each[name] for each in (schema, more) if isinstance(each.get(name), kind)]
        if len(parts) > 1:
            together[name] = {**parts[0], **parts[1]} if kind is dict else [*parts[0], *parts[1]]
    return together


def _json(value: Any) -> Json:
    # Braces would be taken for a placeholder's.
    return value.replace("{", "").replace("}", "") if isinstance(value, str) else value


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
