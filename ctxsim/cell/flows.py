"""Which flow a visit goes through, and its steps as one user sends them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import takewhile
from types import MappingProxyType

from ctxsim.cell.chance import weighted
from ctxsim.cell.plan import Expect, Plan
from ctxsim.cell.steps import Prepared, for_visitors, of_user, prepared

# The steps of each flow, by its name.
Sendable = Mapping[str, tuple[Prepared, ...]]
# Chance is drawn in so many bits.
DRAWN = 1 << 24
# What one user sends before anyone else comes is this part of a load, or its longest flow.
_OPENING_PART = 4
_NOTHING: Mapping[str, str] = MappingProxyType({})


class Flows:
    """The flows of a plan; steps are known by their numbers in the plan."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._index = {id(step): i for i, step in enumerate(plan.steps)}
        # Where there is one flow, whose visits are all that there is.
        self._one = plan.flows[0].name if len(plan.flows) == 1 else ""
        # In a rehearsal each comes in turn, whatever its weight.
        self._by_turns = plan.only_user is not None or plan.learning
        # Whether all are as frequent.
        self.are_level = False
        # Steps before which a visit ends.
        self.ends_before: frozenset[int] = frozenset()
        # Steps that visits go on without.
        self.left_out: frozenset[int] = frozenset()
        self._for_all = None
        if not any(of_user(step) for step in plan.steps):
            self._for_all = self._prepare(_NOTHING, "")
        self.of_visitors: Sendable = {
            flow.name: for_visitors(flow, self._index[id(flow.steps[0])]) for flow in plan.flows
        }
        # Each step with the first one that is sent in the same way, whatever is made of its answer.
        first: dict[str, int] = {}
        sent = (repr(replace(step, name="", captures=(), expect=Expect())) for step in plan.steps)
        self.same = [first.setdefault(text, index) for index, text in enumerate(sent)]
        first = {}
        # Steps that are sent once, each with the first one that is the same: what one flow has
        # sent, the others need not. By their texts, since JSON values have no hash.
        self.once = {
            index: first.setdefault(repr(step), index)
            for index, step in enumerate(plan.steps)
            if step.once
        }

    def of_user(self, number: int, canary: str) -> Sendable:
        """What a user sends, whose canary this is."""
        return self._for_all or self._prepare(self.variables(number), canary)

    def variables(self, number: int) -> dict[str, str]:
        """The variables of user `number`, `{n}` filled in."""
        return {k: v.replace("{n}", str(number)) for k, v in self._plan.users.vars}

    def chosen(self, sendable: Sendable, nth: int, draw: Callable[[], int]) -> tuple[Prepared, ...]:
        """The steps of a lane's `nth` visit, counted from 1; `draw` gives chance, if it has to."""
        if self.ends_before or self.left_out:
            cut = {name: self._cut(steps) for name, steps in sendable.items()}
            # Who was about to send when its last step was left out may send that once more.
            sendable = cut if any(cut.values()) else sendable
        if self._one:
            return sendable[self._one]
        flows = [flow for flow in self._plan.flows if sendable[flow.name]]
        if self._by_turns:
            return sendable[flows[(nth - 1) % len(flows)].name]
        if len(flows) == 1:
            return sendable[flows[0].name]
        if self.are_level:
            return sendable[flows[draw() * len(flows) // DRAWN].name]
        return sendable[weighted(flows, draw() / DRAWN).name]

    def opening(self, sendable: Sendable) -> list[tuple[Prepared, ...]]:
        """The steps of the longest flow, and of others by length that have steps besides.

        No more of these than leave most of a load to all users.
        """
        first, *others = sorted(map(self._cut, sendable.values()), key=len, reverse=True)
        found = [first or max(sendable.values(), key=len)]
        left = (self._plan.load.requests or math.inf) / _OPENING_PART - len(first)
        seen = {self.same[each.index] for each in first}
        for steps in others:
            numbers = {self.same[each.index] for each in steps}
            if not numbers <= seen and len(steps) <= left:
                found.append(steps)
                seen |= numbers
                left -= len(steps)
        return found

    def has_any(self, sendable: Sendable) -> bool:
        """Whether any visit has a step that is sent."""
        return any(self._cut(steps) for steps in sendable.values())

    def never_sent(self) -> frozenset[int]:
        """Steps that no visit comes to, since each ends before them."""
        sent: set[int] = set()
        for flow in self._plan.flows:
            numbers = (self._index[id(step)] for step in flow.steps)
            sent.update(takewhile(lambda each: each not in self.ends_before, numbers))
        return frozenset(self._index.values()) - (sent - self.left_out)

    def _cut(self, steps: tuple[Prepared, ...]) -> tuple[Prepared, ...]:
        before = takewhile(lambda each: each.index not in self.ends_before, steps)
        return tuple(each for each in before if each.index not in self.left_out)

    def _prepare(self, values: Mapping[str, str], canary: str) -> Sendable:
        known = {**values, "canary": canary}
        return {
            flow.name: tuple(prepared(step, self._index[id(step)], known) for step in flow.steps)
            for flow in self._plan.flows
        }
