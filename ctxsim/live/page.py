"""The page of findings: the matrix, each story with its timeline, and what can be downloaded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from ctxsim.live.board import Board, Found

_WIDTH, _HEIGHT = 360, 48
_REFRESH_S = 3

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem;
  color: #1c1c1c; background: #fff; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid #ccc; }
pre { background: #f3f3f3; padding: .75rem; overflow-x: auto; white-space: pre-wrap; }
section { margin: 2rem 0; }
@media (prefers-color-scheme: dark) {
  body { color: #eee; background: #1b1b1b; } pre { background: #2a2a2a; } a { color: #9cf; } }
"""
_COLUMNS = ("name", "verdict", "requests", "compared", "failed", "in_flight", "findings")
_DOWNLOADS = (
    ("result.json", "Result document"),
    ("report.html", "HTML report"),
    ("junit.xml", "JUnit report"),
)
_TITLES = ("Cell", "Verdict", "Requests", "Compared", "Failed", "Most in flight", "Findings")


def rendered(board: Board | None, base: str) -> str:
    """The whole page; `base` is where the web UI is. It loads nothing from anywhere."""
    if board is None:
        return _whole("<p>No test was started yet.</p>", base, refresh=True)
    over = board.run.is_over
    return _whole("\n".join(_body(board, base, over=over)), base, refresh=not over)


def _whole(body: str, base: str, *, refresh: bool) -> str:
    again = f'<meta http-equiv="refresh" content="{_REFRESH_S}">' if refresh else ""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">{again}'
        # Without an icon of its own, a browser asks for one that is not there.
        '<link rel="icon" href="data:,">'
        f"<title>ctxsim: findings</title><style>{_STYLE}</style></head><body>"
        f'<p><a href="{escape(base)}/">Locust</a></p><h1>Isolation</h1>\n{body}\n</body></html>'
    )


def _body(board: Board, base: str, *, over: bool) -> Iterator[str]:
    scenario = board.run.scenario
    yield f"<p>{escape(scenario.name)} ({escape(scenario.file)})</p>"
    yield from _verdict(board, base) if over else ["<p>Running; this is what is known so far.</p>"]
    yield from _matrix(board)
    found = board.found()
    yield "<h2>Findings</h2>" if found else "<p>No findings.</p>"
    for each in found:
        yield from _story(each, board.timeline.get(each.id, []))


def _verdict(board: Board, base: str) -> Iterator[str]:
    document = board.run.document()
    yield f"<p><strong>{document.verdict}</strong>, exit code {document.exit_code}</p>"
    told = [*document.reasons, *document.notes]
    if document.error is not None:
        told.append(document.error.message)
    if told:
        yield "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in told) + "</ul>"
    for name, title in _DOWNLOADS:
        yield f'<a href="{escape(base)}/ctxsim/{name}" download>{title}</a> '


def _matrix(board: Board) -> Iterator[str]:
    yield "<table><thead><tr>" + "".join(f"<th>{each}</th>" for each in _TITLES) + "</tr></thead>"
    for row in board.matrix():
        yield "<tr>" + "".join(f"<td>{escape(str(row[key]))}</td>" for key in _COLUMNS) + "</tr>"
    yield "</table>"


def _story(found: Found, moments: Sequence[tuple[float, int]]) -> Iterator[str]:
    yield f'<section id="{escape(found.id)}"><h3>{found.code}: {escape(found.title)}</h3>'
    yield f"<p>{found.id}, {found.count:,} times in {escape(', '.join(found.cells))}</p>"
    yield "<pre>" + escape("\n".join(found.story)) + "</pre>"
    if moments:
        first_s, last_s = moments[0][0], moments[-1][0]
        yield f"<p>First seen after {first_s:.1f} s, last after {last_s:.1f} s:</p>"
        yield _timeline(moments)
    yield "</section>"


def _timeline(moments: Sequence[tuple[float, int]]) -> str:
    """How often it had shown by which second, as a line."""
    longest_s, most = max(moments[-1][0], 0.1), max(moments[-1][1], 1)
    points = " ".join(
        f"{at_s / longest_s * _WIDTH:.1f},{_HEIGHT - count / most * _HEIGHT:.1f}"
        for at_s, count in moments
    )
    return (
        f'<svg width="{_WIDTH}" height="{_HEIGHT}" role="img" aria-label="count over time">'
        f'<polyline fill="none" stroke="currentColor" points="0,{_HEIGHT} {points}"/></svg>'
    )
