"""The types of a scenario's values: how each is read, and how the JSON Schema describes it.

What may be written in a short way (one word instead of a list, `none` instead of a mapping) is
brought into its full form here, before pydantic looks at it.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PlainValidator, Strict, WithJsonSchema

from ctxsim.cell.checks import TITLES
from ctxsim.cell.plan import CONNECTIONS, Workers
from ctxsim.scenario import schema_parts as parts
from ctxsim.scenario import server_words, texts, words
from ctxsim.scenario.texts import Captured


def _listed(value: object) -> object:
    return value if isinstance(value, list | tuple) else [value]


def _check_word(value: object) -> str:
    return "all" if value == "all" else words.check_word(value)


def faults_by_name(value: object) -> object:
    """The faults as a mapping; `none` is one without any."""
    if value == "none":
        return {"error": 0, "abort": 0, "cancel": 0}
    if isinstance(value, str):
        raise words.WordError(
            f"must be none or a mapping, not {words.shown(value)}",
            "write  faults: none  or  faults: {error: 2%, abort: 2%, cancel: 1%}",
        )
    return value


def connections_by_name(value: object) -> object:
    """The ways in which requests go over the wire as a list; `all` and `none` are short."""
    if value in ("all", "none"):
        return list(CONNECTIONS) if value == "all" else []
    return _listed(value)


def schedule_by_kind(value: object) -> object:
    """The schedule as a mapping; a word is its kind."""
    return {"kind": value} if isinstance(value, str) else value


def expectation_by_scope(value: object) -> object:
    """The expectation under the name of its scope: all cells together, or each cell."""
    return {"cells" if isinstance(value, dict) else "overall": value}


def _codes(value: object) -> object:
    if value == "clean":
        return []
    if value == []:
        raise words.WordError("names no code", "write clean, or a list of codes: [CTX201]")
    if isinstance(value, str) and value not in TITLES:
        raise words.WordError(
            f"must be clean or a list of codes, not {words.shown(value)}",
            words.did_you_mean(value, ("clean", *TITLES)) or "write clean, or [CTX201]",
        )
    return _listed(value)


AppText = Annotated[str, PlainValidator(words.app), WithJsonSchema(parts.APP)]
StorageWord = Annotated[str, PlainValidator(words.storage), WithJsonSchema(parts.STORAGE)]
TargetKind = Literal["auto", "runtime", "wsgi", "asgi", "http"]
KindWord = Annotated[TargetKind, PlainValidator(words.kind), WithJsonSchema(parts.KIND)]
WorkersWord = Annotated[Workers, PlainValidator(words.workers), WithJsonSchema(parts.WORKERS)]
CodeWord = Annotated[str, PlainValidator(words.code), WithJsonSchema(parts.CODE)]
CheckWord = Annotated[str, PlainValidator(_check_word), WithJsonSchema(parts.CHECK_WORD)]
CellPattern = Annotated[str, PlainValidator(words.cell_pattern), WithJsonSchema(parts.CELL_PATTERN)]
ScheduleKind = Annotated[
    words.ScheduleKind,
    PlainValidator(words.schedule_kind),
    WithJsonSchema(parts.SCHEDULE_KIND),
]
GranularityWord = Annotated[
    Literal["line", "opcode"],
    PlainValidator(words.granularity),
    WithJsonSchema(parts.GRANULARITY),
]
BudgetWord = Annotated[words.Budget, PlainValidator(words.budget), WithJsonSchema(parts.BUDGET)]
ModuleWord = Annotated[str, PlainValidator(words.module), WithJsonSchema(parts.MODULE)]
Share = Annotated[float, PlainValidator(words.share), WithJsonSchema(parts.SHARE)]
Seconds = Annotated[float, PlainValidator(words.duration_s), WithJsonSchema(parts.DURATION)]
SharedWord = Annotated[str, PlainValidator(words.shared), WithJsonSchema(parts.SHARED)]
ProbeWord = Annotated[str, PlainValidator(words.probe), WithJsonSchema(parts.PROBE)]
KeptWord = Annotated[str, PlainValidator(words.kept), WithJsonSchema(parts.KEPT)]
Url = Annotated[str, PlainValidator(server_words.url), WithJsonSchema(parts.URL)]
Command = Annotated[str, PlainValidator(server_words.start), WithJsonSchema(parts.START)]
Rate = Annotated[float, PlainValidator(server_words.rate_per_s), WithJsonSchema(parts.RATE)]
ConnectionWord = Annotated[
    str, PlainValidator(server_words.connection), WithJsonSchema(parts.CONNECTION)
]
Unique = Annotated[str | None, PlainValidator(words.unique), WithJsonSchema(parts.UNIQUE)]
VariableName = Annotated[str, PlainValidator(words.variable_name), WithJsonSchema(parts.VARIABLE)]
Name = Annotated[str, PlainValidator(texts.name), WithJsonSchema(parts.NAME)]
Title = Annotated[str, PlainValidator(texts.title), WithJsonSchema(parts.TITLE)]
PathText = Annotated[str, PlainValidator(texts.path), WithJsonSchema(parts.PATH)]
RouteText = Annotated[str, PlainValidator(texts.route), WithJsonSchema(parts.ROUTE)]
CaptureWay = Annotated[Captured, PlainValidator(texts.capture), WithJsonSchema(parts.CAPTURE)]
HeaderName = Annotated[str, PlainValidator(texts.header_name), WithJsonSchema(parts.HEADER_NAME)]
HeaderText = Annotated[str, PlainValidator(texts.header), WithJsonSchema(parts.HEADER_TEXT)]
WrittenText = Annotated[str, PlainValidator(texts.written), WithJsonSchema(parts.TEXT_OR_NUMBER)]
Status = Annotated[int, Field(ge=100, le=599)]
Filled = Annotated[str, Field(min_length=1)]
# YAML gives lists; a frozen model keeps tuples.
Many = Strict(False)
_NOT_EMPTY = Field(min_length=1)
_SHORT = BeforeValidator(_listed)
_EITHER = parts.OneOrMany()
ModuleWords = Annotated[tuple[ModuleWord, ...], Many, _NOT_EMPTY, _SHORT, _EITHER]
Texts = Annotated[tuple[Filled, ...], Many, _NOT_EMPTY, _SHORT, _EITHER]
MineText = Annotated[str, Field(min_length=1), WithJsonSchema(parts.MINE)]
MineTexts = Annotated[tuple[MineText, ...], Many, _NOT_EMPTY, _SHORT, _EITHER]
Statuses = Annotated[tuple[Status, ...], Many, _NOT_EMPTY, _SHORT, _EITHER]
Paths = Annotated[tuple[Filled, ...], Many, _SHORT, _EITHER]
StorageWords = Annotated[tuple[StorageWord, ...], Many, _NOT_EMPTY, _SHORT, _EITHER]
WorkersWords = Annotated[tuple[WorkersWord, ...], Many, _NOT_EMPTY, _SHORT, _EITHER]
ConnectionWords = Annotated[
    tuple[ConnectionWord, ...],
    Many,
    BeforeValidator(connections_by_name),
    parts.OneOrMany(("all", "none")),
]
CheckWords = Annotated[tuple[CheckWord, ...], Many, _NOT_EMPTY, _SHORT, parts.OneOrMany(("all",))]
Codes = Annotated[tuple[CodeWord, ...], Many, BeforeValidator(_codes), parts.OneOrMany(("clean",))]
