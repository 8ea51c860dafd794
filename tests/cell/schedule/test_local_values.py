"""Thread-locals that were there before the stand-ins, when workers let go of their values."""

from __future__ import annotations

import threading

from ctxsim.cell.schedule.choices import Lengths
from ctxsim.cell.schedule.lockstep import Lockstep
from ctxsim.cell.schedule.standins import StandIns
from ctxsim.cell.schedule.strategies import strategy

before = threading.local()


def forgetful():
    before.name = "mine"
    with threading.Lock():
        del before.name
    with threading.Lock():
        pass
    return dict(vars(before))


def test_what_a_worker_deletes_does_not_come_back():
    with StandIns():
        for number in range(50):
            chooser = strategy("random").begin(number, 1, Lengths())
            execution = Lockstep().run([forgetful] * 3, chooser)
            assert [ended.value for ended in execution.workers] == [{}] * 3
