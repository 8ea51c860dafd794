"""Contexts that were used where their request no longer was: CTX301's evidence.

Work that a request started in a copy of its context, or with `copy_current_request_context`, may
run on when the request has ended: its session was saved, its teardown has run, what it opened is
closed. The framework's proxies are listened to; only a worker that carries no request in flight is
looked at closely, so that requests pay for one look into a dict.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from ctxsim.cell.history import Event
from ctxsim.cell.visits import Request
from ctxsim.cell.witness.inside import LookUp, View
from ctxsim.cell.witness.record import Current, Record, where_we_are

# What carries requests, and asks the proxies itself as it ends a context that work has pushed.
_CARRYING = frozenset({"flask.app", "flask.ctx", "quart.app", "quart.ctx"})
_PROXY = "werkzeug.local"
_LOOK_UP = "_get_current_object"


class Escapes:
    """Listens to the proxies of one framework, by their names: `request`, `g` and `session`."""

    def __init__(
        self, view: View, current: Current, record: Record, live: dict[Request, object]
    ) -> None:
        self._view = view
        self._current = current
        self._record = record
        self._live: dict[Any, object] = live

    def heard(self, name: str, look_up: LookUp) -> LookUp:
        """What a proxy is to ask instead of `look_up`; None from it means that nothing is bound."""
        carried, live = self._current.get, self._live

        def looked_up() -> Any:
            found = look_up()
            if carried() not in live and found is not None:
                self._used(name)
            return found

        return looked_up

    def _used(self, name: str) -> None:
        view = self._view
        owner = view.owners_of_g.owner(view.g()) if name == "g" else view.carried()
        # One that was cut short on purpose might have waited for what it had under way.
        if owner is None or owner in self._live or owner.faulted:
            return
        if _is_framework(sys._getframe(2)):
            return
        # Past `looked_up`, to the application's line.
        where = where_we_are(3)
        self._record.note(
            Event(
                kind="escape.used",
                place=f"{name} in {where[0].function}" if where else name,
                victim=owner.who,
                where=where,
                at_request=self._record.ended + 1,
            )
        )


def _is_framework(frame: FrameType | None) -> bool:
    """Whether the framework itself asks, and no work of the application's."""
    while frame is not None and frame.f_globals.get("__name__") == _PROXY:
        frame = frame.f_back
    return frame is not None and frame.f_globals.get("__name__") in _CARRYING


def listen_to(proxies: dict[str, Any], heard: Callable[[str, LookUp], LookUp]) -> None:
    """Have Werkzeug's proxies look up by what `heard` makes of their functions."""
    for name, proxy in proxies.items():
        # A slot of the proxy, whose own attributes are those of what it leads to.
        look_up = object.__getattribute__(proxy, _LOOK_UP)
        object.__setattr__(proxy, _LOOK_UP, heard(name, look_up))
