"""The slots of the two context stacks: where the selected storage meets the contexts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ctxsim.runtime import selection


class Stacks:
    """The current worker's innermost app context and request context.

    The slots' callables are copied to attributes of their own, because that saves a step on the
    fastest path there is.
    """

    __slots__ = ("__weakref__", "_watchers", "app_get", "app_set", "request_get", "request_set")

    def __init__(self) -> None:
        self._watchers: list[Callable[[], None]] = []
        self.__rebind__()
        selection.follow(self)

    def __rebind__(self) -> None:
        app, request = (
            selection.make_slot("ctxsim.app_context"),
            selection.make_slot("ctxsim.request_context"),
        )
        self.app_get: Callable[[], Any] = app.get
        self.app_set: Callable[[Any], object] = app.set
        self.request_get: Callable[[], Any] = request.get
        self.request_set: Callable[[Any], object] = request.set
        for watcher in self._watchers:
            watcher()

    def watch(self, watcher: Callable[[], None]) -> None:
        """Call `watcher` now, and after each change of the slots."""
        self._watchers.append(watcher)
        watcher()


STACKS = Stacks()
