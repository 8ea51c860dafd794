"""Workers that are greenlets, on a hub of ours for the time of a test."""

from __future__ import annotations

from contextlib import contextmanager

import gevent
from gevent import event, lock, queue

from ctxsim.cell.schedule.choices import Lengths
from ctxsim.cell.schedule.greenlets.hub import Greenlets, bring_to_rest
from ctxsim.cell.schedule.greenlets.stand_ins import GreenletStandIns
from ctxsim.cell.schedule.strategies import strategy


def chooser(number=0, name="random"):
    return strategy(name).begin(number, 1, Lengths())


@contextmanager
def on_hub(limits=None):
    with GreenletStandIns():
        bring_to_rest()
        with Greenlets(limits) as lockstep:
            yield lockstep
        gevent.get_hub().destroy()


class Shared:
    """What the workers of one execution have in common."""

    def __init__(self):
        self.count = 0
        self.said = []
        self.one = lock.Semaphore(1)
        self.other = lock.BoundedSemaphore(1)
        self.event = event.Event()
        self.queue = queue.Queue()
        self.result = event.AsyncResult()


def fresh(*workers):
    """Workers that begin with everything new; the last one is at `fresh.shared`."""

    def calls():
        fresh.shared = shared = Shared()
        return [lambda worker=worker: worker(shared) for worker in workers]

    return calls


def together(*workers):
    """One worker that starts others, all at the same instant: none of them comes later."""

    def starts(shared):
        started = [gevent.spawn(worker, shared) for worker in workers]
        return [each.get() for each in started]

    return starts


def said(*expected):
    return lambda _: tuple(fresh.shared.said) == expected


def add(shared):
    seen = shared.count
    gevent.sleep(0)
    shared.count = seen + 1


def add_guarded(shared):
    with shared.one:
        add(shared)
