"""Users' own values that pile up: one more holder of them is kept for each request.

A user's own value tells no request, and a store of users keeps it by right: a row for each user, a
session, what is filed under a user's own key. So it is told only where the holders cannot be
anything but one for each request: of each user as many are kept as the user sent requests of one
route. What ends what it keeps has fewer. And only in a run of safe requests (GET and HEAD), which
have nothing to store each time (RFC 9110, section 9.2.1). Where others were sent too, such as
orders, nobody could tell what they stored from what an application is asked to keep.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from itertools import chain

from ctxsim.cell import canaries
from ctxsim.cell.plan import SAFE, Plan
from ctxsim.cell.visits import Traffic

_OWN = "{user.canary}"
# So many requests of each of so many users must have left a holder, to be no chance.
_LEAST_EACH, _LEAST_USERS = 6, 8
# A few requests fail before they come to what keeps their values.
_LEAST_SHARE, _LEAST_SHARE_OF_ALL = 0.8, 0.9


class Piling:
    """Tells holders of users' own canaries that were kept for each request from others."""

    def __init__(self, plan: Plan, traffic: Traffic) -> None:
        self._traffic = traffic
        carrying = [step for step in plan.steps if _OWN in json.dumps(asdict(step))]
        is_safe = all(step.method in SAFE for step in plan.steps)
        self._routes = {step.route for step in carrying} if is_safe else set()
        self._index = {i: step.route for i, step in enumerate(plan.steps)}

    @property
    def is_possible(self) -> bool:
        return bool(self._routes)

    def route_of(self, holders: Mapping[str, int]) -> str:
        """The route of which each request left a holder; '' where there is none.

        `holders` counts the holders of each user's own canary.
        """
        origins = ((canaries.read(text), count) for text, count in holders.items())
        kept = {origin.user: count for origin, count in origins if origin is not None}
        sent = {
            user.number: Counter(
                self._index[step] for step in chain.from_iterable(lane.sent for lane in user.lanes)
            )
            for user in self._traffic.users
        }
        for route in sorted(self._routes):
            pairs = [(kept.get(user, 0), counts[route]) for user, counts in sent.items()]
            if _is_one_for_each(pairs):
                return route
        return ""


def _is_one_for_each(pairs: list[tuple[int, int]]) -> bool:
    """Whether the holders of each user are as many as its requests; `pairs` are both counts."""
    if sum(requests >= _LEAST_EACH for _, requests in pairs) < _LEAST_USERS:
        return False
    all_kept, all_requests = map(sum, zip(*pairs, strict=True))
    # One of a user's few requests may have failed.
    each_fits = all(requests * _LEAST_SHARE - 1 <= kept <= requests for kept, requests in pairs)
    return each_fits and all_kept >= all_requests * _LEAST_SHARE_OF_ALL
