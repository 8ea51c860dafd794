"""Tiny step machines with known bugs: generator functions, one step from `yield` to `yield`.

A model's `workers` share one dict. A worker that cannot go on yields a function that tells whether
it can; any other `yield` is a switch point. An execution has failed when the dict has `bug`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ctxsim.cell.schedule.choices import Lengths, Schedule
from ctxsim.cell.schedule.choosing import Chooser, Recorder, Strategy

Shared = dict[str, Any]
Waits = Callable[[], bool] | None
Worker = Callable[[Shared, Chooser], Iterator[Waits]]


@dataclass(frozen=True)
class Execution:
    """What came of one execution: whether the bug showed, and the last values that are shared."""

    schedule: Schedule
    failed: bool
    shared: Shared


def execute(workers: Sequence[Worker], chooser: Chooser, most_steps: int = 10_000) -> Execution:
    """Run the workers to their ends, or until none can go on, asking who takes each step."""
    recorder, shared = Recorder(chooser), Shared()
    running = [worker(shared, recorder) for worker in workers]
    waits: dict[int, Waits] = dict.fromkeys(range(len(running)))
    current = None
    for step in range(most_steps):
        ready = tuple([each for each, until in waits.items() if until is None or until()])
        if not ready:
            break
        current = recorder.pick(ready, current, step)
        try:
            waits[current] = next(running[current])
        except StopIteration:
            del waits[current]
    shared["deadlock"] = bool(waits)
    return Execution(recorder.schedule(), bool(shared.get("bug")), shared)


def search(workers: Sequence[Worker], strategy: Strategy, seed: int, most: int) -> int | None:
    """How many executions it took until the bug showed; None where it did not in `most`."""
    measured = Lengths()
    for number in range(most):
        if strategy.exhausted:
            return None
        execution = execute(workers, strategy.begin(number, seed, measured))
        if execution.failed:
            return number + 1
        strategy.ended(execution.schedule)
        measured = measured.including(execution.schedule)
    return None


def _pad(count: int) -> Iterator[Waits]:
    for _ in range(count):
        yield None


def lost_update(pad: int) -> list[Worker]:
    """Two workers count to two, with a switch point between reading and writing."""

    def add(shared: Shared, _: Chooser) -> Iterator[Waits]:
        yield from _pad(pad)
        seen = shared.get("count", 0)
        yield None
        shared["count"] = seen + 1
        yield from _pad(pad)
        shared["ended"] = shared.get("ended", 0) + 1
        shared["bug"] = shared["ended"] == 2 and shared["count"] != 2

    return [add, add]


def order(length: int = 20) -> list[Worker]:
    """The bug shows where the second worker begins after all of the first."""

    def first(shared: Shared, _: Chooser) -> Iterator[Waits]:
        yield from _pad(length)
        shared["over"] = True

    def second(shared: Shared, _: Chooser) -> Iterator[Waits]:
        shared["bug"] = shared.get("over", False)
        yield from _pad(length + 1)

    return [first, second]


def chain(noise: int = 2, pad: int = 3) -> list[Worker]:
    """One begins, a second takes it up, a third takes up that, and the first looks once more."""

    def begin(shared: Shared, _: Chooser) -> Iterator[Waits]:
        yield from _pad(pad)
        shared["state"] = 1
        yield from _pad(1)
        shared["bug"] = shared["state"] == 3
        yield from _pad(pad)

    def follow(after: int) -> Worker:
        def worker(shared: Shared, _: Chooser) -> Iterator[Waits]:
            yield from _pad(pad)
            if shared.get("state") == after:
                shared["state"] = after + 1
            yield from _pad(pad)

        return worker

    def idle(shared: Shared, _: Chooser) -> Iterator[Waits]:
        yield from _pad(12)

    return [begin, follow(1), follow(2), *[idle] * noise]


def program(words: Sequence[Sequence[str]]) -> list[Worker]:
    """Workers from words: `step`, `set X`, `wait X` (until it is set) and draws (`cancel 2`)."""

    def worker(own: Sequence[str]) -> Worker:
        def run(shared: Shared, chooser: Chooser) -> Iterator[Waits]:
            for word in own:
                yield from _carried_out(word, shared, chooser)

        return run

    return [worker(own) for own in words]


def _carried_out(word: str, shared: Shared, chooser: Chooser) -> Iterator[Waits]:
    kind, _, what = word.partition(" ")
    if kind == "set":
        shared[what] = True
    elif kind == "wait":
        yield lambda: what in shared
        return
    elif kind != "step":
        drawn = chooser.draw(kind, int(what))  # type: ignore[arg-type]
        shared.setdefault("drawn", []).append(drawn)
    yield None


def one_current(count: int, pad: int = 3) -> list[Worker]:
    """Each worker says who is current, and later reads it; the bug shows where that is another."""

    def worker(number: int) -> Worker:
        def run(shared: Shared, _: Chooser) -> Iterator[Waits]:
            yield from _pad(pad)
            shared["current"] = number
            yield from _pad(pad)
            shared["bug"] = shared.get("bug") or shared["current"] != number
            yield from _pad(pad)

        return run

    return [worker(number) for number in range(count)]
