"""The ticker: a native thread that tells the harness how far the cell is, and listens to it."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable, Sequence

from ctxsim.cell import stacks
from ctxsim.cell.crowd import Crowd
from ctxsim.cell.messages import Channel, Lines, Message
from ctxsim.cell.patching import Native
from ctxsim.cell.targets.importing import leading_nowhere
from ctxsim.cell.workers.carry import Crew, added_up

_TICK_S = 0.25
_CHUNK_BYTES = 64 * 1024


class Ticker:
    """Listens from the cell's start; once there is a crew, says its tally from time to time, and
    stacks when nothing ends any more.

    It is a thread of the interpreter's own, in a patched process too: it must go on when the hub is
    blocked, and while the application hangs in its import. When the harness is gone, it ends the
    process. One thread does both, because the application runs beside it.
    """

    def __init__(self, channel: Channel, native: Native) -> None:
        self._channel = channel
        self._lines = Lines()
        self._native = native
        self._exit, self._pid = os._exit, os.getpid()
        self._crew: Crew | None = None
        self._stall_s = 0.0
        self._over = False
        self._saying = native.allocate_lock()
        self.stopped = False
        # Of a live load: how many users are there, and whether all have gone.
        self._users = 0
        self._finished = False

    def first(self) -> Message:
        """What the harness says first, for which the caller waits."""
        while data := self._channel.end.recv(_CHUNK_BYTES):
            messages = list(self._lines.feed(data))
            if messages:
                self._obey(messages[1:])
                return messages[0]
        raise SystemExit("ctxsim: the harness went away before it said what to do")

    def start(self) -> None:
        self._native.start_thread(self._tick_on, ())

    def follow(self, crew: Crew, stall_s: float) -> None:
        """Tell how far `crew` is from now on."""
        self._stall_s = stall_s
        self._crew = crew
        # The thread asks in the other order, so that one of both sees what the other has set.
        self._pass_on(crew)

    def last(self, elapsed_s: float) -> None:
        """Say the final tally."""
        with self._saying:
            self._over = True
            if self._crew is not None:
                self._say_tally(self._crew, elapsed_s, _unknown_names(self._crew))

    def last_words(self) -> None:
        """Say how far the cell came and where everything stands."""
        if self._crew is not None:
            self._say_tally(self._crew, 0.0)
            self._say_stacks(self._crew)

    def _tick_on(self) -> None:
        try:
            self._tick()
        except OSError:
            # The harness is gone, in the middle of a word.
            self._end_process()

    def _tick(self) -> None:
        standstill: Standstill | None = None
        # To the end of the process: what the application does when it is closed may hang as well.
        while True:
            self._listen()
            crew = self._crew
            if crew is None or self._over:
                continue
            with self._saying:
                # Not after the last tally, which counts more.
                if not self._over:
                    self._say_tally(crew, 0.0)
            if standstill is None:
                # By the clock from here on: the first tick may come right after the load's begin.
                standstill = Standstill(self._stall_s, self._native.clock_s())
            if not self._is_quiet(crew) and standstill.begins(
                sum(each.requests for each in crew.tallies), self._native.clock_s()
            ):
                self._say_stacks(crew)

    def _listen(self) -> None:
        end = self._channel.end
        ready, _, _ = self._native.select([end], [], [], _TICK_S)
        if not ready:
            return
        data = end.recv(_CHUNK_BYTES)
        if not data:
            self._end_process()
        self._obey(self._lines.feed(data))

    def _end_process(self) -> None:
        """End it with all that the application has started: nobody else is left to do so."""
        # The cell leads a session of its own; where it leads none, there is no such group.
        with contextlib.suppress(OSError):
            os.killpg(self._pid, signal.SIGKILL)
        self._exit(1)

    def _obey(self, messages: Iterable[Message]) -> None:
        for message in messages:
            match message:
                case {"say": "stop"}:
                    self.stopped = True
                case {"say": "users", "count": int() as count}:
                    self._users = count
                case {"say": "finish"}:
                    self._finished = True
        if self._crew is not None:
            self._pass_on(self._crew)

    def _pass_on(self, crew: Crew) -> None:
        if self.stopped or self._finished:
            crew.traffic.stop()
        elif isinstance(crew.traffic, Crowd):
            crew.traffic.resize(self._users)

    def _is_quiet(self, crew: Crew) -> bool:
        """Whether nothing ends because nobody is there."""
        return crew.plan.load.live and not self._users and not crew.live

    def _say_stacks(self, crew: Crew) -> None:
        self._channel.say({"say": "stacks", "stacks": stacks.all_stacks(crew.live)})

    def _say_tally(self, crew: Crew, elapsed_s: float, unknown_names: Sequence[str] = ()) -> None:
        if crew.ended is not None:
            for rows in crew.ended.batches():
                self._channel.say({"say": "requests", "rows": rows})
        total = added_up(crew.tallies)
        total.elapsed_s = elapsed_s
        traffic = crew.traffic
        at_once = traffic.most_at_once if isinstance(traffic, Crowd) else traffic.width
        total.in_flight_most = min(crew.workers.in_flight, at_once)
        total.unsent = crew.traffic.unsent()
        total.untold = crew.untold_routes()
        # What a server's requests raise is what the wire did.
        total.raised = [] if crew.plan.is_remote else list(crew.answers.reasons.values())
        total.unknown_names = list(unknown_names)
        self._channel.say(
            {"say": "tally", "tally": total.to_json(), "counts": crew.record.counts()}
        )


def _unknown_names(crew: Crew) -> list[str]:
    return leading_nowhere((*crew.plan.shared.objects, *crew.plan.keeps))


class Standstill:
    """Notices that for `stall_s` no request has ended; times are in seconds of one clock."""

    def __init__(self, stall_s: float, now_s: float) -> None:
        self._stall_s = stall_s
        self._ended = 0
        self._since_s = now_s
        self._known = False

    def begins(self, ended: int, now_s: float) -> bool:
        """Whether it is seen now, for the first time since a request ended."""
        if ended != self._ended:
            self._ended, self._since_s, self._known = ended, now_s, False
        seen = now_s - self._since_s >= self._stall_s
        begins, self._known = seen and not self._known, seen
        return begins
