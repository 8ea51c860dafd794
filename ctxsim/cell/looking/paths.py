"""Paths of rules, in the notations that frameworks have, with placeholders for their arguments."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ctxsim.cell.looking.likely import HOW_MANY, likely

# What is put for an argument, by the framework's name for what it may be.
NUMBER, CANARY = "{user.number}", "{canary}"
FILLED = {
    "int": NUMBER,
    "integer": NUMBER,
    "float": NUMBER + ".5",
    "number": NUMBER,
    "uuid": "{user.uuid}",
    "path": CANARY + "/x",
    "string": CANARY,
    "default": CANARY,
    "str": CANARY,
    "slug": CANARY,
    "re": CANARY,
    "": CANARY,
}
_ARGUMENT = re.compile(r"<(?:([^<>:(]+)(\([^<>]*\))?:)?([^<>]+)>")
_FILTER = re.compile(r"<(\w*)(?::(\w+)(?::([^<>]*))?)?>")
BRACES = re.compile(r"\{([^{}:]+)(?::([^{}]+))?\}")


def of_rule(rule: str) -> str:
    """A path of Werkzeug's rules and of Django's, with placeholders for its arguments."""
    return _ARGUMENT.sub(_filled_argument, rule)


def _filled_argument(found: re.Match[str]) -> str:
    converter, options = (found[1] or "").strip(), found[2] or ""
    if converter == "any":
        return options.strip("()").split(",")[0].strip("'\" ")
    return FILLED.get(converter, CANARY)


def of_filters(rule: str) -> str:
    """A path of Bottle's rules, which write the name first: `<name:int>`, `<name:re:[a-z]+>`."""
    return _FILTER.sub(_filtered, rule)


def _filtered(found: re.Match[str]) -> str:
    if found[2] == "re" and found[3]:
        return _of_group(found[3])
    return FILLED.get(found[2] or "", CANARY)


def of_braces(path: str) -> str:
    """A path of Starlette's and OpenAPI's kind."""
    return BRACES.sub(lambda found: FILLED.get(found[2] or "", CANARY), path)


_PLACEHOLDER = re.compile(r"\{[\w.]+\}")


def likely_paths(path: str, names: Sequence[str]) -> tuple[str, ...]:
    """A path with what the names of its arguments suggest; none where they suggest nothing."""
    placeholders = _PLACEHOLDER.findall(path)
    if len(names) != len(placeholders):
        return ()
    texts = [likely(n) if p == CANARY else () for n, p in zip(names, placeholders, strict=True)]
    if not any(texts):
        return ()
    return tuple(_with_texts(path, texts, nth) for nth in range(HOW_MANY))


def _with_texts(path: str, texts: Sequence[tuple[str, ...]], nth: int) -> str:
    left = iter(texts)

    def filled(found: re.Match[str]) -> str:
        suggested = next(left)
        return suggested[nth] if suggested else found[0]

    return _PLACEHOLDER.sub(filled, path)


def is_filled(path: str) -> bool:
    """Whether a path is one, and holds no part of a pattern that could not be filled."""
    rest = path
    for placeholder in (CANARY, *FILLED.values()):
        rest = rest.replace(placeholder, "")
    return path.startswith("/") and rest.isprintable() and not set(rest) & set("{}?#<>()[]*\\^$|")


_GROUP = re.compile(r"\((?:\?P<\w+>|\?:)?((?:[^()\\]|\\.)*)\)[*+?]?")


def of_regex(pattern: str) -> str:
    """A path that a regular expression of a route may take; the simple ones that routes have."""
    text = pattern.removeprefix("^").removesuffix("$").removesuffix(r"\Z").removeprefix("/")
    text = _GROUP.sub(lambda found: _of_group(found[1]), text)
    return text.replace("/?", "/").replace("\\", "")


def _of_group(inner: str) -> str:
    if re.fullmatch(r"(\\d|\[0-9\])(\+|\*|\{.*\})?", inner):
        # Years and months, where as many digits are asked for.
        width = re.search(r"\{(\d+)", inner)
        return "1".rjust(int(width[1]), "0") if width else NUMBER
    if "|" in inner and not set(inner) & set("[\\"):
        return inner.split("|")[0]
    return CANARY
