"""Why cells without findings could not be called clean, and what else a reader should know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from ctxsim.cell.history import Ending, Tally
from ctxsim.cell.plan import Workers
from ctxsim.cell.sights import NO_SUCH_PAGE
from ctxsim.report.document import early_end, often_failed, some_failed
from ctxsim.report.judged import NOTHING_COMPARED, JudgedCell

# Below this share of the users' requests, what was compared is a few lucky answers: a leak that
# shows in one of twenty would be missed, and `clean` would be said of requests nobody looked at.
_LEAST_COMPARED = 0.05
# Nor is a cell clean that came to compare fewer answers before its time was over.
_FEWEST_COMPARED = 10
# Above this number of cells one note tells of the failed requests of all.
_MOST_TOLD = 4
_MORE_TIME = "the time was over before all routes were sent; raise the budget"
_TOO_SOON = "the time was over too soon; raise the budget"
_ADVICE = "let a route give back {canary}, or name a text that belongs to a user with `mine`"


def on_all(cells: Sequence[JudgedCell]) -> list[str]:
    """The doubts of all cells; one that many cells share is told once."""
    doubts = [(doubt, cell) for cell in cells for doubt in of_cell(cell)]
    stopped = [cell for cell in cells if _is_stopped(cell)]
    ends = {early_end(cell.name, cell.history.ending) for cell in stopped}
    return [
        *_stopped_together(stopped),
        *_by_text((doubt, cell) for doubt, cell in doubts if doubt not in ends),
    ]


def _is_stopped(cell: JudgedCell) -> bool:
    return cell.history.ending is not None and cell.history.ending.kind == "stopped"


def _stopped_together(stopped: Sequence[JudgedCell]) -> Iterator[str]:
    """The cells that were stopped for one reason, in one sentence."""
    names: dict[Ending, list[str]] = {}
    for cell in stopped:
        if cell.history.ending is not None:
            names.setdefault(replace(cell.history.ending, stacks=()), []).append(cell.name)
    for ending, cells in names.items():
        which = ", ".join(cells) if len(cells) <= _MOST_TOLD else f"{len(cells)} cells"
        yield early_end(which, ending)


def _by_text(pairs: Iterable[tuple[str, JudgedCell]]) -> list[str]:
    """What is told of cells; what is told of many is told once."""
    places: dict[str, list[str]] = {}
    for told, cell in pairs:
        places.setdefault(told.removeprefix(f"{cell.name}: "), []).append(told)
    return [
        line
        for told, lines in places.items()
        for line in (lines if len(lines) <= _MOST_TOLD else [f"in {len(lines)} cells: {told}"])
    ]


def of_cell(cell: JudgedCell) -> Iterator[str]:
    """Why a cell without findings could not be called clean."""
    tally, ending = cell.history.tally, cell.history.ending
    if ending is not None:
        yield early_end(cell.name, ending)
    elif not tally.requests:
        yield f"{cell.name}: no requests were answered"
    in_vain = _in_vain(cell)
    nothing = cell.is_too_short and tally.requests > 0 and not tally.compared
    if NOTHING_COMPARED in cell.codes or (nothing and not cell.has_findings):
        yield f"{cell.name}: nothing was compared; {in_vain}"
    of_users = tally.requests - tally.visitors
    if 0 < tally.compared < _LEAST_COMPARED * of_users and not cell.has_findings:
        yield (
            f"{cell.name}: only {tally.compared:,} of {of_users:,} users' requests could be "
            f"compared; {in_vain}"
        )
    if not cell.has_findings:
        yield from (f"{cell.name}: {each}" for each in cell.unconfirmed)
    if cell.hurried and 0 < tally.compared < _FEWEST_COMPARED and not cell.has_findings:
        told = "1 answer" if tally.compared == 1 else f"{tally.compared} answers"
        yield (
            f"{cell.name}: only {told} could be compared in the time there was; raise the budget"
        )
    if cell.fails_mostly:
        yield f"{cell.name}: {tally.failed:,} of {tally.requests:,} requests failed{_why(tally)}"


def _in_vain(cell: JudgedCell) -> str:
    """Why too little was compared, or what to do about it."""
    if not cell.is_too_short:
        return _ADVICE
    if not cell.hurried:
        return "it was stopped too soon"
    return _TOO_SOON if cell.sent_all else _MORE_TIME


def _why(tally: Tally) -> str:
    often = often_failed(tally.failures)
    return f" ({often})" if often else ""


def not_covered(cells: Sequence[JudgedCell], interrupted: bool = False) -> Iterator[str]:
    """Routes that no user came to send, with the cells that were too short for them."""
    places: dict[str, list[str]] = {}
    for cell in cells:
        for route in dict.fromkeys(cell.history.tally.unsent):
            places.setdefault(route, []).append(cell.name)
    routes: dict[tuple[str, ...], list[str]] = {}
    for route, names in places.items():
        routes.setdefault(tuple(names), []).append(route)
    more = "the budget" if any(cell.hurried for cell in cells) else "load.requests"
    # Who ended the run knows why it was short.
    advice = "" if interrupted else f"; raise {more}"
    for where, unsent in routes.items():
        were = "was" if len(unsent) == 1 else "were"
        yield f"{', '.join(unsent)} {were} sent by no user in {', '.join(where)}{advice}"


def unsent_at_all(cells: Sequence[JudgedCell]) -> Iterator[str]:
    """Routes that the time did not suffice for anywhere: of those nothing is known.

    Where so many requests were ordered, whoever ordered them decides.
    """
    loaded = [cell for cell in cells if cell.history.tally.requests]
    if not loaded or not any(cell.hurried for cell in loaded):
        return
    unsent = [set(cell.history.tally.unsent) for cell in loaded]
    routes = sorted(set.intersection(*unsent) - {NO_SUCH_PAGE.name})
    if routes:
        were = "was" if len(routes) == 1 else "were"
        yield f"{', '.join(routes)} {were} sent by no user in any cell; raise the budget"


def notes(cells: Sequence[JudgedCell]) -> Iterator[str]:
    """What a reader should know although it is no finding and no doubt."""
    # Where most failed, a doubt says so already.
    failing = [cell for cell in cells if cell.history.tally.failed and not cell.fails_mostly]
    if len(failing) > _MOST_TOLD:
        yield _failed_in_all(failing)
    else:
        for cell in failing:
            tally = cell.history.tally
            yield some_failed(cell.name, tally.requests, tally.failed, tally.failures)
    yield from _by_text(
        (f"{cell.name}: {each}", cell)
        for cell in cells
        for each in ((*cell.unconfirmed, *cell.seldom) if cell.has_findings else cell.seldom)
    )
    # Beside a finding, what was raised came of that.
    yield from _by_text(
        (f"{cell.name}: {each}", cell)
        for cell in cells
        if not cell.has_findings
        for each in cell.history.tally.raised
    )
    yield from _by_text(
        (f"{cell.name}: {each}", cell) for cell in cells for each in cell.history.remarks
    )
    for name in dict.fromkeys(name for cell in cells for name in cell.history.tally.unknown_names):
        yield f"{name} led to nothing, at the end of the run either; is it spelt as in the source?"
    yield from _untold(cells)
    yield from _notes_on_workers(cells)


def _untold(cells: Sequence[JudgedCell]) -> Iterator[str]:
    """Routes that were answered, and of whose answers nobody could have told whose they are."""
    loaded = [set(cell.history.tally.untold) for cell in cells if cell.history.tally.requests]
    routes = sorted(set.intersection(*loaded) - {NO_SUCH_PAGE.name}) if loaded else []
    if routes and any(cell.history.tally.compared for cell in cells):
        more = len(routes) - _MOST_TOLD
        shown = ", ".join(routes[:_MOST_TOLD]) + (f" and {more} more" if more > 0 else "")
        yield f"no answer of {shown} held anything of its user; {_ADVICE}"


def _failed_in_all(cells: Sequence[JudgedCell]) -> str:
    """One note for many cells: they fail in the same way, mostly."""
    tallies = [cell.history.tally for cell in cells]
    together: Counter[str] = sum((Counter(each.failures) for each in tallies), Counter())
    requests = sum(each.requests for each in tallies)
    failed = sum(each.failed for each in tallies)
    return some_failed(f"{len(cells)} cells", requests, failed, together)


def _notes_on_workers(cells: Sequence[JudgedCell]) -> Iterator[str]:
    for word in dict.fromkeys(cell.workers for cell in cells):
        workers = Workers.parse(word)
        tallies = [cell.history.tally for cell in cells if cell.workers == word]
        peak = max(tally.in_flight_peak for tally in tallies)
        most = max(tally.in_flight_most for tally in tallies)
        if 0 < most < workers.in_flight:
            yield f"{word} could have {most:,} requests in flight at once; raise users.count"
        # A synchronous application in a task holds up all others: there, one at a time is meant.
        elif peak == 1 < most and not workers.suits_asgi:
            yield (
                f"{word} never had two requests in flight at once: none waited while it was "
                "answered, or there were too few"
            )
