"""One process of Locust that carries users: its harness, and what becomes of what it says."""

from __future__ import annotations

from collections.abc import Callable

from ctxsim.cell.messages import Message
from ctxsim.live.client import Harness
from ctxsim.live.orders import Order
from ctxsim.live.parts import Part, Run

# Method, path, microseconds, and why it failed ('' if it did not).
Fire = Callable[[str, str, int, str], object]
Forward = Callable[[Message], None]

HERE = "this machine"


class Node:
    """Carries one part of `run`, here; each request that has ended is fired, one after the other.

    All else that the harness says is taken up there, and forwarded. `rest` is the harness's.
    """

    def __init__(
        self,
        order: Order,
        run: Run,
        *,
        fire: Fire,
        forward: Forward,
        rest: Callable[[], object],
    ) -> None:
        self._fire = fire
        self._forward = forward
        self._part = run.parts[HERE] = Part(HERE, order)
        self._steps: list[list[str]] = []
        self._has_several = False
        self.harness = Harness(order, self._hear, rest)

    def _hear(self, message: Message) -> None:
        match message:
            case {"say": "requests", "cell": str() as cell, "rows": list() as rows}:
                for step, us, why in rows:
                    method, path = self._steps[step]
                    self._fire(method, f"{path} [{cell}]" if self._has_several else path, us, why)
            case {"say": "begun", "steps": list() as steps, "cells": int() as cells}:
                self._steps, self._has_several = steps, cells > 1
            case _:
                self._part.take(message)
                self._forward(message)
