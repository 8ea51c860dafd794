"""A shorter way to views whose path has plain variable parts: one regular expression per method.

Werkzeug's matcher walks a state machine, because rules may compete for a path. Most do not: where
no other rule can take any of a rule's paths, it does not matter in which order they are tried. Such
rules are compiled here. All others, and every path that nothing here fits, are Werkzeug's business:
only it says which of several rules wins, or that there is none. tests/runtime/test_matching.py
holds the two beside each other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from werkzeug.routing import (
    FloatConverter,
    IntegerConverter,
    Map,
    Rule,
    UnicodeConverter,
    UUIDConverter,
)

# A whole segment that is one variable part; what stands before the colon names its converter.
_VARIABLE = re.compile(r"<(?:[^<>]*:)?([A-Za-z_]\w*)>", re.ASCII)
# Exactly these classes: a class derived from them may read its text in another way.
_PLAIN = frozenset({FloatConverter, IntegerConverter, UnicodeConverter, UUIDConverter})

Convert = Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class _Variable:
    name: str
    pattern: str
    convert: Convert


Segment = str | _Variable


@dataclass(frozen=True, slots=True)
class _Shape:
    """The paths that `rule` may take, and perhaps more; `is_open` where any text may follow."""

    rule: Rule
    segments: tuple[Segment, ...]
    is_open: bool


@dataclass(frozen=True, slots=True)
class _Lead:
    """Which rule a match stands for, and where its arguments are: name, group, converter."""

    rule: Rule
    arguments: tuple[tuple[str, int, Convert], ...]


class PlainRules:
    """The rules of `url_map` that can be matched without Werkzeug."""

    def __init__(self, url_map: Map) -> None:
        shapes = [_shape_of(rule) for rule in url_map.iter_rules()]
        usual = [shape for shape in shapes if _is_usual(shape, url_map)]
        # All methods that rules name, and not those that clients send, which would pile up.
        methods = {method for shape in usual for method in shape.rule.methods or ()}
        self._by_method = {
            method: _Alternatives([one for one in usual if _is_alone(one, method, shapes)])
            for method in methods
        }

    def find(self, method: str, path: str) -> tuple[Rule, dict[str, Any]] | None:
        """Give the rule and its arguments; None where Werkzeug has to be asked."""
        alternatives = self._by_method.get(method)
        return None if alternatives is None else alternatives.find(path)


class _Alternatives:
    """Rules of which at most one can take a path."""

    def __init__(self, shapes: Sequence[_Shape]) -> None:
        # By the number of the last group, which tells which alternative it was.
        self._leads: dict[int, _Lead] = {}
        texts = [self._add(shape) for shape in shapes]
        # Without a rule there is nothing to fit: (?!) fits nowhere.
        self._match = re.compile("|".join(texts) or "(?!)").fullmatch

    def _add(self, shape: _Shape) -> str:
        group = max(self._leads, default=0)
        arguments, texts = [], []
        for segment in shape.segments:
            if isinstance(segment, str):
                texts.append(re.escape(segment))
                continue
            group += 1
            arguments.append((segment.name, group, segment.convert))
            texts.append(f"({segment.pattern})")
        self._leads[group] = _Lead(shape.rule, tuple(arguments))
        return "/" + "/".join(texts)

    def find(self, path: str) -> tuple[Rule, dict[str, Any]] | None:
        found = self._match(path)
        # Every alternative has a group, because a rule without variable parts is not plain.
        if found is None or found.lastindex is None:
            return None
        lead = self._leads[found.lastindex]
        try:
            return lead.rule, {name: read(found[group]) for name, group, read in lead.arguments}
        except ValueError:
            # A number out of its bounds, for instance: what the client then gets is Werkzeug's.
            return None


def _shape_of(rule: Rule) -> _Shape:
    segments: list[Segment] = []
    for text in rule.rule.removeprefix("/").split("/"):
        segment = _segment(rule, text)
        if segment is None:
            return _Shape(rule, tuple(segments), is_open=True)
        segments.append(segment)
    return _Shape(rule, tuple(segments), is_open=False)


def _segment(rule: Rule, text: str) -> Segment | None:
    if "<" not in text and ">" not in text:
        return text
    found = _VARIABLE.fullmatch(text)
    converter: Any = None if found is None else rule._converters.get(found[1])
    if found is None or type(converter) not in _PLAIN:
        return None
    return _Variable(found[1], converter.regex, _reader(converter))


def _reader(converter: Any) -> Convert:
    if type(converter) is UnicodeConverter:
        return str
    if type(converter) is IntegerConverter:
        limits = converter.fixed_digits, converter.min, converter.max
        if limits == (0, None, None):
            return int
    convert: Convert = converter.to_python
    return convert


def _is_usual(shape: _Shape, url_map: Map) -> bool:
    rule = shape.rule
    unusual = (
        shape.is_open,
        not rule.arguments,
        rule.methods is None,
        rule.websocket,
        rule.build_only,
        rule.alias,
        rule.redirect_to is not None,
        # Below a host or subdomain the path is only the second thing that is looked at.
        url_map.host_matching,
        rule.subdomain,
        rule.host,
        # Werkzeug merges slashes in rules too.
        "" in shape.segments[:-1],
        # A path that spells out another rule's defaults is redirected there.
        any(other.defaults for other in url_map.iter_rules(rule.endpoint)),
    )
    return not any(unusual)


def _is_alone(shape: _Shape, method: str, shapes: Sequence[_Shape]) -> bool:
    if not _serves(shape, method):
        return False
    rivals = (other for other in shapes if other is not shape and _serves(other, method))
    return not any(_may_meet(shape, rival) for rival in rivals)


def _serves(shape: _Shape, method: str) -> bool:
    methods = shape.rule.methods
    return methods is None or method in methods


def _may_meet(one: _Shape, other: _Shape) -> bool:
    # A slash at the end is left out, because Werkzeug also looks at what it would lead to.
    first, second = _without_last_slash(one.segments), _without_last_slash(other.segments)
    if len(first) != len(second) and not (one.is_open or other.is_open):
        return False
    return all(_may_be_same(*pair) for pair in zip(first, second, strict=False))


def _without_last_slash(segments: tuple[Segment, ...]) -> tuple[Segment, ...]:
    return segments[:-1] if segments and segments[-1] == "" else segments


def _may_be_same(one: Segment, other: Segment) -> bool:
    if isinstance(one, str) and isinstance(other, str):
        return one == other
    if isinstance(one, _Variable) and isinstance(other, _Variable):
        return True
    variable, text = (one, other) if isinstance(one, _Variable) else (other, one)
    assert isinstance(variable, _Variable)
    assert isinstance(text, str)
    return re.fullmatch(variable.pattern, text) is not None
