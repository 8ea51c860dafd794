"""The search that follows loads, in what they leave of the time: what did no load happen to meet?

It adds to the cells that were loaded what it finds and can carry again. What keeps it from telling
more than a load does is no doubt about the load: it is said among what was not covered.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ctxsim.cell.history import Selected
from ctxsim.cell.plan import Search
from ctxsim.cells import Job, Pace
from ctxsim.cells.interpreter import equip
from ctxsim.errors import TargetError
from ctxsim.report.judged import JudgedCell
from ctxsim.report.text import told_selected

# Where a load is bounded by time alone.
_EXECUTIONS = 2_000
# A search that is shorter finds nothing that a load does not.
_LEAST_S = 1.0
# Of the time that there is for a search: the rest is for what is found by it, and at its end.
_SHARE = 0.7
# A search starts faster than the cells before it, which looked at what was left at their ends.
_MOST_START_S = 2.0
# Requests that wait for each other look like one that hangs; who waits for whom, a search can tell.
_CAN_BE_SEARCHED = ("", "hang")


@dataclass(frozen=True, slots=True)
class Searches:
    """The jobs that search, each with the number of the job whose load it follows."""

    jobs: tuple[Job, ...] = ()
    after: tuple[int, ...] = ()
    # Why there are not more.
    left_out: tuple[str, ...] = ()

    def and_also(self, job: Job, number: int) -> Searches:
        return replace(self, jobs=(*self.jobs, job), after=(*self.after, number))


def following(
    jobs: Sequence[Job],
    judged: Sequence[JudgedCell],
    first: int,
    pace: Pace,
    known: tuple[tuple[str, ...], ...] = (),
) -> Searches:
    """A search for one cell of each worker model that a schedule can control, as long as it may be.

    `first` is the number of the first one's process; `known` are causes of events besides those of
    the loads, which are no news.
    """
    chosen = _chosen(jobs, judged)
    if not chosen:
        return Searches()
    rounds = -(-len(chosen) // pace.at_once)
    each_s = _SHARE * (pace.left_s / rounds - min(pace.start_s, _MOST_START_S))
    if each_s < _LEAST_S:
        words = ", ".join(jobs[number].plan.workers.word for number in chosen)
        return Searches(left_out=(f"no time was left to search for unlucky orders in {words}",))
    no_news = (*_known(judged), *known)
    searches = Searches()
    for process, number in enumerate(chosen, first):
        search = _search(jobs[number], process, each_s, no_news)
        try:
            searches = searches.and_also(equip(search), number)
        except TargetError as error:
            why, _, _ = str(error).partition("\n")
            told = f"unlucky orders in {search.plan.workers.word}: {why}"
            searches = replace(searches, left_out=(*searches.left_out, told))
    return searches


def _search(job: Job, process: int, duration_s: float, known: tuple[tuple[str, ...], ...]) -> Job:
    # As many orders as the load has requests.
    executions = job.plan.load.requests or _EXECUTIONS
    search = Search(
        executions=executions,
        duration_s=duration_s,
        known=known,
        tells_legs=job.plan.workers.model == "threads",
    )
    return replace(job, plan=replace(job.plan, process=process, search=search))


def _chosen(jobs: Sequence[Job], judged: Sequence[JudgedCell]) -> list[int]:
    """One cell for each model, of which it is the first that tells nothing against a search."""
    models: dict[str, int] = {}
    for number, (job, cell) in enumerate(zip(jobs, judged, strict=True)):
        workers = job.plan.workers
        # One after the other, in whatever order, is what the loads have done in plenty.
        can_be = workers.can_be_controlled and workers.in_flight > 1
        if can_be and cell.ending_kind in _CAN_BE_SEARCHED:
            models.setdefault(workers.model, number)
    if len(models) > 1:
        # What is not asynchronous hardly ever gives way in a task.
        models.pop("tasks", None)
    return list(models.values())


def _known(judged: Sequence[JudgedCell]) -> Iterator[tuple[str, ...]]:
    """The causes of events that became findings."""
    found = {finding.cause[1:] for cell in judged for finding in cell.findings}
    events = (event for cell in judged for event in cell.history.events)
    return (each for each in dict.fromkeys(e.cause for e in events) if each[1:] in found)


def _switched(selected: Selected | None) -> str:
    return "" if selected is None else f"; it switched at lines of {told_selected(selected)}"


@dataclass(frozen=True, slots=True)
class Further:
    """What searches came to, each as a cell of its own."""

    searches: Searches = Searches()
    judged: tuple[JudgedCell, ...] = ()

    @property
    def jobs(self) -> tuple[Job, ...]:
        return self.searches.jobs

    @property
    def notes(self) -> Iterator[str]:
        for cell in self.judged:
            if requests := cell.history.tally.requests:
                more = f"{requests:,} requests more, in orders that a search chose"
                yield f"{cell.name}: {more}{_switched(cell.history.selected)}"

    @property
    def not_covered(self) -> Iterator[str]:
        yield from self.searches.left_out
        for cell in self.judged:
            if cell.history.ending is not None:
                yield f"unlucky orders in {cell.name}: {cell.history.ending.message}"
            left = (each for each in cell.unconfirmed if each not in cell.history.seen)
            yield from (f"unlucky orders in {cell.name}: {each}" for each in left)

    @property
    def doubts(self) -> Iterator[str]:
        """Why nothing can be called clean, whatever the loads came to."""
        for cell in self.judged:
            yield from (f"{cell.name}: {each}" for each in cell.history.seen)

    def added_to(self, loaded: Sequence[JudgedCell]) -> list[JudgedCell]:
        """The cells that were loaded, with what searches found besides, and could carry again."""
        cells = list(loaded)
        for number, searched in zip(self.searches.after, self.judged, strict=True):
            known = {finding.cause for finding in cells[number].findings}
            found = [f for f in searched.findings if f.case and f.cause not in known]
            cells[number] = replace(cells[number], findings=(*cells[number].findings, *found))
        return cells
