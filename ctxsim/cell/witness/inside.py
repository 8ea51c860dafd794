"""Inside the application's process: whether its proxies lead each request to what is its own.

The frameworks' own proxies are read, through a `View`: when a request begins, when a worker resumes
it after a pause, and in its teardowns; the stack is looked at before a request and after it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from ctxsim.cell.history import Event, Who
from ctxsim.cell.objects import UNCHANGEABLE
from ctxsim.cell.patching import Native
from ctxsim.cell.visits import Request
from ctxsim.cell.witness.answers import Owner
from ctxsim.cell.witness.bindings import Bindings
from ctxsim.cell.witness.claims import Claims, OwnersOfG
from ctxsim.cell.witness.probes import Probes
from ctxsim.cell.witness.reasons import without_addresses
from ctxsim.cell.witness.receivers import Receivers
from ctxsim.cell.witness.record import Current, Record, where_we_are

# What Flask says, since 2.2 and since 3.2, of a context that is popped out of order or by another
# worker.
_MISPOPPED = re.compile(
    r"Popped wrong (app|request) context|was created in a different Context"
    r"|Cannot pop this context .* (not the active context|no active context)"
)

# What a proxy asks for its object, or for the context in which it is.
LookUp = Callable[[], Any]


class View(Protocol):
    """How the contexts of one framework are read, by its public proxies alone."""

    def carried(self) -> Request | None:
        """The fake request that the current request context was made for, if it was for one."""

    def all_own(self, request: Request) -> bool:
        """Whether request and g are this request's own, and there is nothing in the session.

        A `g` that nobody had becomes its own. False also where that needs a closer look, such as at
        what a session holds.
        """

    def has_own_g(self, request: Request) -> bool:
        """Whether g is this request's own, which it becomes if it was nobody's; False without."""

    def is_clear(self) -> bool:
        """Whether this worker has neither a request context nor an app context."""

    owners_of_g: OwnersOfG

    def has_request(self) -> bool: ...

    def has_app(self) -> bool: ...

    def g(self) -> object: ...

    def belongs_to(self, thing: object) -> Request | None:
        """The fake request that a request object was made for; None for anything else."""

    def session(self) -> object | None:
        """The current request's session; None where there is none."""

    def listen(self, heard: Callable[[str, LookUp], LookUp]) -> None:
        """Have `request`, `g` and `session` look up by what `heard` makes of their functions.

        The view itself goes on without.
        """

    @property
    def held(self) -> Callable[[], Iterator[tuple[str, object]]] | None:
        """What gives all that this worker holds in locals of the framework; None where a search of
        context variables and thread-locals finds them by itself."""


class Inside:
    """Looks through a view, and notes what a request finds that is not its own."""

    def __init__(
        self,
        view: View,
        current: Current,
        record: Record,
        owner: Owner,
        live: dict[Request, object],
        native: Native,
    ) -> None:
        # Asked for once the request is known to have begun; None where the scenario names none.
        self.probes: Probes | None = None
        # Whether requests may be chosen to fail with an error.
        self.errs = True
        self._view = view
        self._current = current
        self._record = record
        self._owner = owner
        self._owners_of_g = view.owners_of_g
        self._sessions = Claims()
        # The g of a context that was pushed while the application was imported.
        self._inherited = [view.g()] if view.has_app() else []
        self._live = live
        self._bindings = Bindings(self._belongs_to, record, native.allocate_lock())
        self._receivers = Receivers(current, record)
        self._receivers.watch()

    def _belongs_to(self, thing: object) -> Request | None:
        return (
            self._view.belongs_to(thing)
            or self._owners_of_g.owner(thing)
            or self._sessions.owner(thing)
        )

    def before(self, request: Request) -> None:
        """The worker is about to take `request`: its stack should be empty."""
        view = self._view
        if view.is_clear():
            return
        if view.has_request():
            other = view.carried()
            if other is None:
                self._note(
                    "context.inherited", request, "request context", seen="a request context"
                )
            elif other in self._live:
                self._foreign(request, "stack", "before it began", other)
        elif view.has_app():
            self._inherits(request, view.g())

    def _inherits(self, request: Request, g: object) -> None:
        owner = self._owners_of_g.owner(g)
        if owner is None and not any(g is each for each in self._inherited):
            self._inherited.append(g)
        if any(g is each for each in self._inherited):
            self._note("context.inherited", request, "app context", seen="an app context")
        elif owner is not None and owner in self._live:
            self._foreign(request, "stack", "before it began", owner)

    def begin(self) -> None:
        """The request's context was pushed."""
        request = self._current.get()
        if request is None:
            return
        view = self._view
        if view.all_own(request):
            request.begun += 1
        # A request that a view makes itself, by a test client, is none of ours.
        elif view.has_request() and view.carried() is not None:
            request.begun += 1
            self.look("when it began")

    def look(self, moment: str) -> None:
        """Read the proxies for the request that the worker carries."""
        request = self._current.get()
        if request is None or not request.begun:
            return
        view = self._view
        if view.all_own(request):
            return
        if not view.has_request():
            # Once its teardown has run, a request does without: in `close`, or in middleware.
            if request.torn + request.torn_iterated < request.begun:
                self._note("value.lost", request, "its request context was gone", seen=moment)
            return
        carried = view.carried()
        if carried is not None and carried is not request:
            self._foreign(request, "request", moment, carried)
        self._look_at_g(request, moment)
        session = view.session()
        if session is not None:
            self._look_at_session(request, session, moment)

    def _look_at_g(self, request: Request, moment: str) -> None:
        if self._view.has_app():
            owner = self._owners_of_g.claim(self._view.g(), request)
            if owner is not request:
                self._foreign(request, "g", moment, owner)

    def _look_at_session(self, request: Request, session: object, moment: str) -> None:
        owner = self._sessions.claim(session, request)
        if owner.user is not request.user:
            self._note("session.foreign", request, "session", source=owner.who, seen=moment)
            return
        if _seen_already(request, session):
            return
        for mark in self._owner.marks.in_object(session):
            if not self._owner.is_own(mark, request) and not self._owner.is_shared(mark, request):
                self._note(
                    "session.foreign",
                    request,
                    "session's content",
                    source=self._owner.source(mark),
                    seen=f"{mark.text} {moment}",
                )

    def carries(self, request: Request) -> bool:
        """Whether the current request context is the one of `request`."""
        return self._view.has_request() and self._view.carried() is request

    def probe(self, request: Request, moment: str) -> None:
        """Ask the scenario's probes, if it has any, what they return for `request`."""
        if self.probes is not None:
            self.probes.look(request, moment)

    @property
    def is_asked_midway(self) -> bool:
        """Whether there is anything to do between a request's beginning and its teardown."""
        return self.errs or self.probes is not None

    def teardown(self, which: str) -> None:
        """A teardown runs in this worker: `request` or `app context`."""
        request = self._current.get()
        if request is not None:
            self.torn_down(request, which)

    def torn_down(self, request: Request, which: str) -> None:
        """The same where it is known already which request the worker carries."""
        if not request.begun:
            return
        view = self._view
        if which == "request" and view.all_own(request):
            _count_teardown(request)
            return
        has_request = view.has_request()
        if which == "app context" and not has_request and view.has_own_g(request):
            return
        carried = view.carried() if has_request else None
        if carried is not None and carried is not request:
            self._note("teardown.elsewhere", carried, f"{which} teardown", source=request.who)
        elif which == "app context":
            self._look_at_g(request, "in the app context's teardown")
        elif carried is request:
            _count_teardown(request)
            self.look("in its teardown")

    def listen(self, name: str, _subject: object) -> None:
        """What the runtime says of its contexts."""
        if name == "context.mispop":
            request = self._current.get()
            if request is not None:
                said = "a context was popped that was not the innermost one of its worker"
                self._note("context.mispop", request, "pop", seen=said)

    def raised(self, request: Request, error: BaseException) -> None:
        """The application raised `error` to its server: it may be a framework's word on a pop."""
        is_such = isinstance(error, (AssertionError, ValueError, RuntimeError))
        if is_such and _MISPOPPED.search(str(error)):
            said = without_addresses(str(error))[:200]
            self._note("context.mispop", request, "pop", seen=said)

    def after(self, request: Request) -> None:
        """The request and its response have ended: nothing of it may be on the stack."""
        view = self._view
        if view.is_clear():
            pass
        elif view.has_request():
            carried = view.carried()
            if carried is None or carried is request:
                self._note("context.left", request, "request context", seen="a request context")
            else:
                self._foreign(request, "stack", "after it had ended", carried)
        elif view.has_app():
            self._left(request, view.g())
        if request.torn != request.begun or request.torn_iterated > request.begun:
            self._count_teardowns(request)
        self._bindings.after(request)
        self._receivers.after(request)

    def _left(self, request: Request, g: object) -> None:
        if any(g is each for each in self._inherited):
            return
        owner = self._owners_of_g.claim(g, request)
        if owner is request:
            self._note("context.left", request, "app context", seen="an app context")
        elif owner in self._live:
            self._foreign(request, "stack", "after it had ended", owner)

    def _count_teardowns(self, request: Request) -> None:
        if request.torn + request.torn_iterated < request.begun:
            self._note("teardown.missed", request, "request teardown", seen="its teardown")
        elif max(request.torn, request.torn_iterated) > request.begun:
            self._note("teardown.twice", request, "request teardown", seen="its teardown")

    def _foreign(self, request: Request, place: str, moment: str, other: Request) -> None:
        self._note("saw.foreign", request, place, source=other.who, seen=moment)

    def _note(
        self, kind: str, request: Request, place: str, *, source: Who | None = None, seen: str = ""
    ) -> None:
        self._record.note(
            Event(
                kind=kind,
                place=place,
                victim=request.who,
                source=source,
                seen=seen,
                where=where_we_are(3),
                at_request=self._record.ended + 1,
            )
        )


def _seen_already(request: Request, session: object) -> bool:
    """Whether the session holds what it held when it was searched last, in this request."""
    if not isinstance(session, dict):
        return False
    held = dict(dict.items(session))
    seen, request.session_seen = request.session_seen, held
    # What can be changed in place is equal to itself, whatever it holds by now.
    return seen == held and all(type(value) in UNCHANGEABLE for value in held.values())


def _count_teardown(request: Request) -> None:
    # A context that is pushed again for a streamed response has a teardown of its own.
    if request.iterated:
        request.torn_iterated += 1
    else:
        request.torn += 1
