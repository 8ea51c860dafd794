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
    """One text for each of the threads, then the greenlets that carry requests; at most 8 each."""
    threads = [
        _shown(f"thread {ident}", frame)
        for ident, frame in list(sys._current_frames().items())[:_MOST]
    ]
    return threads + _greenlets(live)


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
