"""JSON Schema for values that a reader in `words` reads, and for the short ways to write one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from pydantic import GetJsonSchemaHandler
from pydantic_core import CoreSchema

from ctxsim.cell.checks import GROUPS, TITLES
from ctxsim.cell.plan import CONNECTIONS, WORKER_VARIANTS
from ctxsim.scenario import words

Schema = dict[str, Any]


def _text(pattern: re.Pattern[str] | str, **more: object) -> Schema:
    source = pattern if isinstance(pattern, str) else pattern.pattern
    return {"type": "string", "pattern": f"^(?:{source})$", **more}


def _worker_words() -> str:
    models = [
        model + ("" if model == "sync" else ":[1-9][0-9]{0,5}")
        + (f"(?::(?:{'|'.join(variants)}))?" if variants else "")
        for model, variants in WORKER_VARIANTS.items()
    ]  # fmt: skip
    return "|".join([*models, r"threads:[1-9][0-9]{0,5}\s+x\s+greenlets:[1-9][0-9]{0,5}"])


# What no text that becomes a line of HTTP may hold. ECMA regular expressions know no `\x00-\x1f`
# in all editors, so the class is written with `\u`.
_NO_CONTROL = r"[^\u0000-\u001f\u007f]*"
_WORD = r"[A-Za-z_][A-Za-z0-9_]*"
_DOTTED = rf"{_WORD}(\.{_WORD})*"
_WHERE = "|".join((*words.STORAGES, "app", r"\*"))

APP: Schema = _text(r"[^:\s]+:[^:\s]+")
KIND: Schema = {"enum": list(words.KINDS)}
STORAGE: Schema = {"enum": list(words.STORAGES)}
CODE: Schema = {"enum": list(TITLES)}
CHECK_WORD: Schema = {"enum": [*GROUPS, *TITLES]}
WORKERS: Schema = _text(rf"\s*(?:{_worker_words()})\s*")
CELL_PATTERN: Schema = _text(rf"\*|(?:{_WHERE})/(?:\*|{_worker_words()})")
SHARE: Schema = {
    "anyOf": [
        _text(r"\s*[0-9]{1,3}(\.[0-9]{1,9})?\s*%\s*"),
        {"const": 0},
    ]
}
DURATION: Schema = _text(r"\s*[0-9]{1,9}(\.[0-9]{1,9})?\s*(ms|s|m)\s*")
BUDGET: Schema = {
    "anyOf": [
        {"type": "integer", "minimum": 1},
        _text(r"\s*[1-9][0-9]{0,8}(\s+executions?)?\s*"),
        DURATION,
    ]
}
SCHEDULE_KIND: Schema = {"enum": list(words.SCHEDULES)}
GRANULARITY: Schema = {"enum": list(words.GRANULARITIES)}
MODULE: Schema = _text(_DOTTED)
# What tells users apart stands in braces.
MINE: Schema = _text(r"[\s\S]*\{[\s\S]*")
LATENCY: Schema = _text(r"\s*<=?\s*[0-9]{1,9}(\.[0-9]{1,9})?\s*(ms|s)\s*")
SHARE_LIMIT: Schema = _text(r"\s*[<>]=?\s*[0-9]{1,3}(\.[0-9]{1,9})?\s*%\s*")
SHARED: Schema = _text(rf"/[\s\S]*|{_DOTTED}:{_DOTTED}")
PROBE: Schema = _text(rf"{_DOTTED}:{_DOTTED}")
KEPT: Schema = _text(rf"{_DOTTED}(:{_DOTTED})?")
URL: Schema = _text(r"\s*https?://[^\s\u0000-\u001f\u007f]+\s*")
START: Schema = _text(r"[\s\S]*\S[\s\S]*")
RATE: Schema = _text(r"\s*[0-9]{1,7}(\.[0-9]{1,6})?\s*/\s*(s|m)\s*")
CONNECTION: Schema = {"enum": list(CONNECTIONS)}
UNIQUE: Schema = {"anyOf": [{"type": "boolean"}, {"type": "string", "minLength": 1}]}
VARIABLE: Schema = _text(r"[^=\u0000-\u001f\u007f]+")
NAME: Schema = _text(words.NAME)
TITLE: Schema = _text(r"[^\u0000-\u001f\u007f]{1,200}")
PATH: Schema = _text(f"/{_NO_CONTROL}")
ROUTE: Schema = _text(r"/[^?\u0000-\u001f\u007f]*")
HEADER_NAME: Schema = _text(words.HEADER_NAME)
_CAPTURED = {
    "json": ("A member of the JSON answer; `a.b` reaches into members, `a.0` into lists.", "id"),
    "header": ("A header of the answer.", "Location"),
    "cookie": ("A cookie that the answer sets.", "csrftoken"),
    "field": ("A field of a form, or a `meta` element, by its name.", "csrf_token"),
    "regex": ("What the group matches, in `Location` and the body.", "'/notes/([0-9]+)'"),
}
CAPTURE: Schema = {
    "type": "object",
    "properties": {
        kind: {
            "type": "string",
            "minLength": 1,
            "description": meaning,
            "examples": [example],
        }
        for kind, (meaning, example) in _CAPTURED.items()
    },
    "additionalProperties": False,
    "minProperties": 1,
    "maxProperties": 1,
}
# A number is taken as it is written, so that a PIN keeps its leading zero.
TEXT_OR_NUMBER: Schema = {"type": ["string", "number"]}
HEADER_TEXT: Schema = {"anyOf": [_text(_NO_CONTROL), {"type": "number"}]}


@dataclass(frozen=True, slots=True)
class AlsoAccepts:
    """Besides what its type says, a value may be written in these other ways."""

    ways: tuple[Schema, ...]

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> Schema:
        return {"anyOf": [*self.ways, handler(core_schema)]}


@dataclass(frozen=True, slots=True)
class OneOrMany:
    """A list that may be written as its only item; `words` are accepted besides."""

    words: tuple[str, ...] = ()

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> Schema:
        many = handler(core_schema)
        accepted = [many["items"], many]
        return {"anyOf": [{"enum": list(self.words)}, *accepted] if self.words else accepted}


@dataclass(frozen=True, slots=True)
class ExpectationWays:
    """The three ways to write what is meant to be found; the model's own two keys are none."""

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> Schema:
        codes: Schema = {"type": "array", "items": CODE, "minItems": 1}
        either: Schema = {"anyOf": [{"const": "clean"}, CODE, codes]}
        per_cell: Schema = {
            "type": "object",
            "propertyNames": CELL_PATTERN,
            "additionalProperties": either,
            "minProperties": 1,
        }
        return {"anyOf": [*either["anyOf"], per_cell]}
