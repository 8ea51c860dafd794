"""`threading.local` with values for each worker.

All workers are one thread, so the values of a local are exchanged when another worker comes to it:
that costs nothing at a switch. Locals that were there before the stand-ins are exchanged at each
switch instead, since nothing tells who comes to them.
"""

from __future__ import annotations

import gc
import sys
from _thread import _local
from collections.abc import Iterable
from functools import partial
from typing import Any, Self

from ctxsim.cell.schedule.lockstep import Run, here
from ctxsim.cell.schedule.states import Worker

Values = dict[str, Any]


class _Kept:
    """The values of the threads that are not at the local now; None is who is outside.

    The thread of an asyncio loop is outside too: the one that runs the execution.
    """

    __slots__ = ("arguments", "by_worker", "here", "run")

    def __init__(self, arguments: tuple[tuple[Any, ...], dict[str, Any]]) -> None:
        self.arguments = arguments
        self.here: Worker | None = None
        self.by_worker: dict[Worker | None, Values] = {}
        # The execution that has come to it, and will leave it at its end.
        self.run: Run | None = None


class Local(_local):
    """The real one, but for its values, which are the running worker's."""

    __slots__ = ("_ctxsim_kept",)

    def __new__(cls, /, *args: Any, **kwargs: Any) -> Self:
        local = super().__new__(cls, *args, **kwargs)
        _local.__setattr__(local, "_ctxsim_kept", kept := _Kept((args, kwargs)))
        run = here()
        if run is not None:
            # Whoever makes it is initialised by the call that makes it.
            kept.here = run.on_thread
            _stay(local, kept, run)
        return local

    def __getattribute__(self, name: str) -> Any:
        if (run := here()) is not None:
            _visit(self, run)
        return _local.__getattribute__(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if (run := here()) is not None:
            _visit(self, run)
        _local.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        if (run := here()) is not None:
            _visit(self, run)
        _local.__delattr__(self, name)


def _visit(local: Local, run: Run) -> None:
    kept: _Kept = _local.__getattribute__(local, "_ctxsim_kept")
    thread = run.on_thread
    if kept.here is thread:
        return
    _stay(local, kept, run)
    _come(local, kept, thread)


def _stay(local: Local, kept: _Kept, run: Run) -> None:
    if kept.run is not run:
        kept.run = run
        run.at_end.append(partial(_leave, local, kept))


def _leave(local: Local, kept: _Kept) -> None:
    """The execution has ended, and with it all its threads."""
    if kept.here is not None:
        _come(local, kept, None)
    kept.by_worker.clear()
    kept.run = None


def _come(local: Local, kept: _Kept, worker: Worker | None) -> None:
    """Exchange the values for those of `worker`; who comes first is initialised, as a thread is."""
    values: Values = _local.__getattribute__(local, "__dict__")
    kept.by_worker[kept.here] = dict(values)
    values.clear()
    kept.here = worker
    known = kept.by_worker.pop(worker, None)
    if known is not None:
        values.update(known)
    elif type(local).__init__ is not object.__init__:
        args, kwargs = kept.arguments
        type(local).__init__(local, *args, **kwargs)


def elder() -> list[_local]:
    """The locals that are there already, but for the standard library's own, which are atomic."""
    library = sys.stdlib_module_names
    names = [name for name in sys.modules if name.partition(".")[0] in library]
    in_library = {id(each) for each in _in_modules(names)}
    # What is frozen is in no list of the collector, but it may be in a module.
    found = {id(each): each for each in _in_modules(sys.modules)}
    found.update((id(each), each) for each in gc.get_objects() if isinstance(each, _local))
    return [
        each
        for address, each in found.items()
        if address not in in_library and not isinstance(each, Local)
    ]


def _in_modules(names: Iterable[str]) -> list[_local]:
    modules = [module for name in names if (module := sys.modules.get(name)) is not None]
    spaces = [space for each in modules if type(space := getattr(each, "__dict__", None)) is dict]
    return [value for space in spaces for value in space.values() if isinstance(value, _local)]


class Elders:
    """Exchanges the values of those locals at each switch."""

    def __init__(self, locals_there: list[_local]) -> None:
        self._locals = locals_there
        # The values of those in the thread that carries the execution; found when it begins.
        self._values: list[Values] = []
        self._kept: dict[Worker | None, list[Values]] = {}
        self._here: Worker | None = None

    def exchange(self, run: Run, seed: int) -> None:
        if self._locals:
            self._values = []
            run.on_switch = self._come
            run.at_end.append(self._leave)

    def _leave(self) -> None:
        self._come(None)
        self._kept.clear()

    def _come(self, worker: Worker | None) -> None:
        if not self._values:
            self._values = [_local.__getattribute__(each, "__dict__") for each in self._locals]
        known = self._kept.get(worker)
        if known is None and not any(self._values):
            # Neither has any, as most have not.
            self._kept.pop(self._here, None)
            self._here = worker
            return
        self._kept[self._here] = [values.copy() for values in self._values]
        for at, values in enumerate(self._values):
            values.clear()
            if known is not None:
                values.update(known[at])
        self._here = worker
