"""`threads:N`: native threads; reused, fresh for each request, or in copied contexts."""

from __future__ import annotations

import threading
from collections.abc import Callable

from ctxsim.cell.visits import Request
from ctxsim.cell.workers.carry import Carrier, Crew, carry_each, new_baseline


def run(crew: Crew) -> None:
    if crew.workers.variant == "fresh":
        _run_fresh(crew)
    else:
        _run_pool(crew)


def in_threads(count: int, work: Callable[[], None]) -> None:
    """Run `work` in `count` native threads; raises what the first of them raised."""
    errors: list[BaseException] = []
    # All set out together: otherwise the first might carry everything before the last is there.
    together = threading.Barrier(count)

    def guarded() -> None:
        try:
            together.wait()
            work()
        except BaseException as error:  # noqa: BLE001 - raised again below, in the cell's thread
            errors.append(error)

    threads = [threading.Thread(target=guarded, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def _run_pool(crew: Crew) -> None:
    def work() -> None:
        carry_each(crew, crew.carrier(), iter(crew.traffic.take, None), new_baseline())

    in_threads(min(crew.workers.count, crew.traffic.width), work)


def _run_fresh(crew: Crew) -> None:
    free = threading.Semaphore(min(crew.workers.count, crew.traffic.width))
    carriers: list[Carrier] = []
    errors: list[BaseException] = []

    def work(carrier: Carrier, request: Request) -> None:
        try:
            carrier.run(request)
        except BaseException as error:  # noqa: BLE001 - raised again below, in the cell's thread
            errors.append(error)
        finally:
            carriers.append(carrier)
            free.release()

    started: list[threading.Thread] = []
    while not errors:
        free.acquire()
        if (request := crew.traffic.take()) is None:
            break
        # A tally per thread that runs at the same time, handed on from thread to thread.
        carrier = carriers.pop() if carriers else crew.carrier()
        thread = threading.Thread(target=work, args=(carrier, request), daemon=True)
        thread.start()
        started = [each for each in started if each.is_alive()]
        started.append(thread)
    for thread in started:
        thread.join()
    if errors:
        raise errors[0]
