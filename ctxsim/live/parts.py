"""A run of one part or of several, each carried by a harness of its own: what is known of them."""

from __future__ import annotations

import shlex
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import ctxsim
from ctxsim.cell.checks import TITLES
from ctxsim.cell.checks.verdict import judge
from ctxsim.cell.messages import Message
from ctxsim.errors import CtxsimError, ExitCode, TargetError, UsageError
from ctxsim.live.carried import Last, cell_from_json, concluded, merged
from ctxsim.live.orders import Order
from ctxsim.report.document import Document, ScenarioFacts, of_error
from ctxsim.report.judged import JudgedCell
from ctxsim.report.masks import masked
from ctxsim.scenario import Scenario, codes

_POLL_S = 0.05
# What cannot be told apart from chance, or from the application's own ways, before the load's end.
_UNCONFIRMED = frozenset({"CTX207", "CTX208", "CTX209", "CTX901"})


@dataclass(slots=True)
class Part:
    """One harness, as far as it has spoken. `lost` says why it will not speak again."""

    name: str
    order: Order
    cells: tuple[JudgedCell, ...] = ()
    ready: bool = False
    drained: bool = False
    last: Last | None = None
    failure: tuple[int, str] | None = None
    lost: str = ""
    # What keeps the run from being called clean, although it has ended well.
    doubts: list[str] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        return self.last is not None or self.failure is not None or bool(self.lost)

    def take(self, message: Message) -> None:
        """Take up what its harness said."""
        match message:
            case {"say": "cells", "cells": list() as cells}:
                self.cells = tuple(map(cell_from_json, cells))
            case {"say": "ready"}:
                self.ready = True
            case {"say": "drained"}:
                self.drained = True
            case {"say": "last", "last": dict() as last}:
                self.last = Last.from_json(last)
            case {"say": "failed", "code": int() as code, "message": str() as text}:
                self.failure = (code, text)
            case {"say": "gone"} if not self.is_over:
                self.lost = "its harness ended before its last word"


class Run:
    """All parts of a run."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.parts: dict[str, Part] = {}
        self.started_s = time.monotonic()
        # Whether it was ended from outside, before its time.
        self.is_interrupted = False
        # Kept for what cannot change any more.
        self._document: Document | None = None

    def wait(self, reached: str, longest_s: float = float("inf")) -> bool:
        """Wait until all parts have reached a stage, or are over; False if it took too long."""
        until_s = time.monotonic() + longest_s
        asleep = threading.Event()
        while not all(part.is_over or getattr(part, reached) for part in self.parts.values()):
            if time.monotonic() > until_s:
                return False
            asleep.wait(_POLL_S)
        return True

    def give_up(self, why: str) -> None:
        """Wait for nobody any more."""
        for part in self.parts.values():
            if not part.is_over:
                part.lost = why

    @property
    def is_over(self) -> bool:
        return bool(self.parts) and all(part.is_over for part in self.parts.values())

    @property
    def cells(self) -> list[JudgedCell]:
        """All cells as they stand, judged by what is known of them."""
        return merged(cell for part in self.parts.values() for cell in self._standing(part))

    def _standing(self, part: Part) -> Sequence[JudgedCell]:
        if part.last is not None:
            return part.last.cells
        return [_judged(each, codes(self.scenario) - _UNCONFIRMED) for each in part.cells]

    def document(self) -> Document:
        """The document of a run that is over."""
        if self._document is None:
            self._document = self._conclude()
        return self._document

    def _conclude(self) -> Document:
        lasts = [last for part in self.parts.values() if (last := self._last(part)) is not None]
        if not lasts:
            return self._nothing()
        lasts = [replace(last, interrupted=self.is_interrupted) for last in lasts]
        return concluded(self.scenario, lasts, tuple(self._doubts()))

    def _last(self, part: Part) -> Last | None:
        if part.last is not None or not any(each.history.tally.requests for each in part.cells):
            return part.last
        # What it had sent counts, as if it had been interrupted there.
        found = tuple(_judged(each, codes(self.scenario)) for each in part.cells)
        scenario, seed = self.scenario, int(part.order.seed) if part.order.seed else 0
        again = ["ctxsim", "run", scenario.file, "--seed", str(seed)]
        return Last(
            cells=found,
            seed=seed,
            again=shlex.join(again),
            again_as_it_was=shlex.join([*again, *part.order.options(scenario).again]),
            checks=tuple(code for code in TITLES if code in codes(scenario)),
            unmatched=(),
            notes=(),
            not_covered=(),
            interrupted=False,
            environment={"ctxsim": ctxsim.__version__, "target": {"app": scenario.target.named}},
            elapsed_s=time.monotonic() - self.started_s,
        )

    def _doubts(self) -> Iterator[str]:
        for part in self.parts.values():
            if part.lost:
                yield f"{part.name}: {part.lost}; what it had sent counts"
            if part.failure is not None:
                told = "; ".join(line.strip() for line in part.failure[1].splitlines())
                yield f"{part.name}: {told}"
            yield from (f"{part.name}: {each}" for each in part.doubts)

    def _nothing(self) -> Document:
        """The document of a run in which no part came to carry anything."""
        facts = ScenarioFacts(self.scenario.name, self.scenario.file, self.scenario.sha256)
        failures = [part.failure for part in self.parts.values() if part.failure is not None]
        code, text = failures[0] if failures else (int(ExitCode.INCONCLUSIVE), self._why_nothing())
        kinds = {ExitCode.TARGET: TargetError, ExitCode.USAGE: UsageError}
        return masked(of_error(kinds.get(ExitCode(code), CtxsimError)(text), code, facts))

    def _why_nothing(self) -> str:
        return "; ".join(self._doubts()) or "no users came, and no requests were sent"


def _judged(cell: JudgedCell, looked_for: frozenset[str]) -> JudgedCell:
    return replace(cell, findings=tuple(judge(cell.history, None, looked_for)))
