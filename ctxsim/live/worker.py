"""A worker's side of a run: it says that it is there, is told what to carry, and tells all."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ctxsim.cell.messages import Message
from ctxsim.live.master import FINISH, HELLO, NEWS, ORDER, WELCOME
from ctxsim.live.orders import Order

logger = logging.getLogger(__name__)

_AGAIN_S = 0.5


class Worker:
    """Carries what its master says; `begin` and `finish` are what is done about it.

    `file` is where the scenario is on this machine, if that was said.
    """

    def __init__(
        self, runner: Any, file: str, begin: Callable[[Order], object], finish: Callable[[], object]
    ) -> None:
        self._runner = runner
        self._file = file
        self._begin = begin
        self._finish = finish
        self._run = ""
        self._welcome = threading.Event()
        runner.register_message(WELCOME, self._on_welcome)
        # Neither may hold up the heartbeats.
        runner.register_message(ORDER, self._on_order, concurrent=True)
        runner.register_message(FINISH, self._on_finish, concurrent=True)
        threading.Thread(target=self._greet, daemon=True).start()

    def tell(self, news: Message) -> None:
        """Tell the master; called by one thread."""
        try:
            self._runner.send_message(NEWS, {"run": self._run, "news": json.dumps(news)})
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
        self._begin(replace(order, file=self._file or order.file))

    def _on_finish(self, environment: Any, msg: Any, **_: object) -> None:
        self._finish()
