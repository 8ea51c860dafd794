"""A server that runs elsewhere: requests go to it as bytes, over connections that are shared.

The transport is part of what is tested, since it decides what leaks: requests of several users
follow each other on one connection, some before the last one is answered, bodies come in other
shapes, and clients leave. What is carried alone goes by a connection of its own, without all that.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from functools import partial

from ctxsim.cell.chance import scrambled
from ctxsim.cell.plan import Address, Plan
from ctxsim.cell.targets import wire as bytes_of
from ctxsim.cell.targets.bodies import shaped, shapes_of
from ctxsim.cell.targets.connections import Connection, Connections, may_be_pipelined
from ctxsim.cell.targets.patience import Patience
from ctxsim.cell.targets.wire import ClosedError, NoResponseError, Received
from ctxsim.cell.visits import Request, Response
from ctxsim.cell.witness.earlier import Earlier
from ctxsim.cell.witness.inside import Inside, View
from ctxsim.cell.witness.wire import Wire

# A request is given up after this time, so that an answer that never comes is told as an error.
_TIMEOUT_S = 20.0
_SIP_PAUSE_S = 0.001
# Of 256 requests, so many...
_OF = 256
_PIPELINED, _ALONE, _SLOW, _SHAPED = 64, 32, 12, 80
# Draws once more from what was drawn (Knuth's multiplicative hashing).
_SPREAD = 2654435761
_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
_REQUEST_ID = "X-Request-ID"
# How a client leaves: amid its request, before the response, within it, and once it has it all.
_AMID, _BEFORE, _WITHIN, _AFTER = range(4)


# Headers that say how the message travels, which is chosen here.
_OURS = frozenset({"content-length", "transfer-encoding", "connection"})
# So often does a server leave pipelined requests unanswered before no more are sent.
_PATIENCE = 4
# A pipelined request can be sent again. So it is given up after so many times what the slowest
# answer took, and not sooner than after a second.
_SLOWER, _LEAST_S = 10, 1.0


class LostError(Exception):
    """A shared connection ended before the answer, and the request may have been carried out."""


class Http:
    """A server, as a target; `sleep` is how a worker of the cell waits."""

    view: View | None = None
    session_cookie = "session"
    # What judges its connections, and what knows earlier runs; to be put here before the first
    # request.
    wire: Wire
    earlier: Earlier

    def __init__(self, plan: Plan, sleep: Callable[[float], None]) -> None:
        target = plan.target
        assert target.address is not None
        self._address: Address = target.address
        self._seed = plan.seed
        alone = plan.one_by_one or plan.only_user is not None
        self._ways = frozenset(target.connections)
        self._shares = not alone and "shared" in self._ways
        self._pipelines = self._shares and "pipelined" in self._ways and plan.workers.in_flight > 1
        # One thread cannot send on an encrypted connection while another one reads from it.
        self._clock = time.perf_counter
        self._unpipelined = self._pipelines and self._address.tls
        self._pipelines = self._pipelines and not self._address.tls
        # How many requests were answered that were sent behind another one; how many were not.
        self.pipelined = self._unanswered = 0
        # How many were not answered, though their connections stayed.
        self._silent = 0
        # How many requests were lost with a shared connection.
        self.lost = 0
        # Of which routes requests got no answer at all, why, and how many.
        self.unanswered: Counter[tuple[str, str]] = Counter()
        self.facts = {"kind": "http", "app": target.app}
        self._timeout_s = min(_TIMEOUT_S, max(1.0, plan.stall_s * 2 / 3))
        clients = 1 if alone else plan.workers.in_flight
        self.patience = Patience(self._timeout_s, clients)
        # Of a look there are none, which makes its steps as it goes.
        self._routes = [each.route for each in plan.steps]
        self._connections = Connections(
            self._address, self._timeout_s, partial(sleep, _SIP_PAUSE_S), target.app
        )
        self._connections.on_unasked = lambda data: self.wire.unasked(data)
        self._connections.greet()

    def watch(self, inside: Inside) -> None:
        """Nothing can be told of the inside of another process."""

    def close(self) -> Iterator[str]:
        """Close what is idle, and see whether more came than was asked for; gives remarks."""
        self._connections.close()
        self.wire.finish()
        if self._unpipelined:
            yield "by https no requests were pipelined"
        if self._unanswered and not self.pipelined:
            yield "the server answers no pipelined requests; they were sent again"
        elif self._silent:
            yield (
                f"the server left {self._silent:,} of {self._silent + self.pipelined:,} pipelined "
                "requests without an answer; they were sent again"
            )
        if self.lost:
            yield (
                f"{self.lost:,} requests got no answer, because the server had ended a connection "
                "that others had used; they may have been carried out, and were not judged"
            )
        if refused := self.wire.refused():
            told = "; ".join(refused)
            yield f"not judged, because it is answered otherwise than a plain body: {told}"

    def fetch(self, path: str, accept: str) -> Received:
        """What is answered to a GET of nobody's; raises NoResponseError and OSError."""
        connection = self._connections.fresh(self._timeout_s)
        try:
            headers = [
                ("Host", self._address.authority),
                ("Accept", accept),
                ("Connection", "close"),
            ]
            place = connection.send(bytes_of.head("GET", self._address.prefix + path, headers))
            return connection.receive(place, "GET")
        finally:
            connection.close()

    def send(self, request: Request) -> Generator[None, None, Response]:
        # A client waits inside of its socket, which lets others run where that is patched.
        yield from ()
        drawn = scrambled(self._seed, request.user.number, request.number, request.lane.place)
        started = self._clock()
        try:
            return self._sent(request, drawn)
        except LostError:
            if self.wire.is_trial(request):
                self.wire.tried(request, has_own=False, kept=False)
            request.faulted, request.fault = True, "lost"
            self.lost += 1
            self.wire.gone(request)
            return Response(0, [], b"", complete=False)
        except (NoResponseError, OSError) as error:
            self.wire.gone(request)
            self.unanswered[request.step.route, type(error).__name__] += 1
            if isinstance(error, TimeoutError):
                self.patience.waited(self._route(request), started, self._clock())
            # Whatever it is, it came to this client.
            data = error.data if isinstance(error, NoResponseError) else b""
            return Response(0, [], data, complete=False, error=error)

    def _sent(self, request: Request, drawn: int) -> Response:
        self._choose(request, drawn)
        if request.fault == "abort":
            return self._aborted(request, drawn)
        if self._pipelines and may_be_pipelined(request) and drawn >> 8 & 255 < _PIPELINED:
            received = self._pipelined(request)
            if received is not None:
                return _response(received)
        slow = "slow" in self._ways and (drawn * _SPREAD >> 13) % _OF < _SLOW
        known = self.wire.knows(request)
        if self._shares and known and drawn & 255 >= _ALONE:
            try:
                connection = self._connections.shared(self._patience_s(request), narrow=slow)
                return self._by(request, connection, slow=slow)
            except ClosedError as error:
                # A server may close an idle connection at any time, also when a request is under
                # way: then it is sent again, where sending it twice does no harm.
                if error.begun:
                    raise
                if request.prepared.step.method not in _IDEMPOTENT:
                    raise LostError from error
        return self._alone(request, slow=slow)

    def _choose(self, request: Request, drawn: int) -> None:
        """Choose the body's shape, and whether a header comes that the step does not name."""
        if not self.wire.knows(request):
            return
        shapes = shapes_of(request) if "bodies" in self._ways and request.user.number else ()
        if shapes and request.fault is None and drawn >> 16 & 255 < _SHAPED:
            shape = shapes[(drawn >> 24) % len(shapes)]
            request.shape = shape if self.wire.takes(request, shape) else ""
        named = any(name.lower() == _REQUEST_ID.lower() for name, _ in request.headers)
        request.tagged = "headers" in self._ways and not named and bool(drawn >> 7 & 1)

    def _alone(self, request: Request, *, slow: bool) -> Response:
        """By a connection of its own, which ends with it."""
        connection = self._connections.fresh(self._patience_s(request), narrow=slow)
        try:
            data = self._data(request, close=True)
            return _response(self._exchanged(request, connection, data, slow=slow))
        finally:
            connection.close()

    def _by(self, request: Request, connection: Connection, *, slow: bool) -> Response:
        """By a connection that other requests have used, or will use."""
        connection.line.send(request)
        try:
            data = self._data(request, close=False)
            received = self._exchanged(request, connection, data, slow=slow)
        except ClosedError as error:
            connection.give_up()
            if connection.used == 1 and not request.shape:
                # Nobody else had used it: the server, and no keep-alive, ended it.
                raise NoResponseError(str(error)) from error
            if not error.begun:
                connection.line.leave(request)
            raise
        except BaseException:
            connection.give_up()
            raise
        finally:
            self._connections.give_back(connection)
        return _response(received)

    def _exchanged(
        self, request: Request, connection: Connection, data: bytes, *, slow: bool
    ) -> Received:
        try:
            place = connection.send(data)
        except ConnectionError as error:
            # It answered before it had read all, and left: what it said is lost with the rest.
            if request.shape:
                raise LostError from error
            raise ClosedError(begun=False) from error
        connection.is_open = not request.shape and not slow
        started = self._clock()
        received = connection.receive(place, request.prepared.step.method, slow=slow)
        ended = self._clock()
        patience = self.patience
        patience.answered_at[self._route(request)] = ended
        if ended - started > patience.slowest_s:
            patience.slowest_s = ended - started
        return received

    def _patience_s(self, request: Request) -> float:
        return self.patience.seconds(self._route(request))

    def _route(self, request: Request) -> str:
        index = request.prepared.index
        return self._routes[index] if index < len(self._routes) else request.step.route

    @property
    def _patience_behind_s(self) -> float:
        """How long a pipelined request may wait, once those before it have their answers."""
        return min(self._timeout_s, max(_LEAST_S, _SLOWER * self.patience.slowest_s))

    def _pipelined(self, request: Request) -> Received | None:
        """Behind a request that has no answer yet; None where there is none, or it failed."""
        if self._silent >= _PATIENCE or (not self.pipelined and self._unanswered >= _PATIENCE):
            self._pipelines = False
        if not self.wire.knows(request) or (connection := self._connections.joined()) is None:
            return None
        connection.line.send(request)
        try:
            place = connection.send(self._data(request, close=False))
            method, timeout_s = request.prepared.step.method, self._patience_behind_s
            received = connection.receive(place, method, timeout_s=timeout_s)
        except (ClosedError, OSError) as error:
            connection.give_up()
            self._silent += isinstance(error, TimeoutError)
            if isinstance(error, ClosedError) and error.begun:
                raise
            # The connection ended with the answer before: whoever pipelines has to send again.
            connection.line.leave(request)
            self._unanswered += 1
            return None
        except NoResponseError:
            connection.give_up()
            raise
        else:
            self.pipelined += 1
            return received
        finally:
            self._connections.give_back(connection)

    def _aborted(self, request: Request, drawn: int) -> Response:
        """The client leaves, in one of four moments, by a reset or an orderly end."""
        request.faulted = True
        when = request.fault_draw & 3
        shares = self._shares and self.wire.knows(request) and when == _AFTER
        patience_s = self._patience_s(request)
        if shares:
            connection = self._connections.shared(patience_s)
        else:
            connection = self._connections.fresh(patience_s, narrow=when == _WITHIN)
        data = self._data(request, close=False)
        received = None
        try:
            if when == _AMID:
                connection.sock.sendall(data[: max(1, len(data) * (drawn >> 8 & 7) // 8)])
            else:
                place = connection.send(data)
            if when == _WITHIN:
                connection.reader.first_bytes()
            if when == _AFTER:
                received = connection.receive(place, request.prepared.step.method)
        except (ClosedError, ConnectionError) as error:
            # A server may have closed an idle connection: who leaves does not send again.
            is_ended = not (isinstance(error, ClosedError) and error.begun)
            if not (shares and connection.used > 1 and is_ended):
                raise
        finally:
            connection.close(at_once=bool(request.fault_draw >> 2 & 1))
            if shares:
                self._connections.give_back(connection)
        if received is None:
            return Response(0, [], b"", complete=False)
        return Response(received.status, received.headers, received.body, complete=False)

    def _data(self, request: Request, *, close: bool) -> bytes:
        content_type, body, chunk = shaped(request)
        names = {name.lower() for name, _ in request.headers}
        headers = [("Accept", "*/*")]
        if "host" not in names:
            headers.insert(0, ("Host", self._address.authority))
        path = self._address.prefix + request.path
        jar = request.user.jar
        if jar is not None and "cookie" not in names and (cookies := jar.header(path)):
            headers.append(("Cookie", cookies))
        if request.tagged:
            headers.append((_REQUEST_ID, request.canary))
        if content_type and "content-type" not in names:
            headers.append(("Content-Type", content_type))
        if chunk:
            headers.append(("Transfer-Encoding", "chunked"))
        elif body or request.prepared.step.method in ("POST", "PUT", "PATCH"):
            headers.append(("Content-Length", str(len(body))))
        if close:
            headers.append(("Connection", "close"))
        headers += [each for each in request.headers if each[0].lower() not in _OURS]
        where = f"{path}?{request.query}" if request.query else path
        head = bytes_of.head(request.prepared.step.method, where, headers)
        return head + (bytes_of.chunked(body, chunk) if chunk else body)


def _response(received: Received) -> Response:
    return Response(received.status, received.headers, received.body, reason=received.reason)
