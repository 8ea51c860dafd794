"""What a process of Locust carries, without Locust: it is told who comes, and tells what ended."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from ctxsim.cell.messages import Message
from ctxsim.errors import CtxsimError
from ctxsim.live.board import Board
from ctxsim.live.master import Master
from ctxsim.live.node import Forward, Node
from ctxsim.live.orders import Order
from ctxsim.live.parts import Run
from ctxsim.live.worker import Worker

logger = logging.getLogger(__name__)


class Ended(Exception):  # noqa: N818 - what Locust lists as the reason of a failure
    """Why a request failed. Its text is one of a few: Locust counts by it."""

    def __repr__(self) -> str:
        return str(self)


class Carrying:
    """What this process of Locust carries, or has its workers carry: one run at a time.

    `rest` lets what else there is in the process have its turn.
    """

    def __init__(self, rest: Callable[[], object]) -> None:
        self._rest = rest
        # Locust's, once it has started.
        self.environment: Any = None
        self.board: Board | None = None
        self.node: Node | None = None
        self.master: Master | None = None
        self.worker: Worker | None = None
        self.users = 0
        self._has_finished = False
        # Whether the run came to its end: its time is over, or nobody carries it any more.
        self.has_ended = False
        # What the process ends with, once that is known.
        self.exit_code: int | None = None
        # Of a master that starts by itself: how long its run lasts, once its workers are ready.
        self.run_time_s: float | None = None

    @property
    def run(self) -> Run | None:
        return None if self.board is None else self.board.run

    def count(self, change: int) -> None:
        self.users += change
        if self.node is not None:
            self.node.harness.count(change)

    def begin(self, order: Order, forward: Forward | None = None) -> Run:
        """Begin a run, in place of one that has ended; `forward` is given what its harness says.

        Raises CtxsimError where it cannot be.
        """
        self.close()
        self._has_finished = self.has_ended = False
        if self.master is not None:
            run = self.master.begin(order)
            self.board = self.master.board
            return run
        run = Run(order.scenario())
        self.board = Board(run)
        forward = forward or self._look
        self.node = Node(order, run, fire=self.fire, forward=forward, rest=self._rest)
        self.node.harness.count(self.users)
        if self._has_finished:
            # While it was being started: it must not wait for users that will not come.
            self.node.harness.finish()
        return run

    def _look(self, _news: Message) -> None:
        if self.board is not None:
            self.board.look()

    def begin_part(self, order: Order, tell: Forward) -> None:
        """Begin what the master wants carried; why it cannot be, the master is told."""
        try:
            self.begin(order, tell)
        except CtxsimError as error:
            tell({"say": "failed", "code": int(error.exit_code), "message": str(error)})

    def fire(self, method: str, path: str, us: int, why: str) -> None:
        """Have Locust count a request."""
        self.environment.events.request.fire(
            request_type=method,
            name=path,
            response_time=us / 1000,
            response_length=0,
            exception=Ended(why) if why else None,
            context={},
        )

    def finish(self) -> None:
        """All users have gone, whoever carried them."""
        self._has_finished = True
        if self.master is not None:
            self.master.finish()
        elif self.node is not None:
            self.node.harness.finish()

    def abandon(self, why: str) -> None:
        """End at once what nobody wants to know any more, and the process with it."""
        if self.run is None or self.run.is_over or self.environment is None:
            return
        logger.error("%s: what is carried is given up", why)
        self.run.give_up(why)
        self.close()
        threading.Thread(target=self.environment.runner.quit, daemon=True).start()

    def close(self) -> None:
        if self.node is not None:
            self.node.harness.close()
        self.node = None
