"""The census: which values of ended requests a process still holds after its run.

Looked for are canaries of requests. That a user's own canary or name is kept is no retention,
since a store of users keeps them by right; what no request should leave behind is its own value. A
user's own is told only where it piles up with each request.
"""

from __future__ import annotations

import gc
import inspect
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from contextvars import copy_context
from itertools import chain
from types import BuiltinFunctionType, FrameType, FunctionType, MethodType, ModuleType
from typing import Any

from ctxsim.cell import canaries
from ctxsim.cell.history import Event, Origin, Where, Who
from ctxsim.cell.objects import UNCHANGEABLE, instances
from ctxsim.cell.plan import SAFE, Plan
from ctxsim.cell.visits import Traffic
from ctxsim.cell.witness.answers import Owner, covers
from ctxsim.cell.witness.bounded import bounded_caches
from ctxsim.cell.witness.filed import Names, without_filed
from ctxsim.cell.witness.origins import Origins
from ctxsim.cell.witness.piling import Piling
from ctxsim.cell.witness.reach import Found, Walk, uncollected
from ctxsim.cell.witness.record import (
    Record,
    is_application_file,
    is_own_file,
    module_file,
    shown_file,
)
from ctxsim.cell.witness.residue import CONTEXT_STACKS
from ctxsim.cell.witness.stores import Root, Store, stores
from ctxsim.cell.witness.variables import named
from ctxsim.cell.witness.written import writer_of

# Not the application's, nor anything that grows: the interpreter's own, and bounded caches.
_NO_ROOTS = frozenset({"sys", "builtins", "gc", "__main__"})
_CACHES = (
    ("re", "_cache"),
    ("re", "_cache2"),
    ("linecache", "cache"),
    ("warnings", "onceregistry"),
    ("warnings", "filters"),
    # Django's caches in memory end what is kept in them, by age and by number.
    ("django.core.cache.backends.locmem", "_caches"),
    ("django.core.cache.backends.locmem", "_expire_info"),
)
_REGISTRY = "__warningregistry__"
# How many requests' values a library must keep, in each quarter of the run, to be growing.
_GROWTH = 8
_QUARTERS = 4
# What a store holds that ends what it keeps is all of the last part of a run. A leak that begins
# late looks the same, so that the part must be small to be believed.
_EVICTING_SHARE, _LAST_SHARE = 0.9, 0.75
# Of so few it is no chance that all are so new.
_LEAST_EVICTED = 2
# Work that runs in the background may be about to end when the last request has.
_PATIENCE_S = 1.0


class Census:
    """Counts, after a run, what is kept of its requests, and notes it."""

    def __init__(
        self,
        plan: Plan,
        traffic: Traffic,
        record: Record,
        resolve: Callable[[str], object],
        owner: Owner,
        origins: Origins,
    ) -> None:
        self._plan = plan
        self._traffic = traffic
        self._record = record
        self._resolve = resolve
        self._owner = owner
        self._origins = origins
        self._canaries = canaries.OfRequests(plan.run, plan.process)
        self._of_users = canaries.OfUsers(plan.run, plan.process)
        self._piling = Piling(plan, traffic)
        self._shared = plan.shared.routes
        # When in the run a user's request was sent; the run is over when it is asked.
        self._share_of: Callable[[int, int], float] = traffic.shares_of_run()

    def take(self, pause: Callable[[float], None]) -> None:
        """Note everything that is retained; all requests must have ended."""
        self._share_of = self._traffic.shares_of_run()
        found = self._look()
        if any(store.where for store in found):
            pause(_PATIENCE_S)
            later = {store.place: store.canaries for store in self._look()}
            found = [
                store
                for store in found
                if not store.where or store.canaries & later.get(store.place, frozenset())
            ]
        for store in found:
            self._note(store)

    def _look(self) -> list[Store]:
        gc.collect()
        with uncollected():
            return self._found()

    def _found(self) -> list[Store]:
        names = (*self._plan.keeps, *self._plan.shared.objects)
        kept = [each for name in names if (each := self._kept(name)) is not None]
        classes = (each for each in kept if issubclass(type(each), type))
        barred = (*classes, *_event_loops())
        roots = list(_roots(kept, names))
        prefix, closed = f"cx{self._plan.run}", list(_barred(kept))

        def walk_of(found: Found) -> Walk:
            return Walk(prefix, found, closed, barred, bounded=False)

        found_in = self._not_shared if self._shared else self._canaries.in_text
        found = self._stores(walk_of(found_in), roots)
        told = [store for store in found if self._counts(store)]
        if self._piling.is_possible:
            told += self._piles(
                walk_of(self._of_users.in_text), roots, {store.place for store in found}
            )
        return told

    def _stores(self, walk: Walk, roots: list[Root], *, count_holders: bool = False) -> list[Store]:
        things = [root.thing for root in roots]
        tree = walk.from_(things)
        if not tree.canaries:
            return []
        names = Names(self._owner.marks, self._traffic.session_keys())
        tree = without_filed(tree, things, names)
        ways = (stores(tree, root, count_holders=count_holders) for root in roots)
        return list(chain.from_iterable(ways))

    def _piles(self, walk: Walk, roots: list[Root], known: set[str]) -> Iterator[Store]:
        """Where users' own values pile up, but for places where requests' were found."""
        for store in self._stores(walk, roots, count_holders=True):
            if store.place not in known and not store.per_worker:
                route = self._piling.route_of(store.holders)
                if route and not any(
                    covers(each, route.partition(" ")[2]) for each in self._shared
                ):
                    yield store

    def _kept(self, name: str) -> Any:
        return self._resolve(name) if ":" in name else sys.modules.get(name)

    def _not_shared(self, text: str) -> list[str]:
        return [each for each in self._canaries.in_text(text) if not self._is_shared(each)]

    def _is_shared(self, canary: str) -> bool:
        origin = canaries.read(canary)
        assert origin is not None
        path = self._traffic.route_of(origin.user, origin.request).partition(" ")[2]
        return any(covers(route, path) for route in self._shared)

    def _counts(self, store: Store) -> bool:
        """Whether a store is told: it is the application's, or it grows."""
        if store.per_worker:
            # One value that a worker keeps until its next request is residue, if anything.
            return len(store.canaries) > 1 and (not store.of_library or self._grows(store))
        if store.of_library:
            return self._grows(store)
        return not (self._is_replaced(store) or self._is_served(store))

    def _is_served(self, store: Store) -> bool:
        """Whether what is kept was sent to be kept, and is given back to those who sent it.

        A list of orders is such a store, whichever key it has, if any. Nobody sends what is to be
        kept by a safe request (RFC 9110, section 9.2.1), and a single slot is no store of several.
        """
        if not store.is_open or store.canaries.isdisjoint(self._owner.recalled):
            return False
        origins = [origin for each in store.canaries if (origin := canaries.read(each)) is not None]
        routes = {self._traffic.route_of(each.user, each.request) for each in origins}
        return all(route.partition(" ")[0] not in SAFE for route in routes)

    def _is_replaced(self, store: Store) -> bool:
        """Whether what an application keeps gives way to newer values, by the age of what is there.

        A single slot does so too, and is told: what was one request's is there for the next one.
        """
        # The variable of a loop holds its last value until the next one comes. What has a key for
        # each, and was emptied, holds a few again.
        least = _LEAST_EVICTED if store.is_open else _GROWTH
        if not store.of_work and len(store.canaries) < least:
            return False
        last = _LAST_SHARE if store.of_work else _EVICTING_SHARE
        return all(self._share(each) >= last for each in store.canaries)

    def _share(self, canary: str) -> float:
        """At which share of the run the request of a canary was sent, from 0 to 1."""
        origin = canaries.read(canary)
        return 0.0 if origin is None else self._share_of(origin.user, origin.request)

    def _grows(self, store: Store) -> bool:
        """Whether values from the whole run are kept, and not from its end or beginning alone."""
        quarters = [0] * _QUARTERS
        for share in map(self._share, store.canaries):
            quarters[min(int(share * _QUARTERS), _QUARTERS - 1)] += 1
        return sum(quarters) >= _GROWTH and min(quarters) * 2 * _QUARTERS >= sum(quarters)

    def _note(self, store: Store) -> None:
        origin = canaries.read(store.canary)
        assert origin is not None
        piled = sum(store.holders.values())
        route = self._traffic.route_of(origin.user, origin.request)
        event = Event(
            kind="retained",
            place=store.place,
            victim=Who(origin.user, origin.request, route),
            seen=f"{store.example} = {store.canary}",
            expected=store.named,
            where=store.where,
            at_request=self._record.ended,
        )
        self._record.note(event, times=piled or len(store.canaries))
        if seen := self._origins.writer_of(store.place):
            self._record.tell_origin(event.cause, Origin(where=seen))
        elif likely := writer_of(store):
            self._record.tell_origin(event.cause, Origin(where=(likely,), is_likely=True))


def _barred(kept: Iterable[Any]) -> Iterator[object]:
    """What is not entered: what is meant to keep values, and bounded caches."""
    for each in kept:
        # The same text may be kept elsewhere, too; that a variable holds it is no matter of it.
        if type(each) not in UNCHANGEABLE:
            yield each
        if issubclass(type(each), ModuleType):
            yield from _own_names(each)
    for module_name, name in _CACHES:
        if module_name in sys.modules:
            cache = vars(sys.modules[module_name]).get(name)
            yield cache
            if type(cache) is dict:
                # Several caches, to each of which other ways may lead.
                yield from list(cache.values())
    yield vars(sys.modules["builtins"])
    yield from bounded_caches()
    for module in _modules():
        # Each is a root by what its variables hold.
        yield from (vars(module), vars(module).get(_REGISTRY))


def _event_loops() -> list[type]:
    """What holds callbacks until their time has come, those that were cancelled too."""
    events = sys.modules.get("asyncio.events")
    return [] if events is None else [events.AbstractEventLoop]


def _own_names(module: ModuleType) -> Iterator[object]:
    """The variables of a module and what they hold, but for what comes from other modules."""
    yield vars(module)
    for value in list(vars(module).values()):
        if not issubclass(type(value), ModuleType):
            home = getattr(value, "__module__", None) if _is_code(value) else module.__name__
            if home == module.__name__:
                yield value


def _is_code(value: object) -> bool:
    # By the class alone: to ask a proxy for anything asks what it leads to.
    return issubclass(type(value), (type, FunctionType, BuiltinFunctionType, MethodType))


def _modules() -> list[ModuleType]:
    found = (each for each in list(sys.modules.values()) if issubclass(type(each), ModuleType))
    return [each for each in found if _is_searched(each)]


def _is_searched(module: ModuleType) -> bool:
    name = ModuleType.__getattribute__(module, "__dict__").get("__name__")
    if type(name) is not str or name in _NO_ROOTS:
        return False
    file = module_file(module)
    return file is None or not is_own_file(file) or is_application_file(file)


def _roots(kept: list[Any], excused: Collection[str]) -> Iterator[Root]:
    """Everything that lives on by itself: modules, what threads run, the worker's context.

    Modules of libraries come first: what an application imports from one is the library's.
    """
    modules = [each for each in _modules() if not any(each is other for other in kept)]
    of_library = {id(each): not is_application_file(module_file(each)) for each in modules}
    for module in sorted(modules, key=lambda each: not of_library[id(each)]):
        name, names = module.__name__, dict(vars(module))
        for each in excused:
            if each.startswith(f"{name}:"):
                names.pop(each.partition(":")[2], None)
        yield Root(names, name, of_library=of_library[id(module)])
    for variable, value in copy_context().items():
        if variable.name not in CONTEXT_STACKS and not variable.name.startswith("ctxsim."):
            yield Root({"value": value}, named(variable), per_worker=True)
    for frame in _live_frames():
        code = frame.f_code
        form = f"frame of {code.co_name}() in {shown_file(code.co_filename)}"
        where = Where(shown_file(code.co_filename), frame.f_lineno, code.co_name)
        yield Root(dict(frame.f_locals), form, where=(where,))


def _live_frames() -> Iterator[FrameType]:
    """The frames of the application's that go on in other threads, and in greenlets that wait."""
    ours = sys._getframe()
    tops = [frame for frame in sys._current_frames().values() if frame is not ours]
    greenlet = sys.modules.get("greenlet")
    if greenlet is not None:
        tops += [each.gr_frame for each in instances(greenlet.greenlet) if each.gr_frame]
    for top in tops:
        frame: FrameType | None = top
        while frame is not None:
            # A class's body may have any object for its locals; a function's are read by no code.
            if frame.f_code.co_flags & inspect.CO_OPTIMIZED and _is_application(frame):
                yield frame
            frame = frame.f_back


def _is_application(frame: FrameType) -> bool:
    return is_application_file(frame.f_code.co_filename)
