"""The result as text: the cells, the findings with their stories, and what was compared."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator

from ctxsim.cell.history import Selected
from ctxsim.cell.widths import columns
from ctxsim.report.document import (
    CLEAN,
    CellResult,
    Document,
    FindingResult,
    Verdict,
    early_end,
)
from ctxsim.report.lanes import hanging
from ctxsim.report.lines import WIDTH, Page, Tone
from ctxsim.report.stacks import innermost

MOST_FINDINGS = 20
MOST_SELECTED = 4
KEPT = ".ctxsim/last.json"

_RESULT_COLUMNS = 18
_TONES: dict[Verdict, Tone] = {
    "clean": "good",
    "findings": "bad",
    "inconclusive": "unsure",
    "error": "bad",
}
_MS = 1000

_Column = tuple[str, Callable[[CellResult], str]]
_COLUMNS: tuple[_Column, ...] = (
    ("requests", lambda cell: f"{cell.requests:,}"),
    ("compared", lambda cell: f"{cell.compared:,}"),
    ("peak", lambda cell: f"{cell.in_flight_peak:,}"),
    ("p50", lambda cell: _latency(cell, "p50")),
    ("p95", lambda cell: _latency(cell, "p95")),
)


def render(
    document: Document,
    *,
    color: bool = False,
    unicode: bool = True,
    width: int = WIDTH,
    kept: str | None = KEPT,
) -> str:
    """The whole result for a reader at a terminal, in lines of at most `width` columns.

    `kept` names the file that holds what is too long to be shown here.
    """
    page = Page(color, unicode, width)
    header(page, document)
    _cells(page, document.cells)
    _findings(page, document, kept)
    for cell in _ended_early(document.cells):
        _ending(page, cell)
    summary(page, document)
    _again(page, document)
    verdict_line(page, document)
    return page.text


def header(page: Page, document: Document) -> None:
    version = document.environment.get("ctxsim", "")
    page.add(f"ctxsim {version}  {document.scenario.name}", hanging=2, tone="title")
    target = document.environment.get("target", {})
    versions = {"python": document.environment.get("python"), **target.get("versions", {})}
    told = [f"{name} {number}" for name, number in versions.items() if number]
    of = f" ({', '.join(told)})" if told else ""
    page.add(f"target {target.get('app', '?')}{of}  seed {document.seed}", hanging=2)
    page.add()


def _latency(cell: CellResult, percentile: str) -> str:
    latency = cell.timing.latency_s
    if latency is None:
        return "-"
    ms: float = getattr(latency, percentile) * _MS
    if ms >= _MS:
        return f"{ms / _MS:.1f} s"
    if ms < 1:
        return f"{ms * _MS:.0f} us"
    return f"{ms:.0f} ms" if ms >= 100 else f"{ms:.1f} ms"  # noqa: PLR2004 - three digits


def _cells(page: Page, cells: tuple[CellResult, ...]) -> None:
    storages = list(dict.fromkeys(cell.storage for cell in cells))
    first = max([len("workers"), *(len(cell.workers) for cell in cells)])
    widths = [max([len(title), *(len(of(cell)) for cell in cells)]) for title, of in _COLUMNS]
    titles = [title for title, _ in _COLUMNS]
    page.add(_row("workers", titles, first, widths) + "  result", indent=2, tone="quiet")
    for storage in storages:
        if len(storages) > 1:
            page.add(f"storage {storage}", indent=2, tone="title")
        for cell in cells:
            if cell.storage == storage:
                _cell(
                    page, cell, _row(cell.workers, [of(cell) for _, of in _COLUMNS], first, widths)
                )
    page.add()


def _row(workers: str, values: list[str], first: int, widths: list[int]) -> str:
    aligned = [value.rjust(width) for value, width in zip(values, widths, strict=True)]
    return "  ".join([workers.ljust(first), *aligned])


def _cell(page: Page, cell: CellResult, row: str) -> None:
    result, tone = cell_result(cell), _TONES[cell.verdict]
    room = page.width - 2 - columns(row) - 2
    if columns(result) <= room:
        page.add(f"{row}  {result}", indent=2, tone=tone)
        return
    page.add(row, indent=2, tone=tone)
    page.add(result, indent=6, hanging=2, tone=tone)


def cell_result(cell: CellResult) -> str:
    """What became of a cell, in a few words."""
    parts = []
    if cell.codes:
        parts.append(" ".join(cell.codes))
    if cell.ending is not None:
        parts.append(cell.ending.kind)
    if not parts:
        parts.append(cell.verdict)
    return ", ".join(parts)


def _findings(page: Page, document: Document, kept: str | None) -> None:
    for finding in document.findings[:MOST_FINDINGS]:
        show_finding(page, finding)
    more = len(document.findings) - MOST_FINDINGS
    if more > 0:
        page.add(f"{more:,} more{f' in {kept}' if kept else ''}", tone="unsure")
        page.add()


def show_finding(page: Page, finding: FindingResult) -> None:
    """One finding with its story."""
    page.add(f"{finding.code}  {finding.title}", hanging=8, tone="bad")
    times = "once" if finding.count == 1 else f"{finding.count:,} times"
    page.add(f"{times}, first at request {finding.first_at_request:,}; {finding.id}", indent=2)
    page.add(f"in {', '.join(finding.cells)}", indent=2, hanging=3)
    show_story(page, finding.story)
    for place in finding.places:
        page.add(place, indent=2, hanging=4, tone="quiet")
    page.add()


def show_story(page: Page, story: Iterable[str]) -> None:
    """A story; what is too wide goes on beneath its own text."""
    for line in story:
        page.add(line, indent=2, hanging=hanging(line))


def _ended_early(cells: Iterable[CellResult]) -> Iterator[CellResult]:
    """The cells whose end needs telling; one that was stopped has no story."""
    return (cell for cell in cells if cell.ending is not None and cell.ending.kind != "stopped")


def _ending(page: Page, cell: CellResult) -> None:
    page.add(early_end(cell.name, cell.ending), hanging=2, tone="bad")
    if cell.ending is not None:
        for line in cell.ending.hint.splitlines():
            page.add(line, indent=2, hanging=2)
        for line in innermost(cell.ending):
            page.add(line.rstrip(), indent=2, hanging=6, tone="quiet")
    page.add()


def summary(page: Page, document: Document, without: Container[str] = ()) -> None:
    """What was compared, how it stands to what was expected, and what weakens the verdict.

    Notes that are in `without` are not repeated.
    """
    page.add(_compared(document.cells))
    for line in _selected(document.cells):
        page.add(line, hanging=2)
    for line in _expectation(document):
        page.add(line, hanging=2)
    told = {early_end(cell.name, cell.ending) for cell in _ended_early(document.cells)}
    for reason in document.reasons:
        if reason not in told:
            page.add(reason, hanging=2, tone="unsure")
    for line in document.notes:
        if line not in without:
            page.add(f"note: {line}", hanging=2, tone="unsure")
    for line in document.not_covered:
        page.add(f"not covered: {line}", hanging=2)
    page.add()


def _compared(cells: tuple[CellResult, ...]) -> str:
    requests = sum(cell.requests for cell in cells)
    compared = sum(cell.compared for cell in cells)
    visitors = sum(cell.visitors for cell in cells)
    faults = sum(sum(cell.faults.values()) for cell in cells)
    told = {0: "no faults were", 1: "1 fault was"}.get(faults, f"{faults:,} faults were")
    return (
        f"{requests:,} requests, {visitors:,} of them of visitors; of {compared:,} the answer was "
        f"compared with the request's own values; {told} part of the mix."
    )


def _selected(cells: tuple[CellResult, ...]) -> Iterator[str]:
    """In whose lines searches have switched; what many have in common is told once."""
    names: dict[str, list[str]] = {}
    for cell in cells:
        if cell.selected is not None:
            names.setdefault(told_selected(cell.selected), []).append(cell.name)
    for told, where in names.items():
        yield f"{', '.join(where)} switched at lines of {told}."


def told_selected(selected: Selected) -> str:
    """The modules and packages in whose lines a search has switched."""
    parts = [_some(each) for each in (selected.modules, selected.packages) if each]
    return ", then of ".join(parts)


def _some(names: tuple[str, ...]) -> str:
    more = len(names) - MOST_SELECTED
    return ", ".join(names[:MOST_SELECTED]) + (f" and {more} more" if more > 0 else "")


def _expectation(document: Document) -> Iterator[str]:
    expect = document.expect
    for each in expect.unexpected:
        yield f"not expected: {each}"
    for each in expect.missing:
        yield f"expected, but did not show: {each}"
    for each in expect.unmatched:
        yield f"cannot be expected: {each}"
    if expect.said != CLEAN and not (expect.unexpected or expect.missing or expect.unmatched):
        yield f"as expected: {expect.said}"


def _again(page: Page, document: Document) -> None:
    page.add_command("again:", document.replay)


def verdict_line(page: Page, document: Document) -> None:
    count, cells = len(document.findings), len(document.cells)
    found = f"{count} finding{'' if count == 1 else 's'}"
    line = (
        f"{document.verdict}: {found} in {cells} cell{'' if cells == 1 else 's'}, "
        f"{document.timing.elapsed_s:.1f} s, seed {document.seed}, exit {document.exit_code}"
    )
    page.add(line, tone="good" if document.exit_code == 0 else _TONES[document.verdict])
