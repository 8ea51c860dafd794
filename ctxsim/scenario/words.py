"""The small languages inside of a scenario's values: shares, durations, thresholds, workers, codes.

Each reader takes what stands in the file and gives a value, or raises WordError with what was
expected and what to write instead.
"""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, cast

from ctxsim.cell.checks import GROUPS, TITLES
from ctxsim.cell.plan import WORKER_VARIANTS, Workers

STORAGES = ("contextvar", "greenlet", "thread", "ident", "shared")
MAX_IN_FLIGHT = 100_000
MAX_DURATION_S = 86_400.0
_SHOWN_LENGTH = 40
_WHOLE = 100.0  # per cent

# What people call the worker models elsewhere.
_MODEL_ALIASES = {
    "asyncio": "tasks",
    "async": "tasks",
    "coroutines": "tasks",
    "uvicorn": "tasks",
    "gevent": "greenlets",
    "eventlet": "greenlets",
    "gthread": "threads",
    "threading": "threads",
    "waitress": "threads",
    "single": "sync",
}

ScheduleKind = Literal["os", "auto", "random", "pct", "exhaustive", "replay"]
KINDS = ("auto", "runtime", "wsgi", "asgi", "http")

# Who chooses who goes next.
SCHEDULES = ("os", "auto", "random", "pct", "exhaustive", "replay")
GRANULARITIES = ("line", "opcode")

EXECUTIONS = re.compile(r"([1-9]\d{0,8})(?:\s+executions?)?")
SHARE = re.compile(r"(\d{1,3}(?:\.\d{1,9})?)\s*%")
DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s*(ms|s|m)")
LATENCY_LIMIT = re.compile(r"(<=?)\s*(\d{1,9}(?:\.\d{1,9})?)\s*(ms|s)")
SHARE_LIMIT = re.compile(r"([<>]=?)\s*(\d{1,3}(?:\.\d{1,9})?)\s*%")
APP = re.compile(r"[^:\s]+:[^\W\d]\w*(\.[^\W\d]\w*)*(\(\))?")
OBJECT = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")
MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
VARIABLE = re.compile(r"[^=\x00-\x1f\x7f]+")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
CONTROL = re.compile(r"[\x00-\x1f\x7f]")

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0}


class WordError(ValueError):
    """A value is not what its key needs. The message goes on from the key's name."""

    def __init__(self, message: str, suggestion: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.suggestion = suggestion


@dataclass(frozen=True, slots=True)
class Budget:
    """How long a search goes on: so many executions, or seconds."""

    executions: int | None = None
    duration_s: float | None = None


@dataclass(frozen=True, slots=True)
class Threshold:
    """A limit on one number of a run: seconds for latencies, a share from 0 to 1 otherwise."""

    metric: str
    relation: Literal["<", "<=", ">", ">="]
    limit: float
    text: str

    def holds(self, value: float) -> bool:
        """Whether `value` (seconds, or a share from 0 to 1) keeps the limit."""
        relations = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
        return bool(relations[self.relation](value, self.limit))


def shown(value: object) -> str:
    """A value as a message shows it: what kind it is, and the value where it is short."""
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "empty"
    if isinstance(value, str):
        return f"the text '{clipped(value)}'"
    if isinstance(value, int | float):
        return f"the number {value}"
    return "a list" if isinstance(value, list | tuple) else "a mapping"


def clipped(text: str) -> str:
    """A text short enough for a message, on one line."""
    line = CONTROL.sub(" ", text)
    return line if len(line) <= _SHOWN_LENGTH else f"{line[:_SHOWN_LENGTH]}..."


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """The suggestion for a word that is not known, None where nothing is close."""
    by_small_letters = {each.lower(): each for each in known}
    close = difflib.get_close_matches(word[:80].lower(), by_small_letters, n=1, cutoff=0.6)
    return f"did you mean '{by_small_letters[close[0]]}'?" if close else None


def share(value: object) -> float:
    """A share of all requests, from 0 to 1, written `2%`."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _plain_share(value)
    found = SHARE.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise WordError(f"must be a percentage, not {shown(value)}", "write for example 2%")
    if float(found[1]) > _WHOLE:
        raise WordError(f"cannot be {value}; all requests are 100%", "write at most 100%")
    return float(found[1]) / _WHOLE


def _plain_share(value: float) -> float:
    if value == 0:
        return 0.0
    # `0.5` might be half of one percent as well as half of all requests; the difference is too
    # large to guess.
    meant = f"{value * _WHOLE:g}%" if 0 < value < 1 else f"{value}%" if value <= _WHOLE else "2%"
    meant = meant if value > 0 else "2%"
    raise WordError(f"must be a percentage, not the number {value}", f"did you mean {meant}?")


def duration_s(value: object) -> float:
    """A duration in seconds, written `30s`, `500ms` or `2m`."""
    found = DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        hint = f"did you mean {value}s?" if number else "write for example 30s, 500ms or 2m"
        raise WordError(f"must be a duration with its unit, not {shown(value)}", hint)
    seconds = float(found[1]) * _SECONDS[found[2]]
    if not 0 < seconds <= MAX_DURATION_S:
        raise WordError(f"must be more than nothing and at most a day, not {value}", "write 30s")
    return seconds


def budget(value: object) -> Budget:
    """How long a search goes on, written `2000 executions`, `2000` or `60s`."""
    if isinstance(value, Budget):
        return value
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    found = EXECUTIONS.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is not None:
        return Budget(executions=int(found[1]))
    try:
        return Budget(duration_s=duration_s(value))
    except WordError as error:
        raise WordError(
            f"must be a number of executions or a duration, not {shown(value)}",
            "write for example 2000 executions, or 60s",
        ) from error


def schedule_kind(value: object) -> ScheduleKind:
    """Who chooses who goes next: one of SCHEDULES."""
    return cast(ScheduleKind, _one_of(value, SCHEDULES))


def granularity(value: object) -> Literal["line", "opcode"]:
    """Where workers can be made to stop: before each line, or each opcode."""
    return cast(Literal["line", "opcode"], _one_of(value, GRANULARITIES))


def module(value: object) -> str:
    """The name of a module or package, as it is imported."""
    if isinstance(value, str) and MODULE.fullmatch(value):
        return value
    raise WordError(f"must be the name of a module, not {shown(value)}", "write for example shop")


def latency_threshold(metric: str, value: object) -> Threshold:
    """An upper limit of a latency, written `< 250ms`."""
    found = LATENCY_LIMIT.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise WordError(f"must be a limit of a latency, not {shown(value)}", 'write "< 250ms"')
    limit_s = float(found[2]) * _SECONDS[found[3]]
    return Threshold(metric, _relation(found[1]), limit_s, str(value).strip())


def share_threshold(metric: str, value: object) -> Threshold:
    """A limit of a share, written `>= 99%`."""
    example = '">= 99%"' if metric == "checked" else '"<= 1%"'
    found = SHARE_LIMIT.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None or float(found[2]) > _WHOLE:
        raise WordError(f"must be a limit of a percentage, not {shown(value)}", f"write {example}")
    return Threshold(metric, _relation(found[1]), float(found[2]) / _WHOLE, str(value).strip())


def _relation(text: str) -> Literal["<", "<=", ">", ">="]:
    return "<=" if text == "<=" else ">=" if text == ">=" else "<" if text == "<" else ">"


def workers(value: object) -> Workers:
    """Who carries requests, from a word such as `threads:8`."""
    if isinstance(value, Workers):
        return value
    if isinstance(value, dict) and len(value) == 1:
        [(model, count)] = value.items()
        raise WordError(
            "must be a word, not a mapping", f'did you mean "{model}:{count}", without the space?'
        )
    if not isinstance(value, str):
        raise WordError(
            f"must be a word, not {shown(value)}", 'write for example sync or "threads:8"'
        )
    _check_model(value)
    try:
        parsed = Workers.parse(value)
    except ValueError as error:
        raise WordError(f"is not right: {error}", _nearest_variant(value)) from error
    if parsed.in_flight > MAX_IN_FLIGHT:
        raise WordError(f"cannot carry more than {MAX_IN_FLIGHT:,} requests at once", "write fewer")
    return parsed


def _check_model(word: str) -> None:
    model, _, rest = word.strip().partition(":")
    if model in WORKER_VARIANTS:
        _check_digits(word)
        return
    count = rest if rest[:1].isdigit() else "8"
    meant = _MODEL_ALIASES.get(model.lower())
    if meant is None:
        close = difflib.get_close_matches(model[:80].lower(), WORKER_VARIANTS, n=1, cutoff=0.6)
        meant = close[0] if close else None
    if meant is None:
        hint = "write sync, threads:8, greenlets:200, tasks:200 or threads:4 x greenlets:250"
    else:
        hint = f"did you mean '{meant if meant == 'sync' else f'{meant}:{count}'}'?"
    raise WordError(f"holds {shown(word)}, which is no kind of workers", hint)


def _check_digits(word: str) -> None:
    if re.search(r"\d{7}", word):
        raise WordError(f"cannot carry more than {MAX_IN_FLIGHT:,} requests at once", "write fewer")


def _nearest_variant(word: str) -> str | None:
    model, _, rest = word.strip().partition(":")
    count, _, variant = rest.partition(":")
    if not variant:
        return None
    return did_you_mean(word, [f"{model}:{count}:{each}" for each in WORKER_VARIANTS[model]])


def version(value: object) -> int:
    """The version of the format."""
    if isinstance(value, int | float) and not isinstance(value, bool) and value == 1:
        return 1
    raise WordError(f"must be 1, not {shown(value)}", "write  version: 1")


def storage(value: object) -> str:
    """Where the runtime keeps contexts: one of STORAGES."""
    return _one_of(value, STORAGES)


def _one_of(value: object, known: tuple[str, ...]) -> str:
    if isinstance(value, str) and value in known:
        return value
    hint = did_you_mean(value, known) if isinstance(value, str) else None
    raise WordError(f"must be one of {', '.join(known)}, not {shown(value)}", hint)


def kind(value: object) -> Literal["auto", "runtime", "wsgi", "asgi", "http"]:
    """What a target is."""
    return cast(Literal["auto", "runtime", "wsgi", "asgi", "http"], _one_of(value, KINDS))


def code(value: object) -> str:
    """A finding code that this version can find."""
    if isinstance(value, str) and value in TITLES:
        return value
    return _unknown_code(value, tuple(TITLES), "a finding code such as CTX201")


def check_word(value: object) -> str:
    """A finding code, or a group of them."""
    if isinstance(value, str) and (value in TITLES or value in GROUPS):
        return value
    groups = ", ".join(GROUPS)
    return _unknown_code(value, (*GROUPS, *TITLES), f"a finding code or a group ({groups})")


def _unknown_code(value: object, known: tuple[str, ...], expected: str) -> str:
    hint = did_you_mean(value, known) if isinstance(value, str) else None
    raise WordError(f"must be {expected}, not {shown(value)}", hint or "see: ctxsim explain")


def app(value: object) -> str:
    """An import string: `module:attribute`, or `path/to/file.py:attribute`, `()` for a factory."""
    if not isinstance(value, str):
        raise WordError(f"must be an import string, not {shown(value)}", "write shop.wsgi:app")
    if value.startswith(("http://", "https://")):
        raise WordError("cannot be a URL", f"write  {{kind: http, url: {clipped(value)}}}")
    if APP.fullmatch(value):
        return value
    hint = f"did you mean {value}:app?" if re.fullmatch(r"[\w./-]+", value) else None
    raise WordError(
        f"must be module:attribute or path/to/file.py:attribute, not {shown(value)}",
        hint or "write shop.wsgi:app, or shop.wsgi:create_app() for a factory",
    )


def shared(value: object) -> str:
    """What is meant to be shared: a route, or an object as `module:attribute`."""
    if isinstance(value, str) and (value.startswith("/") or OBJECT.fullmatch(value)):
        return value
    hint = f"did you mean '/{value}'?" if isinstance(value, str) and NAME.fullmatch(value) else None
    raise WordError(
        f"must be a route or module:attribute, not {shown(value)}",
        hint or 'write "/wall" or "shop.cache:PUBLIC"',
    )


def probe(value: object) -> str:
    """A function to call inside of requests, as `module:attribute`."""
    if isinstance(value, str) and OBJECT.fullmatch(value):
        return value
    raise WordError(
        f"must be a function as module:attribute, not {shown(value)}",
        'write for example "shop.auth:current_name"',
    )


def kept(value: object) -> str:
    """What is meant to keep values: a module, or an object or class as `module:attribute`."""
    if isinstance(value, str) and (MODULE.fullmatch(value) or OBJECT.fullmatch(value)):
        return value
    raise WordError(
        f"must be a module or module:attribute, not {shown(value)}",
        'write for example "shop.store" or "shop.store:ORDERS"',
    )


def unique(value: object) -> str | None:
    """What no other answer may have: the member's path, "" for the whole answer, None for none."""
    if isinstance(value, bool):
        return "" if value else None
    if isinstance(value, str) and value:
        return value
    raise WordError(
        f"must be true or the name of a member, not {shown(value)}", "write  unique: true"
    )


def variable_name(value: object) -> str:
    """The name of an environment variable."""
    if isinstance(value, str) and VARIABLE.fullmatch(value):
        return value
    raise WordError(
        f"names no environment variable with {shown(value)}", "write for example DATABASE_URL"
    )


def cell_pattern(value: object) -> str:
    """Which cells an expectation is for: `storage/workers`, with `*` for either, or `*` for all."""
    if value == "*":
        return "*"
    where, slash, who = value.partition("/") if isinstance(value, str) else ("", "", "")
    if not slash:
        raise WordError(
            f"names no cell with {shown(value)}; a cell is storage/workers",
            'write "contextvar/threads:8", "*/sync" or "*"',
        )
    if where != "*":
        _one_of(where, (*STORAGES, "app"))
    return f"{where}/{who if who == '*' else workers(who).word}"
