"""Which cases of the gallery a search finds by default, and how soon; writes SEARCHES.md.

Usage: searches.py [ENTRY...]     those that are hard or of medium difficulty, unless named

Each is searched with each kind of workers that a search controls and that it shows with; its fixed
twin is searched as long. What is found is carried again 100 times, in a process of its own. Beside
it stands a plain loop of the same requests with a switch interval of 1 microsecond.
"""

from __future__ import annotations

import os
import platform
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ctxsim.cell.plan import Workers
from ctxsim.cells import Progress
from ctxsim.cli.gallery_bruteforce import Brute, bruteforce
from ctxsim.confirming import confirm
from ctxsim.errors import CtxsimError, UsageError
from ctxsim.gallery import Entry, Place, entries, place, twin
from ctxsim.jobs import Options
from ctxsim.replaying import replay
from ctxsim.report.cases import CaseFile
from ctxsim.scenario import Scenario
from ctxsim.simulation import Outcome, simulate

RESULTS = Path(__file__).parent / "SEARCHES.md"
SEED = 1
REPLAYS, CONFIRMED = 100, 20
BRUTE_S = 10.0
HEAD = """\
# What a search finds in the gallery

Python {version}; `python benchmarks/searches.py`.

The default budget for each search. The execution is the first that showed the finding, and the
seconds count from the end of the import until it had been replayed and made small; `small` of them
are spent from where it had shown once: to make it small, to replay it 20 times and to write its
story, by the clock on the wall, and `CPU` seconds of a processor's time. Those in all are of the
whole search, its end included. Requests and preemptions are those of the case that is kept, `+`
those that come before the window in which it shows, one by one; requests that are only made, so
that users are where they would be, and not sent, are no part. The case is then carried on native
threads, held at the same lines, 20 times; tasks are none.

| entry | difficulty | workers | found | execution | seconds | small | CPU | in all | requests | \
preemptions | replayed | on native threads | fixed twin | plain loop, 1 us |
|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|
"""
# In a process's `stat`, after its name: its time in both modes, and that of those it waited for.
_TICKS = slice(11, 15)
_BY_EXECUTION = re.compile(r"found by execution (\d+)")


def words(entry: Entry) -> Iterator[str]:
    """One word for each kind of workers that a search controls."""
    kinds = set()
    for word in entry.shows:
        workers = Workers.parse(word)
        is_known = " x " in word or workers.model in kinds
        if workers.model in ("threads", "greenlets", "tasks") and not is_known:
            kinds.add(workers.model)
            yield word


@dataclass(frozen=True, slots=True)
class Searched:
    """What a search came to; seconds until its first finding, if any, and in all.

    `small_s` is how long it took from where the first finding had shown once, and `small_cpu_s` how
    much of a processor's time.
    """

    outcome: Outcome
    found_s: float
    small_s: float
    small_cpu_s: float
    took_s: float


def searched(entry: Entry, where: Place, word: str, *, fixed: bool) -> Searched:
    clock: dict[str, float] = {}
    tries: list[tuple[float, float]] = []
    told: list[tuple[float, float]] = []

    def tell(now: Progress) -> None:
        clock.setdefault(now.state, time.perf_counter())
        if now.state == "trying" and not tries:
            tries.append((time.perf_counter(), _cpu_s()))
        if now.state == "event" and not told:
            told.append((time.perf_counter(), _cpu_s()))

    scenario = twin(entry, where, fixed=fixed, workers=[word])
    chosen = scenario.with_options(schedule="auto", seed=SEED)
    outcome = simulate(chosen, options=Options(jobs=1, confirms=False), progress=tell)
    ready_s, ended_s = clock.get("ready", clock["started"]), time.perf_counter()
    found_s = clock.get("event", ended_s)
    small_s = small_cpu_s = 0.0
    if tries and told:
        (began_s, began_cpu_s), (small_at_s, small_cpu_at_s) = tries[0], told[0]
        small_s, small_cpu_s = small_at_s - began_s, small_cpu_at_s - began_cpu_s
    return Searched(outcome, found_s - ready_s, small_s, small_cpu_s, ended_s - ready_s)


def _cpu_s() -> float:
    """The processor's time that the processes took that this one has started, and their own."""
    ticks, waiting = 0, _children(os.getpid())
    while waiting:
        process = waiting.pop()
        with suppress(OSError):
            # The name comes first, in brackets, and may have spaces.
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, fields[_TICKS]))
            waiting += _children(process)
    return ticks / os.sysconf("SC_CLK_TCK")


def _children(process: int) -> list[int]:
    found: list[int] = []
    for each in Path(f"/proc/{process}/task").glob("*/children"):
        with suppress(OSError):
            found += map(int, each.read_text().split())
    return found


def rows(entry: Entry) -> Iterator[str]:
    for word in words(entry):
        with place(entry, fixed=False) as where:
            found = searched(entry, where, word, fixed=False)
            # A case keeps no environment, which may hold secrets: whoever replays it gives it.
            os.environ.update(where.env)
            told = list(_told(entry, found.outcome))
            plain = _plain(twin(entry, where, fixed=False, workers=[word]), where)
        with place(entry, fixed=True) as where:
            beside = searched(entry, where, word, fixed=True).outcome.verdict
        small = f"{found.small_s:.1f}" if found.outcome.cases else ""
        cpu = f"{found.small_cpu_s:.1f}" if found.outcome.cases else ""
        times = (f"{found.found_s:.1f}", small, cpu, f"{found.took_s:.0f}")
        cells = (entry.name, entry.difficulty, word, *told[:2], *times, *told[2:], beside, plain)
        yield f"| {' | '.join(cells)} |\n"


def _told(entry: Entry, outcome: Outcome) -> Iterator[str]:
    """The codes; the first execution; the requests and preemptions of its case; its replays, and
    how it went on native threads."""
    if not outcome.cases:
        yield from (outcome.verdict, "", "", "", "", "")
        return
    yield " ".join(dict.fromkeys(finding.code for finding in outcome.findings))
    first = {finding.id: _execution(finding.story) for finding in outcome.findings}
    wanted = [case for case in outcome.cases if case.code in entry.codes] or outcome.cases
    case = min(wanted, key=lambda each: first[each.id])
    yield str(first[case.id])
    windows: Sequence[Mapping[str, Any]] = case.script["windows"]
    passed_over = case.script["passed_over"]
    sent = [each for at, each in enumerate(windows) if at not in passed_over]
    *before, last = [sum(map(len, window["lanes"])) for window in sent]
    yield f"{last} + {sum(before)}" if before else str(last)
    yield str(sum(len((window["points"] or {}).get("preemptions", ())) for window in windows))
    replayed = replay(case, REPLAYS)
    yield f"{replayed.times} of {replayed.of}"
    yield _on_threads(case)


def _on_threads(case: CaseFile) -> str:
    try:
        _, confirmed = confirm(case, CONFIRMED)
    except UsageError:
        return "tasks"
    if confirmed is None or not confirmed.times:
        return "no" if confirmed is None else f"no: {confirmed.reason}"
    return f"{confirmed.times} of {confirmed.of}"


def _execution(story: Sequence[str]) -> int:
    found = (_BY_EXECUTION.match(line) for line in story)
    return next(int(each[1]) for each in found if each)


def _plain(scenario: Scenario, where: Place) -> str:
    seen: Brute = bruteforce(
        scenario.with_options(seed=SEED), where, limit_s=BRUTE_S, switch_interval_s=1e-6
    )
    if seen.failure:
        return seen.failure
    if seen.at_request is None:
        return f"nothing in {seen.requests:,}"
    return f"request {seen.at_request:,}, {seen.after_s:.2f} s"


def main(names: Sequence[str]) -> None:
    chosen = [
        each
        for each in entries()
        if (each.name in names if names else each.difficulty in ("medium", "hard"))
        # What shows in some replays alone is no case that could be replayed.
        and "CTX902" not in each.codes
    ]
    text = HEAD.format(version=platform.python_version())
    for entry in chosen:
        try:
            for row in rows(entry):
                print(row, end="", flush=True)
                text += row
        except CtxsimError as error:
            print(f"{entry.name}: not searched: {error}", file=sys.stderr, flush=True)
    if not names:
        RESULTS.write_text(text)


if __name__ == "__main__":
    main(sys.argv[1:])
