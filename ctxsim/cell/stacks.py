"""Where everything stands: the stacks of all native threads and of the requests in flight."""

from __future__ import annotations

import sys
import traceback
from types import FrameType
from typing import Any

from ctxsim.cell.objects import instances

_MOST = 8
_FRAMES = 12


def all_stacks(live: dict[Any, object]) -> list[str]:
    """One text for each of the threads, then the greenlets and coroutines that carry requests.

    At most 8 of each kind; `live` gives for each request its coroutine, if there is one.
    """
    threads = [
        _shown(f"thread {ident}", frame)
        for ident, frame in list(sys._current_frames().items())[:_MOST]
    ]
    return threads + _greenlets(live) + _coroutines(live)


def _coroutines(live: dict[Any, Any]) -> list[str]:
    waiting = [(request, each) for request, each in list(live.items())[:_MOST] if each is not None]
    return [_awaiting(f"task with {request.who}", each) for request, each in waiting]


def _awaiting(title: str, coroutine: Any) -> str:
    """What a suspended coroutine waits for: itself, what it awaits, and so on inwards."""
    frames = traceback.StackSummary()
    while coroutine is not None and len(frames) < _FRAMES:
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None)
        if frame is None:
            break
        frames += traceback.StackSummary.extract([(frame, frame.f_lineno)])
        inner = getattr(coroutine, "cr_await", None) or getattr(coroutine, "gi_yieldfrom", None)
        coroutine = inner
    return f"{title}:\n{''.join(frames.format())}"


def _greenlets(live: dict[Any, object]) -> list[str]:
    greenlet = sys.modules.get("greenlet")
    if greenlet is None:
        return []
    found = []
    for each in instances(greenlet.greenlet):
        if each.gr_frame is not None:
            request = each.__dict__.get("ctxsim_request")
            if request in live:
                found.append(_shown(f"greenlet with {request.who}", each.gr_frame))
    return found[:_MOST]


def _shown(title: str, frame: FrameType) -> str:
    lines = traceback.format_stack(frame)[-_FRAMES:]
    return f"{title}:\n{''.join(lines)}"
