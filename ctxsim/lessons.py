"""What is carried alone before the load, to learn how requests are answered.

Two cells for each storage learn it, one request after the other, all on one thread. An answer that
differs there says nothing of who else is there: it may be drawn by lot, tell the time, or hang on
what all have stored. But it may also hang on what an earlier request left on the thread, which is
another user's. So where users are answered alike as soon as each request has a thread of its own,
the load, in which threads are shared, cannot be called clean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from ctxsim.cell.learnt import LEAST_APART, Bound, Key, Learnt, Lesson, bound, together, varied
from ctxsim.cell.plan import Load, Plan, Workers
from ctxsim.cell.population import user_count
from ctxsim.cells import CellOutcome, Job, Pace

Run = Callable[[Sequence[Job]], list[CellOutcome]]

# So many visits of each user to each flow, by as many users as keep it short.
_VISITS = 4
_FEWEST_USERS, MOST_USERS = 4, 12
_ENOUGH_REQUESTS = 400
_SHORTEST_LESSON_S, LONGEST_LESSON_S = 0.5, 5.0
# What of the time that is left, where it is bounded, goes to learning.
_LESSON_SHARE = 0.1
# A cell that learns nothing for so long is given up: the load will tell more of it.
_STALL_S = 10.0


@dataclass(frozen=True, slots=True)
class Lessons:
    """The jobs with what was learnt of the answers alone.

    `unlearnt` says why something was not; `doubts` why nothing can be called clean.
    """

    jobs: list[Job]
    unlearnt: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


def learn(jobs: Sequence[Job], run: Run, pace: Pace) -> Lessons:
    """Have two cells for each storage learn how requests are answered alone."""
    firsts = {job.cell.storage: job for job in reversed(jobs)}
    longest_s = _lesson_s(2 * len(firsts), pace)
    lessons = [
        replace(job, plan=_lesson(job.plan, len(jobs) + 2 * i + nth, longest_s))
        for i, job in enumerate(firsts.values())
        for nth in (1, 2)
    ]
    outcomes = run(lessons)
    learnt: dict[str, Learnt] = {}
    notes, doubts = list[str](), list[str]()
    pairs = zip(outcomes[::2], outcomes[1::2], strict=True)
    for (storage, first), lesson, pair in zip(firsts.items(), lessons[::2], pairs, strict=True):
        heard = _heard(pair)
        if len(heard) == len(pair):
            learnt[storage] = together(heard)
            if _may_be_bound(jobs, pair) and (suspects := varied(heard)):
                number = lesson.plan.process + 2 * len(jobs)
                doubts += _left_on_threads(_apart(first, number, longest_s), suspects, run)
        elif reason := next(_failures(pair), ""):
            notes.append(f"answers were not compared with those alone: {reason}")
    told = [replace(j, plan=replace(j.plan, learnt=learnt.get(j.cell.storage))) for j in jobs]
    return Lessons(told, tuple(dict.fromkeys(notes)), tuple(dict.fromkeys(doubts)))


def _heard(outcomes: Sequence[CellOutcome]) -> list[Lesson]:
    return [each.lesson for each in outcomes if each.lesson and each.history.ending is None]


def _may_be_bound(jobs: Sequence[Job], pair: Sequence[CellOutcome]) -> bool:
    """Whether the application's requests share threads in one of the cells.

    Those of an ASGI application always do, where it hands anything to the threads of its loop.
    """
    kinds = {each.target_facts.get("kind") for each in pair}
    return kinds == {"asgi"} or (
        kinds == {"wsgi"} and any(job.plan.workers.shares_threads for job in jobs)
    )


def _apart(job: Job, number: int, longest_s: float) -> list[Job]:
    """Two lessons with these numbers, in each of which half of the users have threads of their own,
    and enough of them to tell what varies."""
    plans = (_lesson(job.plan, number + nth, longest_s, 2 * LEAST_APART) for nth in (0, 1))
    return [replace(job, plan=replace(each, apart=True)) for each in plans]


def _left_on_threads(apart: Sequence[Job], suspects: set[Key], run: Run) -> Iterator[str]:
    """Which of the suspects are answered otherwise on a thread that others had before, in words.

    What never varied on one thread is not left there, but is so on any thread of its kind.

    Two processes tell it, in each of which the other half of the users have threads of their own:
    what hangs on who they are, or on what a process has drawn by lot, is another matter.
    """
    heard = _heard(run(apart))
    if len(heard) < len(apart):
        return
    routes: dict[str, Bound] = {}
    both = (set(bound(each, job.plan.process)) for each, job in zip(heard, apart, strict=True))
    for each in sorted(each for each in set.intersection(*both) if each.key in suspects):
        routes.setdefault(apart[0].plan.steps[each.step].route, each)
    for route, each in routes.items():
        yield (
            f"{route} is answered otherwise on a thread that has carried others than on one "
            f"of its own: {repr(each.seen) if each.seen else 'now this, now that,'} in place of "
            f"{each.own!r}"
        )


def _failures(pair: Sequence[CellOutcome]) -> Iterator[str]:
    """Why nothing was learnt, where the load will not tell the same."""
    for outcome in pair:
        ending = outcome.history.ending
        if ending is not None and ending.kind not in ("import", "stopped"):
            yield f"carried alone, the target ended: {ending.kind}: {ending.message}"


def _lesson_s(lessons: int, pace: Pace) -> float:
    rounds = max(1, -(-lessons // pace.at_once))
    share_s = pace.left_s * _LESSON_SHARE / rounds
    return min(LONGEST_LESSON_S, max(_SHORTEST_LESSON_S, share_s))


def _lesson(plan: Plan, process: int, longest_s: float, fewest: int = _FEWEST_USERS) -> Plan:
    steps = max(1, len(plan.steps))
    few = max(fewest, min(MOST_USERS, _ENOUGH_REQUESTS // (_VISITS * steps)))
    users = min(user_count(plan), few)
    clients = users + (plan.users.visitor and -(-users // 8))
    return replace(
        one_by_one(plan, process, users),
        load=load_of(plan, clients * _VISITS * steps, longest_s),
        learning=True,
    )


def load_of(plan: Plan, requests: int, longest_s: float) -> Load:
    return Load(requests=requests, duration_s=longest_s, rate_per_s=plan.rate_kept_per_s)


def one_by_one(plan: Plan, process: int, users: int) -> Plan:
    return replace(
        plan,
        process=process,
        workers=Workers.parse("sync"),
        users=replace(plan.users, count=users, parallel=1),
        one_by_one=True,
        search=None,
        stall_s=min(plan.stall_s, _STALL_S),
    )
