"""A worker's side of a run: it says that it is there, is told what to carry, and tells all."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ctxsim.cell.messages import Message
from ctxsim.live.master import FINISH, HELLO, NEWS, ORDER, WELCOME
from ctxsim.live.orders import Order

logger = logging.getLogger(__name__)

_AGAIN_S = 0.5
# A master that was silent for so long, and at whose port nobody listens, is gone: Locust waits for
# it for a minute, in which users would go on. One that is only busy has its port.
_WATCH_EVERY_S, _SILENT_S, _CONNECT_S = 1.0, 4.0, 2.0


@dataclass(frozen=True, slots=True)
class Deeds:
    """What a worker has done when its master says so, or is gone: then nobody hears a result.

    `begin` is given whom to tell what becomes of it, by one thread.
    """

    begin: Callable[[Order, Callable[[Message], None]], object]
    finish: Callable[[], object]
    abandon: Callable[[str], object]


class Worker:
    """Carries what its master says; `do` is what is done about it.

    `file` is where the scenario is on this machine, if that was said.
    """

    def __init__(self, runner: Any, file: str, do: Deeds) -> None:
        self._runner = runner
        self._file = file
        self._do = do
        self._run = ""
        # Who begins one run ends the one before, which takes a while; a third may come meanwhile.
        self._turn = threading.Lock()
        self._welcome = threading.Event()

    def start(self) -> None:
        """Say that it is there, and do what is said then, once those who do it know of it."""
        runner = self._runner
        runner.register_message(WELCOME, self._on_welcome)
        # Neither may hold up the heartbeats.
        runner.register_message(ORDER, self._on_order, concurrent=True)
        runner.register_message(FINISH, self._on_finish, concurrent=True)
        threading.Thread(target=self._greet, daemon=True).start()
        threading.Thread(target=self._watch, daemon=True).start()

    def _tell(self, run: str, news: Message) -> None:
        # Of the run that it is about: one that ends late must not speak for the one that follows.
        try:
            self._runner.send_message(NEWS, {"run": run, "news": json.dumps(news)})
        except OSError as error:
            logger.warning("the master was not told: %s", error)

    def _greet(self) -> None:
        # Again and again: a master may not listen yet, although it is connected.
        while True:
            self._runner.send_message(HELLO)
            if self._welcome.wait(_AGAIN_S):
                return

    def _on_welcome(self, environment: Any, msg: Any, **_: object) -> None:
        self._welcome.set()

    def _on_order(self, environment: Any, msg: Any, **_: object) -> None:
        self._welcome.set()
        order = Order.from_json(json.loads(msg.data["order"]))
        self._run = order.run
        with self._turn:
            if order.run == self._run:
                mine = replace(order, file=self._file or order.file)
                self._do.begin(mine, partial(self._tell, order.run))

    def _on_finish(self, environment: Any, msg: Any, **_: object) -> None:
        self._do.finish()

    def _watch(self) -> None:
        asleep = threading.Event()
        heard, since_s = None, time.monotonic()
        while True:
            asleep.wait(_WATCH_EVERY_S)
            if heard != self._runner.last_heartbeat_timestamp:
                heard, since_s = self._runner.last_heartbeat_timestamp, time.monotonic()
            # One that carries nothing waits, as Locust's do: its master may come again.
            elif self._run and time.monotonic() - since_s > _SILENT_S and self._is_master_gone():
                self._do.abandon("its master is gone")
                return

    def _is_master_gone(self) -> bool:
        place = self._runner.master_host, self._runner.master_port
        try:
            socket.create_connection(place, _CONNECT_S).close()
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
        return False
