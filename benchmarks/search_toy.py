"""One tool that searches schedules, on a lost update of two threads: executions a second of CPU.

Usage: search_toy.py TOOL GRANULARITY EXECUTIONS     ctxsim, interleave-test or frontrun; line or
opcode

The toy is the peers' own first example. No tool is told that an update was lost, since each would
then stop and tell of it, which is not what is measured. Executions are counted by the fresh state
that each of them begins with.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable


class Counter:
    """What two threads count at once."""

    made = 0
    lost = 0

    def __init__(self) -> None:
        Counter.made += 1
        self.value = 0

    def increment(self) -> None:
        seen = self.value
        seen = seen + 1
        self.value = seen

    def judge(self) -> bool:
        """Count whether an update was lost; to the tool, all is well."""
        Counter.lost += self.value != 2
        return True


def by_ctxsim(granularity: str, executions: int) -> None:
    from ctxsim.cell.schedule.choices import Lengths  # noqa: PLC0415 - one tool is there alone
    from ctxsim.cell.schedule.lockstep import Lockstep  # noqa: PLC0415 - as above
    from ctxsim.cell.schedule.selection import Selection  # noqa: PLC0415 - as above
    from ctxsim.cell.schedule.standins import StandIns  # noqa: PLC0415 - as above
    from ctxsim.cell.schedule.strategies import strategy  # noqa: PLC0415 - as above
    from ctxsim.cell.schedule.tracing import tracing  # noqa: PLC0415 - as above

    selection = Selection(frozenset({__file__}), "line" if granularity == "line" else "opcode")
    chosen, measured = strategy("random"), Lengths()
    with StandIns(), tracing(selection) as tracer, Lockstep(tracer) as lockstep:
        for number in range(executions):
            counter = Counter()
            chooser = chosen.begin(number, 1, measured)
            execution = lockstep.run([counter.increment] * 2, chooser)
            counter.judge()
            chosen.ended(execution.schedule)
            measured = measured.including(execution.schedule)


def by_interleave_test(granularity: str, executions: int) -> None:
    import interleave_test  # noqa: PLC0415 - as above

    def model() -> None:
        counter = Counter()
        threads = [interleave_test.spawn(counter.increment) for _ in range(2)]
        for thread in threads:
            thread.join()
        counter.judge()

    interleave_test.explore(model, iterations=executions, seed=1, granularity=granularity)


def by_frontrun(granularity: str, executions: int) -> None:
    import frontrun  # noqa: PLC0415 - as above

    if granularity != "opcode":
        raise ValueError("frontrun switches at opcodes alone")
    frontrun.explore(
        setup=Counter,
        workers=Counter.increment,
        count=2,
        invariant=Counter.judge,
        strategy="random",
        max_attempts=executions,
        seed=random.Random(1).getrandbits(16),
    )


TOOLS: dict[str, Callable[[str, int], None]] = {
    "ctxsim": by_ctxsim,
    "interleave-test": by_interleave_test,
    "frontrun": by_frontrun,
}


def main(tool: str, granularity: str, executions: int) -> None:
    search = TOOLS[tool]
    # What is imported and remembered at first is no part of it.
    search(granularity, executions // 10)
    before, began = Counter.made, time.process_time()
    search(granularity, executions)
    took_s = time.process_time() - began
    if not Counter.lost:
        raise SystemExit(f"{tool} saw no lost update in {Counter.made} executions")
    print((Counter.made - before) / took_s)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
