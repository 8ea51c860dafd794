"""Residue: context variables and thread-locals that still hold a request's value when the worker
takes the next one.

Only a value that carries a mark is residue: what a library keeps for itself in a worker's context
(a decimal context, a connection) belongs to nobody. And what a library declares, such as Bottle's
`request`, may be bound anew by each request before anyone reads it; it counts where another user's
request came to its end with the old value still there.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator, Set
from contextvars import Context, copy_context
from dataclasses import dataclass
from functools import partial
from types import CellType, FunctionType, ModuleType
from typing import Any

from ctxsim.cell.history import Event
from ctxsim.cell.objects import UNCHANGEABLE, instances
from ctxsim.cell.patching import Native
from ctxsim.cell.visits import Request
from ctxsim.cell.witness.answers import Owner
from ctxsim.cell.witness.kept import KeptByLibraries, way_to_text
from ctxsim.cell.witness.marks import Mark
from ctxsim.cell.witness.record import (
    IN_CONTEXT,
    Milestones,
    Record,
    is_application_file,
    is_own_file,
    module_file,
)
from ctxsim.cell.witness.variables import named

# The stacks that `inside` looks at, by the names of their variables.
CONTEXT_STACKS = frozenset(
    f"{framework}.{name}" for framework in ("flask", "quart") for name in ("app_ctx", "request_ctx")
)
# After so many requests the process is searched for thread-locals again, as some are made late.
_SEARCH_AT = (1, 20, 200, 2_000, 20_000, 200_000)
# What may stand between a variable and the code that declares it: a closure's cell, a class's dict.
_CARRIERS = frozenset({CellType, tuple, dict, property, classmethod, staticmethod})
_LEVELS = 6
_LOCAL = "thread-local "


@dataclass(slots=True)
class Place:
    """Where a value may be left: what it is called, what declares it, and how it is read.

    Unless it `is_named`, its name is that of its class alone: no module has it as a variable.
    """

    name: str
    thing: object
    read: Callable[[], object]
    is_named: bool = True


@dataclass(frozen=True, slots=True)
class _Suspect:
    """What a request found in a library's place when it began.

    `text` is the very object that holds the mark, and `holder` what holds that within the place.
    A later request of the same user brings the same text in another one, or in another holder: then
    the place was bound anew, though no word of it tells so.
    """

    place: Place
    mark: Mark
    text: object
    holder: object


class Residue:
    """Compares what a worker has when it takes a request with what it had when it was new."""

    def __init__(self, owner: Owner, record: Record, native: Native, ours: object) -> None:
        self._marks = owner.marks
        self._owner = owner
        self._record = record
        self._thread_local = native.thread_local
        self._locals: list[tuple[Place, Any]] = []
        self._of_library: dict[int, bool] = {}
        # What requests in flight found, and may yet overwrite before they end.
        self._suspects: dict[Request, list[_Suspect]] = {}
        self._kept = KeptByLibraries()
        # The places whose values are residue beyond doubt: no library has them for all.
        self._told: set[str] = set()
        self._milestones = Milestones(_SEARCH_AT, native.allocate_lock())
        # The thread-local in which the harness itself knows the current request.
        self._ours = ours
        self.more: Callable[[], Iterator[tuple[str, object]]] | None = None

    def search(self) -> None:
        """Find the thread-locals that there are, before any request if it is time for that."""
        if self._milestones.reached(self._record.ended + 1):
            self._locals = self._thread_locals()

    def before(self, request: Request, baseline: Context | None) -> None:
        """The worker is about to take `request`; `baseline` is None for a new worker."""
        if self._record.ended + 1 >= self._milestones.next:
            self.search()
        context = copy_context()
        if context:
            self._compare_variables(request, context, baseline)
        for place, local in self._locals:
            held = local.__dict__
            if held:
                self._compare(request, place, held)
        if self.more is not None:
            for name, value in self.more():
                self._compare(request, Place(name, None, lambda: None), value)

    def after(self, request: Request) -> None:
        """The request has ended: whether it lived with another's value all the time."""
        if not self._suspects:
            return
        for suspect in self._suspects.pop(request, ()):
            place, mark = suspect.place, suspect.mark
            if self._owner.is_own(mark, request):
                # Its user sends it again, in a cookie for instance, and so it may be bound anew.
                continue
            value = place.read()
            if self._is_still_in(suspect, value) and not self._is_kept(place, value, mark):
                self._note(request, place, mark)

    def _is_still_in(self, suspect: _Suspect, value: object) -> bool:
        if suspect.text is None:
            return self._is_in(suspect.mark, value)
        way = way_to_text(value, lambda text: text is suspect.text, self._kept.known)
        return bool(way) and _holder(way) is suspect.holder

    def _compare_variables(
        self, request: Request, context: Context, baseline: Context | None
    ) -> None:
        for variable, value in context.items():
            if value is None or variable is IN_CONTEXT or variable.name in CONTEXT_STACKS:
                continue
            # What the worker had when it was new is no residue, unless it can be changed in place.
            if type(value) in UNCHANGEABLE and baseline and baseline.get(variable) is value:
                continue
            read = partial(variable.get, None)
            place = Place(named(variable), variable, read)
            self._compare(request, place, value)

    def _compare(self, request: Request, place: Place, value: object) -> None:
        while (mark := self._mark_in(value, request)) is not None:
            if self._is_of_library(place.thing):
                way = way_to_text(value, partial(self._is_in, mark), self._kept.known)
                suspect = _Suspect(place, mark, way[-1] if way else None, _holder(way))
                self._suspects.setdefault(request, []).append(suspect)
                return
            if not self._is_kept(place, value, mark):
                self._note(request, place, mark)
                return

    def _mark_in(self, value: object, request: Request) -> Mark | None:
        """The first mark that not all may see, in no object known to be kept for all."""
        for mark in self._marks.in_object(value, self._kept.known):
            if not self._owner.is_shared(mark, request):
                return mark
        return None

    def _is_kept(self, place: Place, value: object, mark: Mark) -> bool:
        """Whether `mark` is nowhere in `value` but in objects that a library keeps for all.

        To learn of such objects takes milliseconds, so it is done for no place that was told.
        """
        while place.name not in self._told:
            known = len(self._kept.known)
            if not self._is_in(mark, value):
                return True
            # Each turn knows of one more such object, so that there is an end; another thread may
            # have been the one to learn of it.
            learnt = self._kept.learn(value, partial(self._is_in, mark))
            if not learnt and len(self._kept.known) == known:
                break
        return False

    def _is_in(self, mark: Mark, thing: object) -> bool:
        return mark in self._marks.in_object(thing, self._kept.known)

    def _note(self, request: Request, place: Place, mark: Mark) -> None:
        if not place.is_named:
            # Not earlier, since it takes milliseconds.
            place.name, place.is_named = _name_of(place.thing) or place.name, True
        self._told.add(place.name)
        self._record.note(
            Event(
                kind="residue",
                place=place.name,
                victim=request.who,
                source=self._owner.source(mark),
                seen=mark.text,
                at_request=self._record.ended + 1,
            )
        )

    def _is_of_library(self, thing: object) -> bool:
        known = self._of_library.get(id(thing))
        if known is None:
            known = self._of_library[id(thing)] = thing is not None and declared_by_library(thing)
        return known

    def _thread_locals(self) -> list[tuple[Place, Any]]:
        known = {id(local): (place, local) for place, local in self._locals}
        found = [
            local
            for local in instances(self._thread_local)
            if local is not self._ours and not _is_of_asyncio(local) and _may_be_read(local)
        ]
        # Their names are looked for in all modules, which takes as long as to find them.
        names = _module_names({id(local) for local in found} - known.keys())
        return [known.get(id(local)) or (_local_place(local, names), local) for local in found]


def _holder(way: list[object]) -> object:
    """What holds the text at the end of the way; None where that is the place, which is copied."""
    return way[-2] if len(way) > 2 else None  # noqa: PLR2004


def _local_place(local: Any, names: dict[int, str]) -> Place:
    name = names.get(id(local))
    shown = f"{_LOCAL}{name or type(local).__name__}"
    return Place(shown, local, lambda: dict(local.__dict__), is_named=name is not None)


def _name_of(local: object) -> str:
    """By the variable that leads to a thread-local, or the application's class that keeps it."""
    kept_by = ""
    for carriers, holders in _held_by(local):
        if names := _module_names({id(each) for each in carriers}):
            return f"{_LOCAL}{next(iter(names.values()))}"
        for kind in map(type, holders):
            if is_application_file(_class_file(kind)):
                kept_by = kept_by or f"{_LOCAL}of {kind.__module__}.{kind.__qualname__}"
    return kept_by


def declared_by_library(thing: object) -> bool:
    """Whether what holds `thing`, a module, class or function, is no code of the application's.

    A name that the application has imported from a library is the library's.
    """
    for carriers, holders in _held_by(thing):
        declaring = (each for each in holders if not _has_as_attributes(each, carriers))
        files = {file for holder in declaring if (file := _source_file(holder)) is not None}
        # A Local of the runtime's stands for the application that declares it.
        files = {file for file in files if not is_own_file(file)}
        if files:
            return any(not is_application_file(file) for file in files)
    return False


def _held_by(thing: object) -> Iterator[tuple[list[object], list[object]]]:
    """What carries `thing`, at first itself, and what holds that: further and further out."""
    level = [thing]
    for _ in range(_LEVELS):
        # The lists that are searched hold what they search, too.
        holders = [each for each in gc.get_referrers(*level) if each is not level]
        yield level, holders
        level = [each for each in holders if _carries(each)]
        if not level:
            break


def _carries(holder: object) -> bool:
    """Whether what holds it, in turn, tells more: it is an object, or part of one or of code."""
    file = _class_file(type(holder))
    return type(holder) in _CARRIERS or (file is not None and not is_own_file(file))


def _has_as_attributes(holder: object, carriers: list[object]) -> bool:
    """Whether a function holds `carriers` by its attributes, which others give it.

    So `functools.wraps` copies the attributes of what is wrapped, such as of a middleware.
    """
    if type(holder) is not FunctionType:
        return False
    attributes = holder.__dict__
    return any(each is attributes for each in carriers)


def _source_file(holder: object) -> str | None:
    if type(holder) is FunctionType:
        return holder.__code__.co_filename
    if issubclass(type(holder), type):
        return module_file(sys.modules.get(str(holder.__module__)))
    if type(holder) is dict and type(name := holder.get("__name__")) is str:
        module = sys.modules.get(name)
        return module_file(module) if getattr(module, "__dict__", None) is holder else None
    # What is kept in an object of the application's class is the application's.
    file = _class_file(type(holder))
    return file if is_application_file(file) else None


def _class_file(kind: type) -> str | None:
    name = type.__getattribute__(kind, "__dict__").get("__module__")
    return module_file(sys.modules.get(name)) if type(name) is str else None


def _is_of_asyncio(local: Any) -> bool:
    """Whether it holds a thread's loop: every request's tasks hang on that, and it takes long."""
    return str(type(local).__module__).partition(".")[0] == "asyncio"


def _may_be_read(local: object) -> bool:
    """Whether reading it in a thread that never used it does no harm.

    That runs the `__init__` of its class: what the application declares is meant to be read by any
    thread, while a library may open a connection there.
    """
    kind: Any = type(local)
    plain = kind.__init__ is object.__init__
    return plain or is_application_file(module_file(sys.modules.get(kind.__module__)))


def _module_names(wanted: Set[int]) -> dict[int, str]:
    """The module and name by which each of the objects is known, by id; they must be alive."""
    names: dict[int, str] = {}
    modules = list(sys.modules.items()) if wanted else ()
    for module_name, module in modules:
        if issubclass(type(module), ModuleType):
            held = list(vars(module).items())
            # Few modules have any: to ask for all of a module's at once is fast.
            if not wanted.isdisjoint(id(value) for _, value in held):
                names |= {id(v): f"{module_name}.{name}" for name, v in held if id(v) in wanted}
    return names
