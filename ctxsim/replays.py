"""Cells that carry nothing but the cases that earlier searches found in them: `schedule: replay`.

It is what a branch is held against after a search has found something: quick, and with the same
schedules each time. It looks for nothing new, and never calls that clean of which it has no case.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

from ctxsim.cell.checks import GROUPS
from ctxsim.cell.checks.verdict import judge
from ctxsim.cell.history import History
from ctxsim.cell.workers.carry import added_up
from ctxsim.cells import CellOutcome
from ctxsim.replaying import Again, FoundBefore, Place
from ctxsim.report.judged import JudgedCell
from ctxsim.scenario import Cell


def cells(
    again: Sequence[Again],
    outcomes: Sequence[CellOutcome],
    expected: Callable[[Cell], frozenset[str]],
) -> list[JudgedCell]:
    """A cell for each place in which cases were carried, with what still shows there.

    `outcomes` are theirs, under the names of their cells.
    """
    places: dict[Place, list[tuple[Again, CellOutcome]]] = {}
    for each, outcome in zip(again, outcomes, strict=True):
        place = outcome.cell.storage, outcome.cell.workers.word
        places.setdefault(place, []).append((each, outcome))
    return [_cell(each, expected) for each in places.values()]


def _cell(
    carried: Sequence[tuple[Again, CellOutcome]], expected: Callable[[Cell], frozenset[str]]
) -> JudgedCell:
    again, outcomes = zip(*carried, strict=True)
    cell, history = outcomes[0].cell, _together(outcomes)
    findings = [each.finding for each in again if each.finding is not None]
    if not any(each.case.code in GROUPS["endings"] for each in again):
        # Whether one ends is seen without a value that could be compared.
        findings = findings or judge(history, None, ())
    return JudgedCell(
        storage=cell.storage,
        workers=cell.workers.word,
        history=history,
        findings=tuple(findings),
        unconfirmed=tuple(
            f"{each.case.id} was shown by {each.times} of {each.of} replays"
            for each in again
            if 0 < each.times < each.of
        ),
        expected=expected(cell),
        elapsed_s=sum(each.elapsed_s for each in outcomes),
    )


def _together(outcomes: Sequence[CellOutcome]) -> History:
    """What was sent, and found; what a finding needs of an event is the finding's by now."""
    whole = History(tally=added_up([each.history.tally for each in outcomes]))
    for each in outcomes:
        whole.origins.update(each.history.origins)
        whole.remarks += [text for text in each.history.remarks if text not in whole.remarks]
    return whole


def empty(places: Collection[Place], told: Sequence[JudgedCell]) -> Iterator[str]:
    """The cells of which there is no case."""
    have = {each.workers for each in told}
    if words := sorted({word for _, word in places if word not in have}):
        yield f"{', '.join(words)}: no case of an earlier search is kept"


def notes(again: Sequence[Again]) -> Iterator[str]:
    """How many cases were carried, and which show no more."""
    gone = [each.case.id for each in again if not each.times]
    if again:
        cases = "1 case was" if len(again) == 1 else f"{len(again)} cases were"
        yield f"{cases} carried again, and nothing else was looked for"
    if gone:
        yield f"{', '.join(gone)} {'shows' if len(gone) == 1 else 'show'} no more"


def doubts(before: FoundBefore) -> Iterator[str]:
    """Why nothing can be called clean."""
    yield from before.not_carried.values()
    if not before.again and not before.not_carried:
        yield (
            "no case of an earlier search is kept for this scenario in .ctxsim/cases: nothing was "
            "carried; search with schedule: auto"
        )
