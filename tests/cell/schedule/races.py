"""The races of `racy`, each with how it shows; run as a program, it replays one of them.

Usage: races.py NAME < SCHEDULE     prints whether the race shows under the schedule, as JSON
"""

from __future__ import annotations

import json
import sys

import racy
from searching import Trial

from ctxsim.cell.schedule.choices import Schedule
from ctxsim.cell.schedule.lockstep import Lockstep
from ctxsim.cell.schedule.selection import Selection
from ctxsim.cell.schedule.standins import StandIns
from ctxsim.cell.schedule.tracing import tracing

LINES = Selection(frozenset({racy.__file__}))
OPCODES = Selection(frozenset({racy.__file__}), "opcode")


def fresh(*calls):
    """Workers that begin with the module as it was new."""

    def calls_of_an_execution():
        racy.reset()
        return calls

    return calls_of_an_execution


def counted_wrong(count):
    return lambda _: racy.counter != count


def greeted_wrong(users):
    def shows(execution):
        pairs = zip(users, execution.workers, strict=False)
        return any(ended.value != f"hello {user}" for user, ended in pairs)

    return shows


def opened_twice(_):
    return len(racy.opened) > 1


RACES = {
    "lost update": (fresh(racy.count, racy.count), counted_wrong(2)),
    "check, then act": (fresh(racy.connection, racy.connection), opened_twice),
    "global as current user": (
        fresh(*[lambda user=user: racy.greet(user) for user in "abc"]),
        greeted_wrong("abc"),
    ),
    "lost update in threads": (fresh(racy.count_in_threads), counted_wrong(2)),
    "lost update in a pool": (fresh(racy.count_in_a_pool), counted_wrong(2)),
}
CLEAN = {
    "update": (fresh(racy.count_guarded, racy.count_guarded), counted_wrong(2)),
    "check, then act": (fresh(racy.connection_guarded, racy.connection_guarded), opened_twice),
}


def main(name: str) -> None:
    with StandIns(), tracing(LINES) as tracer:
        trial = Trial(Lockstep(tracer), *RACES[name])
        schedule = Schedule.from_json(json.load(sys.stdin))
        shown = [trial.replay(schedule)[1] for _ in range(100)]
    json.dump({"python": list(sys.version_info[:2]), "shown": sum(shown)}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
