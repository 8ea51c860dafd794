"""The isolation matrix: which storage keeps requests apart under which workers, at a glance."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from ctxsim.cell.checks import SEVERITY, TITLES
from ctxsim.report.document import CLEAN, CellResult, Document, some_failed
from ctxsim.report.lines import WIDTH, Page, Tone, wrapped
from ctxsim.report.text import header, summary, verdict_line

_INDENT = 2
_GAP = 2
_NARROWEST = 7
_UNSURE = "?"
_UNEXPECTED = "!"
_MISSING = "-"
_MEANINGS = {
    "clean": "every value that came back was the request's own",
    _UNSURE: "inconclusive: nothing or too little was compared, or most requests failed",
    "crash": "the interpreter crashed",
    "exit": "the application ended its process",
    "hang": "no request ended for too long",
    "refused": "a search cannot control what requests wait for",
    "memory": "the process used too much memory",
    "flood": "the application wrote too much output",
    "import": "the application could not be imported",
    "stopped": "ended before its last request",
    "fault": "a fault of ctxsim's own",
}
_MARKS = {
    _UNEXPECTED: "after a code: the scenario does not expect it there",
    _MISSING: "before a code: the scenario expects it there, and it did not show",
}


def render(document: Document, *, color: bool = False, unicode: bool = True) -> str:
    """The table, what its words mean, and the verdict, in lines of at most 80 columns."""
    page = Page(color, unicode)
    header(page, document)
    # Where all is meant to be clean, every code is unexpected: marks would say nothing.
    shown = {
        cell.name: words(cell, marked=document.expect.said != CLEAN) for cell in document.cells
    }
    _table(page, document.cells, shown)
    _legend(page, document.cells, shown)
    # Beside a code, failing requests are what the finding did; dozens of cells would each say so.
    summary(page, document, set(_failures_of_findings(document.cells)))
    page.add_command("stories:", document.replay)
    verdict_line(page, document)
    return page.text


def _failures_of_findings(cells: Iterable[CellResult]) -> Iterator[str]:
    for cell in cells:
        if cell.codes:
            yield some_failed(cell.name, cell.requests, cell.failed, cell.failures)


def short(code: str) -> str:
    return code.removeprefix("CTX")


def words(cell: CellResult, *, marked: bool = False) -> list[str]:
    """What stands in a cell of the table."""
    found = sorted(cell.codes, key=SEVERITY.index)
    unexpected = cell.unexpected if marked else ()
    shown = [short(code) + (_UNEXPECTED if code in unexpected else "") for code in found]
    shown += [_MISSING + short(code) for code in cell.missing]
    if cell.ending is not None:
        shown.append(cell.ending.kind)
    elif cell.verdict == "inconclusive":
        shown.append(_UNSURE)
    return shown or ["clean"]


Shown = Mapping[str, Sequence[str]]


def _table(page: Page, cells: Sequence[CellResult], shown: Shown) -> None:
    storages = list(dict.fromkeys(cell.storage for cell in cells))
    workers = list(dict.fromkeys(cell.workers for cell in cells))
    first = max([len("workers"), *map(len, workers)])
    room = WIDTH - _INDENT - first
    for some in _side_by_side(storages, room):
        widths = [first, *_widths(some, cells, shown, room)]
        page.add(_line(["workers", *some], widths), indent=_INDENT, tone="quiet")
        for each in workers:
            row = [_of(cells, storage, each) for storage in some]
            _row(page, each, row, shown, widths)
        page.add()


def _narrowest(storage: str) -> int:
    return max(_NARROWEST, len(storage))


def _side_by_side(storages: Iterable[str], room: int) -> Iterator[list[str]]:
    # Storages that do not fit beside each other get a table of their own below.
    some: list[str] = []
    for storage in storages:
        if some and sum(_GAP + _narrowest(each) for each in [*some, storage]) > room:
            yield some
            some = []
        some.append(storage)
    if some:
        yield some


def _widths(
    storages: Sequence[str], cells: Iterable[CellResult], shown: Shown, room: int
) -> Iterator[int]:
    """How wide each column is: what its longest cell needs, out of an even share of the room."""
    longest: dict[str, int] = {}
    for cell in cells:
        needed = len(" ".join(shown[cell.name]))
        longest[cell.storage] = max(needed, longest.get(cell.storage, 0))
    spare = room - sum(_GAP + _narrowest(storage) for storage in storages)
    for left, storage in zip(range(len(storages), 0, -1), storages, strict=True):
        more = min(spare // left, max(0, longest[storage] - _narrowest(storage)))
        spare -= more
        yield _narrowest(storage) + more


def _of(cells: Iterable[CellResult], storage: str, workers: str) -> CellResult | None:
    here = (cell for cell in cells if (cell.storage, cell.workers) == (storage, workers))
    return next(here, None)


def _row(
    page: Page,
    workers: str,
    row: Sequence[CellResult | None],
    shown: Shown,
    widths: Sequence[int],
) -> None:
    texts = [" ".join(shown[cell.name]) if cell else "-" for cell in row]
    columns = [wrapped(text, width=width) for text, width in zip(texts, widths[1:], strict=True)]
    for depth in range(max(map(len, columns))):
        parts = [column[depth] if depth < len(column) else "" for column in columns]
        name = workers if depth == 0 else ""
        page.add(_line([name, *parts], widths), indent=_INDENT, tone=_tone(row))


def _tone(row: Iterable[CellResult | None]) -> Tone:
    clean = all(cell is None or cell.verdict == "clean" for cell in row)
    return "good" if clean else "plain"


def _line(parts: Sequence[str], widths: Sequence[int]) -> str:
    aligned = [part.ljust(width) for part, width in zip(parts, widths, strict=True)]
    return (" " * _GAP).join(aligned)


def _legend(page: Page, cells: Sequence[CellResult], shown: Shown) -> None:
    codes = {code for cell in cells for code in (*cell.codes, *cell.missing)}
    said = {word for each in shown.values() for word in each}
    meanings = {short(code): TITLES[code] for code in SEVERITY if code in codes}
    meanings |= {word: meaning for word, meaning in _MEANINGS.items() if word in said}
    marks = {mark for mark in _MARKS if any(mark in word for word in said)}
    meanings |= {mark: meaning for mark, meaning in _MARKS.items() if mark in marks}
    widest = max(map(len, meanings), default=0)
    for word, meaning in meanings.items():
        page.add(f"{word.ljust(widest)}  {meaning}", indent=_INDENT, hanging=widest + 2)
    page.add()
