"""What requests import is imported before the process is copied, where lines are switch points.

Many views import what they need themselves. Else no line of it would be one, because nobody knows
the file, and each copy would import it anew, in a request.
"""

from __future__ import annotations

import importlib
import sys
import threading
from functools import partial

from ctxsim.cell.schedule.execution import Escape, Limits
from ctxsim.cell.searching.controls import Control
from ctxsim.cell.searching.forks import in_fork
from ctxsim.cell.searching.scripts import Window
from ctxsim.cell.searching.selecting import NOWHERE, may_be_selected
from ctxsim.cell.searching.stage import Stage
from ctxsim.cell.visits import Traffic
from ctxsim.cell.workers.carry import Crew
from ctxsim.errors import CtxsimError, SearchEndedError

# Of so many users the first requests are carried, in all so many for each step.
_LANES, _FOR_EACH_STEP, _MOST_REQUESTS = 4, 4, 200
# In that variation all flows are as frequent.
_LEVEL = 1


def import_ahead(crew: Crew, control: Control) -> dict[str, str]:
    """Import here what requests have imported that were carried one by one in a copy.

    Returns what cannot be imported outside of a request, or starts threads then, with the reasons.
    """
    if crew.workers.in_flight == 1 or crew.workers.needs_gevent:
        return {}
    lock = crew.record.lock
    try:
        names = in_fork(partial(_imported, crew, control), lock)
        kept = in_fork(partial(_kept_from, names), lock) if names else {}
    except (CtxsimError, SearchEndedError):
        # Requests that end the process, or wait outside, do so in the search, which tells it.
        return {}
    for name in names:
        if name not in kept:
            importlib.import_module(name)
    return kept


def _imported(crew: Crew, control: Control) -> list[str]:
    """In a copy: which modules requests import, in that order."""
    before = frozenset(sys.modules)
    traffic = crew.traffic
    assert isinstance(traffic, Traffic)
    traffic.vary(_LEVEL)
    count = min(_FOR_EACH_STEP * len(traffic.plan.steps), _MOST_REQUESTS)
    with Stage(crew, control, NOWHERE, Limits()) as stage:
        for number in range(count):
            lane = number % min(_LANES, stage.lanes)
            stopped = stage.carry(Window(((lane,),), number)).execution.stopped
            # What waits for others there says nothing of other requests.
            if stopped is not None and not isinstance(stopped, Escape):
                break
    new = [name for name in sys.modules if name not in before]
    return list(filter(may_be_selected, new))


def _kept_from(names: list[str]) -> dict[str, str]:
    """In a copy: which of the modules cannot be imported here, and why."""
    kept = {}
    for at, name in enumerate(names):
        try:
            importlib.import_module(name)
        except BaseException as error:  # noqa: BLE001 - whatever an application's import raises
            kept[name] = type(error).__name__
        if threading.active_count() > 1:
            # It cannot be told what those after it would do alone.
            return kept | dict.fromkeys(names[at:], "it starts threads")
    return kept
