"""Residue: context variables and thread-locals that still hold a request's value when the worker
takes the next one.

Only a value that carries a mark is residue: what a library keeps for itself in a worker's context
(a decimal context, a connection) belongs to nobody.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from contextvars import Context, copy_context
from typing import Any

from ctxsim.cell.history import Event
from ctxsim.cell.visits import Request
from ctxsim.cell.witness.answers import Owner
from ctxsim.cell.witness.record import Milestones, Record

# The stacks that `inside` looks at, by the names of their variables.
_STACKS = ("flask.", "ctxsim.")
# After so many requests the process is searched for thread-locals again, as some are made late.
_SEARCH_AT = (1, 20, 200, 2_000, 20_000, 200_000)


class Residue:
    """Compares what a worker has when it takes a request with what it had when it was new."""

    def __init__(
        self, owner: Owner, record: Record, thread_local: type, allocate_lock: Callable[[], Any]
    ) -> None:
        self._marks = owner.marks
        self._owner = owner
        self._record = record
        self._thread_local = thread_local
        self._locals: list[tuple[str, Any]] = []
        self._milestones = Milestones(_SEARCH_AT, allocate_lock())
        self.more: Callable[[], Iterator[tuple[str, object]]] | None = None

    def baseline(self) -> Context:
        """What the worker's context holds while it is new."""
        return copy_context()

    def before(self, request: Request, baseline: Context | None) -> None:
        """The worker is about to take `request`; `baseline` is None for a new worker."""
        if self._milestones.reached(self._record.ended + 1):
            self._locals = self._thread_locals()
        if baseline is not None:
            context = copy_context()
            if not _same(context, baseline):
                self._compare_variables(request, context, baseline)
        for name, local in self._locals:
            held = local.__dict__
            if held:
                self._compare(request, name, held)
        if self.more is not None:
            for name, value in self.more():
                self._compare(request, name, value)

    def _compare_variables(self, request: Request, context: Context, baseline: Context) -> None:
        for variable, value in context.items():
            if variable.name.startswith(_STACKS):
                continue
            if variable not in baseline or baseline[variable] is not value:
                self._compare(request, f"context variable {variable.name}", value)

    def _compare(self, request: Request, place: str, value: object) -> None:
        for mark in self._marks.in_object(value):
            if self._owner.is_shared(mark, request):
                continue
            self._record.note(
                Event(
                    kind="residue",
                    place=place,
                    victim=request.who,
                    source=self._owner.source(mark),
                    seen=mark.text,
                    at_request=self._record.ended + 1,
                )
            )
            return

    def _thread_locals(self) -> list[tuple[str, Any]]:
        names = _module_names(self._thread_local)
        return [
            (f"thread-local {names.get(id(local), type(local).__name__)}", local)
            for local in _instances(self._thread_local)
            if _may_be_read(local)
        ]


def _instances(kind: type) -> list[Any]:
    """All instances of `kind` in the process.

    Asked of their classes: `gc.get_objects` would also take hold of the half-built tuples of other
    threads, whose `tuple(generator)` then fails with a SystemError. And by `type`, since to ask a
    lazy object for its `__class__` is to evaluate it.
    """
    kinds: list[type] = [kind]
    for each in kinds:
        kinds += type.__subclasses__(each)
    return [each for each in gc.get_referrers(*kinds) if issubclass(type(each), kind)]


def _same(context: Context, baseline: Context) -> bool:
    try:
        # In C, and by identity first; values are only compared where one was replaced.
        return len(context) == len(baseline) and context == baseline
    except Exception:  # noqa: BLE001 - the application's own comparison may raise what it likes
        return False


def _may_be_read(local: object) -> bool:
    """Whether reading it in a thread that never used it runs no `__init__` of its class."""
    kind: Any = type(local)
    return kind.__init__ is object.__init__ and kind.__module__.partition(".")[0] != "ctxsim"


def _module_names(thread_local: type) -> dict[int, str]:
    """The module and name by which each thread-local of a module is known."""
    return {
        id(value): f"{module_name}.{name}"
        for module_name, module in list(sys.modules.items())
        for name, value in list(getattr(module, "__dict__", {}).items())
        if issubclass(type(value), thread_local)
    }
