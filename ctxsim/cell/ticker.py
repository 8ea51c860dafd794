"""The ticker: a native thread that tells the harness how far the cell is, and listens to it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict

from ctxsim.cell import stacks
from ctxsim.cell.messages import Channel, Lines
from ctxsim.cell.patching import Native
from ctxsim.cell.targets.importing import leading_nowhere
from ctxsim.cell.workers.carry import Crew, added_up

_TICK_S = 0.25


class Ticker:
    """Says the tally from time to time; sends stacks when nothing ends any more.

    It is a thread of the interpreter's own, in a patched process too: it must go on when the hub is
    blocked. When the harness is gone, it ends the process.
    """

    def __init__(
        self, crew: Crew, channel: Channel, lines: Lines, stall_s: float, native: Native
    ) -> None:
        self._crew = crew
        self._channel = channel
        self._lines = lines
        self._stall_ticks = max(1, int(stall_s / _TICK_S))
        self._native = native
        self._exit = os._exit
        self._over = False
        self._saying = native.allocate_lock()
        self.stopped = False

    def start(self) -> None:
        self._native.start_thread(self._tick_on, ())

    def last(self, elapsed_s: float) -> None:
        """Say the final tally."""
        with self._saying:
            self._over = True
            self._say_tally(elapsed_s, self._unknown_names())

    def last_words(self) -> None:
        """Say how far the cell came and where everything stands."""
        self._say_tally(0.0)
        self._say_stacks()

    def _tick_on(self) -> None:
        try:
            self._tick()
        except OSError:
            # The harness is gone, in the middle of a word: nobody is left to end this process.
            self._exit(1)

    def _tick(self) -> None:
        ended, still = 0, 0
        while not self._over:
            self._listen()
            with self._saying:
                # Not after the last tally, which counts more.
                if not self._over:
                    self._say_tally(0.0)
            now = sum(tally.requests for tally in self._crew.tallies)
            still = 0 if now != ended else still + 1
            ended = now
            if still == self._stall_ticks:
                self._say_stacks()

    def _listen(self) -> None:
        end = self._channel.end
        ready, _, _ = self._native.select([end], [], [], _TICK_S)
        if not ready:
            return
        data = end.recv(65536)
        if not data:
            self._exit(1)
        if any(message["say"] == "stop" for message in self._lines.feed(data)):
            self.stopped = True
            self._crew.traffic.stop()

    def _say_stacks(self) -> None:
        told = stacks.all_stacks(self._crew.live)
        self._channel.say({"say": "stacks", "stacks": told})

    def _unknown_names(self) -> list[str]:
        plan = self._crew.plan
        return leading_nowhere((*plan.shared.objects, *plan.keeps))

    def _say_tally(self, elapsed_s: float, unknown_names: Sequence[str] = ()) -> None:
        total = added_up(self._crew.tallies)
        total.elapsed_s = elapsed_s
        total.in_flight_most = min(self._crew.workers.in_flight, self._crew.traffic.width)
        total.unsent = self._crew.traffic.unsent()
        total.unknown_names = list(unknown_names)
        counts = self._crew.record.counts()
        self._channel.say({"say": "tally", "tally": asdict(total), "counts": counts})
