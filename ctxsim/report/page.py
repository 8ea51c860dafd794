"""The result as one page of HTML, which needs nothing else and asks no network for anything.

It has no script. What an application answered, named or raised is text and nothing else: Jinja
escapes all of it, and what is no visible character is written as an escape, as on a terminal.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from ctxsim.report.document import CellResult, Document
from ctxsim.report.lanes import meaning, parts
from ctxsim.report.lines import harmless, printable
from ctxsim.report.matrix import words

_PAGE = Path(__file__).with_name("page.html")


def render(documents: Sequence[Document]) -> bytes:
    """The page of a run, in UTF-8; scenarios one after the other."""
    return _template().render(documents=documents).encode()


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(_PAGE.parent),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        facts=_facts, matrix=_matrix, meaning=meaning, parts=parts, words=_words, harmless=harmless
    )
    return environment.get_template(_PAGE.name)


def _shown(value: object) -> object:
    """All that is put into the page passes here, before it is escaped."""
    if not isinstance(value, str):
        return value
    return value if value.isprintable() else "\n".join(map(printable, value.split("\n")))


def _words(cell: CellResult) -> list[str]:
    return words(cell, marked=False)


def _matrix(cells: Sequence[CellResult]) -> dict[str, dict[str, CellResult]]:
    """By workers, then by storage."""
    table: dict[str, dict[str, CellResult]] = {}
    for cell in cells:
        table.setdefault(cell.workers, {})[cell.storage] = cell
    return table


def _facts(environment: Mapping[str, Any]) -> dict[str, str]:
    """Each fact as one text; what consists of several, as JSON."""
    return {
        name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in environment.items()
    }
