"""What Locust's tabs show: the matrix, and one row per cause; flat rows of texts and numbers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from ctxsim.cell.checks import SEVERITY, TITLES, Finding
from ctxsim.live.parts import Run
from ctxsim.report.document import finding_id
from ctxsim.report.judged import JudgedCell
from ctxsim.report.masks import mask

# More rows than these nobody reads, and the page would be slow.
_MOST_ROWS = 200
_MOST_MOMENTS = 300
_NOT_SAID = frozenset({"CTX901"})

Row = dict[str, str | int]

TABS = [{"title": "Isolation", "key": "isolation"}, {"title": "Findings", "key": "findings"}]
TABLES = [
    {
        "key": "isolation",
        "structure": [
            {"key": "name", "title": "Cell"},
            {"key": "verdict", "title": "Verdict"},
            {"key": "requests", "title": "# Requests"},
            {"key": "compared", "title": "# Compared"},
            {"key": "failed", "title": "# Failed"},
            {"key": "in_flight", "title": "Most in flight"},
            {"key": "findings", "title": "Findings"},
        ],
    },
    {
        "key": "findings",
        "structure": [
            {"key": "name", "title": "Id"},
            {"key": "code", "title": "Code"},
            {"key": "title", "title": "What it says"},
            {"key": "count", "title": "# Times"},
            {"key": "cells", "title": "Cells"},
            {"key": "story", "title": "The first time"},
        ],
    },
]


@dataclass(frozen=True, slots=True)
class Found:
    """One cause over all cells, as it stands."""

    id: str
    code: str
    count: int
    cells: tuple[str, ...]
    story: tuple[str, ...]

    @property
    def title(self) -> str:
        return TITLES[self.code]


class Board:
    """How a run stands, for those who watch it. `timeline` has seconds and counts, by finding."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.timeline: dict[str, list[tuple[float, int]]] = {}

    def look(self) -> None:
        """Note how often each cause has shown by now."""
        if self.run.is_over:
            return
        at_s = time.monotonic() - self.run.started_s
        for each in self.found():
            moments = self.timeline.setdefault(each.id, [])
            if len(moments) < _MOST_MOMENTS and (not moments or moments[-1][1] != each.count):
                moments.append((at_s, each.count))

    def found(self) -> list[Found]:
        """The findings, one for each cause, the most severe first."""
        name = self.run.scenario.name
        seen: dict[str, list[tuple[JudgedCell, Finding]]] = {}
        for cell in self.run.cells:
            for finding in cell.findings:
                if finding.code not in _NOT_SAID:
                    seen.setdefault(finding_id(name, finding.cause), []).append((cell, finding))
        found = [_together(each, pairs) for each, pairs in seen.items()]
        return sorted(found, key=lambda each: (SEVERITY.index(each.code), -each.count, each.id))

    def rows(self) -> list[dict[str, str | list[Row]]]:
        """What the tabs are fed with; each row has a name of its own."""
        return [
            {"key": "isolation", "data": self.matrix()},
            {"key": "findings", "data": [_row(each) for each in self.found()[:_MOST_ROWS]]},
        ]

    @property
    def verdict(self) -> str:
        """The run's, once it is over; before, "findings" as soon as there are some, else ''."""
        if self.run.is_over:
            return self.run.document().verdict
        return "findings" if any(cell.has_findings for cell in self.run.cells) else ""

    def matrix(self) -> list[Row]:
        over = self.run.is_over
        verdicts = {each.name: each.verdict for each in self.run.document().cells} if over else {}
        return [
            {
                "name": cell.name,
                "verdict": verdicts.get(cell.name) or _so_far(cell),
                "requests": cell.history.tally.requests,
                "compared": cell.history.tally.compared,
                "failed": cell.history.tally.failed,
                "in_flight": cell.history.tally.in_flight_peak,
                "findings": " ".join(code for code in cell.codes if code not in _NOT_SAID),
            }
            for cell in self.run.cells
        ]


def _so_far(cell: JudgedCell) -> str:
    if cell.has_findings:
        return "findings"
    if cell.history.ending is not None:
        return f"ended: {cell.history.ending.kind}"
    return "nothing found so far" if cell.history.tally.compared else "nothing compared so far"


def _together(id_of_cause: str, pairs: Sequence[tuple[JudgedCell, Finding]]) -> Found:
    first = pairs[0][1]
    return Found(
        id_of_cause,
        first.code,
        sum(finding.count for _, finding in pairs),
        tuple(dict.fromkeys(cell.name for cell, _ in pairs)),
        tuple(mask(line) for line in first.story),
    )


def _row(found: Found) -> Row:
    return {
        "name": found.id,
        "code": found.code,
        "title": found.title,
        "count": found.count,
        "cells": ", ".join(found.cells),
        "story": " / ".join(found.story),
    }
