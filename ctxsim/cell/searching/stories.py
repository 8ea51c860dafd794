"""A window told by its switches, in the application's own lines."""

from __future__ import annotations

import linecache
from collections.abc import Iterator

from ctxsim.cell.schedule.choices import run_lengths
from ctxsim.cell.schedule.places import Place
from ctxsim.cell.searching.stage import Carried
from ctxsim.cell.witness.record import shown_file

_MOST_RUNS = 16
_LONGEST_LINE = 48


def story(carried: Carried) -> tuple[str, ...]:
    """Who ran from where to where, in turn; what is in the middle of a long window is left out.

    So are a loop's callbacks, which are the ends of sleeps and the like.
    """
    lines = list(_runs(carried))
    if len(lines) <= _MOST_RUNS:
        return tuple(lines)
    half = _MOST_RUNS // 2
    left_out = len(lines) - 2 * half
    return (*lines[:half], f"... {left_out} more switches ...", *lines[-half:])


def _runs(carried: Carried) -> Iterator[str]:
    execution = carried.execution
    counts = execution.steps
    taken = [0] * len(counts)
    for worker, steps in run_lengths(
        each for each in execution.schedule.steps if execution.kinds[each] != "callbacks"
    ):
        begins = "goes on" if taken[worker] else "starts"
        taken[worker] += steps
        who = _name(carried, worker)
        trail = execution.trails[worker]
        if taken[worker] >= counts[worker] and len(trail) < taken[worker]:
            yield f"{who} {begins}, to its end"
        else:
            yield f"{who} {begins}, until {_place(trail[taken[worker] - 1])}"


def _name(carried: Carried, worker: int) -> str:
    if worker >= len(carried.requests):
        kinds = carried.execution.kinds
        # Whose workers are of several kinds knows them.
        started = carried.started if len(set(kinds)) == 1 else kinds[worker]
        return f"{started} {worker}, which a request started,"
    return " and then ".join(map(str, carried.requests[worker])) or f"worker {worker}"


def _place(place: Place) -> str:
    code, line = place
    text = linecache.getline(code.co_filename, line).strip()
    if len(text) > _LONGEST_LINE:
        text = f"{text[: _LONGEST_LINE - 3]}..."
    at = f"{shown_file(code.co_filename)}:{line} in {code.co_name}"
    return f"{at}: {text}" if text else at
