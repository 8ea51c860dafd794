"""Where a value that was seen in the wrong place is kept, and the line that wrote it.

When something is found for the first time, the application's own variables are searched for the
value. Then the next requests are traced, until one of them writes a value of its own to the same
place: the line that it had just executed is the writer. A miss tells nothing; what cannot be told
from something else is no origin.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from types import FrameType, ModuleType
from typing import Any

from ctxsim.cell.history import Event, Origin, Where, Who
from ctxsim.cell.plan import Plan
from ctxsim.cell.visits import Request
from ctxsim.cell.witness.bindings import application_modules
from ctxsim.cell.witness.marks import Mark, Marks
from ctxsim.cell.witness.reach import Walk
from ctxsim.cell.witness.record import (
    Current,
    Record,
    application_frames,
    is_application_file,
    module_file,
)
from ctxsim.cell.witness.stores import Root, Store, stores
from ctxsim.cell.witness.variables import KIND, named
from ctxsim.cell.witness.written import is_read, writer_of

_KINDS = frozenset({"answer.foreign", "saw.foreign", "session.foreign", "residue"})
_MOST_OBJECTS = 20_000
# These are gone through in a moment; the others take long enough for a value to be overwritten.
_NEAR_OBJECTS = 2_000
_MOST_OBJECTS_AGAIN = 2_000
# A search takes some 30 ms. What one misses, since it was overwritten, the next few may find.
_MOST_SEARCHES = 40
_MOST_SEARCHES_OF_A_CAUSE = 6
_ATTEMPTS = 20
# So many lines of one request are looked behind, and so many for one suspect: what a request
# computes in a loop of thousands would take seconds, and look as if it hung.
_MOST_LINES_OF_A_REQUEST = 250
_MOST_LINES = 1_000
# A search takes less.
_SEARCH_S = 0.05


@dataclass(slots=True)
class _Suspect:
    """A place that is watched for the line that writes to it.

    `is_sure`: the value itself was found there. `of_users`: it told a user, not a request.
    """

    cause: tuple[str, ...]
    place: str
    named: str
    of_users: bool
    is_sure: bool
    attempts: int = _ATTEMPTS
    lines: int = _MOST_LINES

    @property
    def slot(self) -> tuple[str, bool]:
        """What is written to: causes that share it have one writer."""
        return self.place, self.of_users


class Origins:
    """Finds where values come from. `wanted` says whether requests should be traced."""

    __slots__ = (
        "_alone", "_before", "_current", "_files", "_in_turn", "_known", "_last", "_lines_left",
        "_lock", "_marks", "_record", "_searches", "_searches_of", "_suspects", "_writers", "fault",
        "traced", "wanted",
    )  # fmt: skip

    def __init__(
        self,
        plan: Plan,
        marks: Marks,
        record: Record,
        current: Current,
        allocate_lock: Callable[[], Any],
    ) -> None:
        self._marks = marks
        self._record = record
        self._current = current
        # No two requests of one user are in flight at once.
        self._in_turn = plan.users.parallel == 1
        self._lock = allocate_lock()
        self._alone = allocate_lock()
        self._suspects: list[_Suspect] = []
        self._searches = 0
        self._searches_of: dict[tuple[str, ...], int] = {}
        # The causes whose origin is known, or looked for.
        self._known: set[tuple[str, ...]] = set()
        self._writers: dict[tuple[str, bool], Origin] = {}
        self._files: dict[str, bool] = {}
        self._last: tuple[Where, ...] = ()
        # The user's earlier values in the place that is watched, when the request began.
        self._before: set[str] = set()
        self._lines_left = 0
        self.wanted = False
        self.traced: Request | None = None
        self.fault: Exception | None = None

    def search(self, event: Event) -> None:
        """Something was found for the first times: search where it is kept."""
        source = event.source
        if event.kind not in _KINDS or source is None or self._searches >= _MOST_SEARCHES:
            return
        of_cause = self._searches_of.get(event.cause, 0)
        if event.cause in self._known or of_cause >= _MOST_SEARCHES_OF_A_CAUSE:
            return
        self._searches += 1
        self._searches_of[event.cause] = of_cause + 1
        if event.kind == "residue":
            self._suspect_residue(event, source)
            return
        kept = self._kept(source.request == 0)
        found = [(store, marks) for store, marks in kept if not _is_of_frameworks_request(store)]
        sure = self._read_of(_stores_of(source, found), source)
        slots = [store for store in sure if not store.is_open] or sure
        is_sure = bool(slots)
        if not is_sure:
            # It was overwritten meanwhile, as a variable that all requests write to is.
            slots = [store for store, _ in found if not store.is_open] or [s for s, _ in found]
        if len(slots) == 1 and not (source.request == 0 and slots[0].is_open):
            self._watch(event, slots[0], of_users=source.request == 0, is_sure=is_sure)

    def _read_of(self, stores: list[Store], source: Who) -> list[Store]:
        """The stores of a value that the application reads: no answer comes from the others.

        The same text may be in several variables, and a search tells one of them.
        """
        read = [store for store in stores if is_read(store)]
        if read or not stores:
            return read
        others = self._kept(source.request == 0, {store.named for store in stores})
        read = [store for store in _stores_of(source, others) if is_read(store)]
        return read or stores

    def _suspect_residue(self, event: Event, source: Who) -> None:
        of_users = source.request == 0
        if event.place.startswith(KIND):
            suspect = _Suspect(event.cause, event.place, event.place, of_users, is_sure=True)
            self._add(suspect)
            return
        for store, _ in self._kept(of_users):
            if store.place.startswith(event.place):
                self._watch(event, store, of_users=of_users, is_sure=True)
                return

    def _watch(self, event: Event, store: Store, *, of_users: bool, is_sure: bool) -> None:
        if is_sure:
            # Who writes it once, or in a thread that is not traced, is not seen to.
            likely = writer_of(store)
            where = () if likely is None else (likely,)
            told = Origin(store.place, where, is_likely=likely is not None)
            self._record.tell_origin(event.cause, told)
        self._add(_Suspect(event.cause, store.place, store.named, of_users, is_sure))

    def _add(self, suspect: _Suspect) -> None:
        with self._lock:
            self._known.add(suspect.cause)
            written = self._writers.get(suspect.slot)
            if written is None:
                self._suspects.append(suspect)
                # A tracer that is there already, such as a debugger's, is left alone.
                self.wanted = sys.gettrace() is None
        if written is not None:
            self._record.tell_origin(suspect.cause, written)

    def _kept(
        self, of_users: bool, without: Collection[str] = ()
    ) -> Iterator[tuple[Store, list[Mark]]]:
        """What the application's variables hold, `without` those that are named so."""
        roots = [Root(_variables(each, without), each.__name__) for each in application_modules()]
        with self._alone, _undisturbed():
            near = self._stores(roots, of_users, _NEAR_OBJECTS)
            found = {each.place: each for each in near}
            found |= {each.place: each for each in self._stores(roots, of_users, _MOST_OBJECTS)}
        for store in found.values():
            marks = [mark for text in store.canaries for mark in self._marks.in_object(text)]
            yield store, marks

    def _stores(self, roots: list[Root], of_users: bool, most: int) -> list[Store]:
        likely = self._marks.may_be_in

        def found(text: str) -> list[str]:
            # Next to most texts that hold one stand hundreds that do not.
            marks = self._marks.in_object(text) if likely(text) else ()
            return [mark.text for mark in marks if not mark.torn and _fits(mark, of_users)]

        # A function leads to all of its module, and so to everything there is.
        barred = [vars(each) for each in list(sys.modules.values()) if type(each) is ModuleType]
        tree = Walk("", found, barred, likely=likely).from_([root.thing for root in roots], most)
        return [store for root in roots for store in stores(tree, root)]

    def writer_of(self, place: str) -> tuple[Where, ...]:
        """Which line was seen to write to a place; () where none was."""
        written = (each for (at, _), each in self._writers.items() if at == place)
        return next(written, Origin()).where

    def begin(self, request: Request) -> None:
        """A request is about to be carried by this worker; it may be the one to trace."""
        with self._lock:
            if self.traced is not None or not self._suspects or sys.gettrace() is not None:
                return
            if not request.user.number:
                return
            before = self._own(self._suspects[0], request)
            if self._suspects[0].of_users and before:
                return
            self.traced = request
        self._before, self._last = before, ()
        self._lines_left = min(_MOST_LINES_OF_A_REQUEST, self._suspects[0].lines)
        sys.settrace(self._on_call)

    def end(self, request: Request) -> None:
        """The request that was traced has ended."""
        if self.traced is not request:
            return
        if self._last:
            self._look(request)
        if self.traced is request:
            self._give_up(request)

    def _give_up(self, request: Request) -> None:
        sys.settrace(None)
        with self._lock:
            self.traced = None
            suspect = self._suspects[0]
            suspect.attempts -= 1
            if suspect.attempts <= 0 or suspect.lines <= 0:
                self._suspects.pop(0)
            self.wanted = bool(self._suspects)

    def _on_call(self, frame: FrameType, _event: str, _arg: object) -> Any:
        if self.traced is None or self._current.get() is not self.traced:
            return None
        file = frame.f_code.co_filename
        known = self._files.get(file)
        if known is None:
            known = self._files[file] = is_application_file(file)
        return self._on_line if known else None

    def _on_line(self, frame: FrameType, event: str, _arg: object) -> Any:
        request = self.traced
        if request is None or self._current.get() is not request:
            return None if request is None else self._on_line
        try:
            if self._last:
                self._look(request)
                if self.traced is not request:
                    return None
            self._last = application_frames(frame if event == "line" else frame.f_back, 1)
        except Exception as error:  # noqa: BLE001 - the application must not meet our fault
            self.fault = error
            self.traced = None
            self.wanted = False
            sys.settrace(None)
            return None
        return self._on_line

    def _look(self, request: Request) -> None:
        suspect = self._suspects[0]
        suspect.lines -= 1
        self._lines_left -= 1
        if not self._holds(suspect, request):
            if self._lines_left <= 0:
                self._give_up(request)
            return
        sys.settrace(None)
        written = Origin(_kept_in(suspect), self._last)
        with self._lock:
            self.traced = None
            self._writers[suspect.slot] = written
            told = [each for each in self._suspects if each.slot == suspect.slot]
            self._suspects = [each for each in self._suspects if each.slot != suspect.slot]
            self.wanted = bool(self._suspects)
        for each in told:
            self._record.tell_origin(each.cause, written)

    def _holds(self, suspect: _Suspect, request: Request) -> bool:
        """Whether a value of the request's own has come to where the other one was found.

        It may be one that its user's session has carried on from an earlier request.
        """
        own = self._own(suspect, request)
        if suspect.of_users or self._in_turn:
            return bool(own - self._before)
        return request.canary in own

    def _own(self, suspect: _Suspect, request: Request) -> set[str]:
        """The values of the request's user that are now where the other one was found."""
        root = _root_of(suspect)
        if root is None:
            return set()
        found = self._stores([root], suspect.of_users, _MOST_OBJECTS_AGAIN)
        return {
            mark.text
            for store in found
            if store.place.startswith(suspect.place)
            for text in store.canaries
            for mark in self._marks.in_object(text)
            if mark.user == request.user.number
        }


def _is_of_frameworks_request(store: Store) -> bool:
    """Whether a library keeps it for each worker and the application only imports what shows it.

    Bottle's `request` and `response` are such: in the one stands what the client has sent, and in
    the other what it was answered, which is where a leak shows, and not where it comes from.
    """
    module, _, name = store.named.partition(":")
    if not store.per_worker or module not in sys.modules:
        return False
    thing = vars(sys.modules[module]).get(name)
    home = sys.modules.get(type(thing).__module__)
    if home is None or is_application_file(module_file(home)):
        return False
    return any(each is thing for each in list(vars(home).values()))


def _fits(mark: Mark, of_users: bool) -> bool:
    return mark.user != 0 and mark.request == 0 if of_users else mark.request != 0


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Leave other threads little chance to run: what is searched must not change meanwhile."""
    interval_s = sys.getswitchinterval()
    sys.setswitchinterval(_SEARCH_S)
    try:
        yield
    finally:
        sys.setswitchinterval(interval_s)


def _kept_in(suspect: _Suspect) -> str:
    return "" if suspect.place.startswith(KIND) else suspect.place


def _stores_of(source: Who, found: Iterable[tuple[Store, list[Mark]]]) -> list[Store]:
    return [store for store, marks in found if any(_is_of(mark, source) for mark in marks)]


def _variables(module: ModuleType, without: Collection[str]) -> dict[str, Any]:
    names = dict(vars(module))
    for name in [each for each in names if f"{module.__name__}:{each}" in without]:
        del names[name]
    return names


def _is_of(mark: Mark, source: Who) -> bool:
    return mark.user == source.user and mark.request == source.request


def _root_of(suspect: _Suspect) -> Root | None:
    """The one variable that the suspect's path begins with, as it is now."""
    if suspect.place.startswith(KIND):
        for variable, value in copy_context().items():
            if named(variable) == suspect.place:
                return Root({"value": value}, suspect.place, per_worker=True)
        return None
    module_name, _, name = suspect.named.partition(":")
    names = vars(sys.modules[module_name])
    return Root({name: names[name]}, module_name) if name in names else None
