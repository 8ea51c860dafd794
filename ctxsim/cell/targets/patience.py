"""How long a server's answers are waited for: less and less where none comes, then no more.

Each request to a route that never answers would cost the whole timeout, for which nothing is learnt
after the first few. Whatever is given up is told, and nothing that has such a route is clean.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

# An answer may take so many times what the slowest one took, and no less than this, however many
# were waited for in vain.
_SLOWER, _LEAST_S = 10, 2.0
# A route is given up after so many requests in a row without an answer; after one, where so many
# of any routes were left without.
_ENOUGH, _ENOUGH_OF_ALL = 4, 12
# Or where all clients have waited so long for it, though some requests were answered.
_LONGEST_IN_VAIN_S = 60.0
_NEVER = float("-inf")


class Patience:
    """What is known of how a server answers, by the names of its routes.

    `longest_s` is waited for answers where nothing is known against it, by so many `clients`.
    """

    def __init__(self, longest_s: float, clients: int) -> None:
        self._longest_s = longest_s
        self._clients = clients
        # When the last answer of each route came; each request adds no more than one store.
        self.answered_at: dict[str, float] = {}
        # How long the slowest answer took to a request that waited behind no other one.
        self.slowest_s = 0.0
        self._lock = threading.Lock()
        # When the last request was sent of those that got no answer, by route and of all.
        self._since: dict[str, float] = {}
        self._last_since = float("inf")
        # By route: how often was waited in vain, how often in a row, and how long.
        self._vain: dict[str, int] = {}
        self._in_a_row: dict[str, int] = {}
        self._vain_s: dict[str, float] = {}
        self._of_all_in_a_row = 0
        self._last_vain_at = _NEVER
        # Routes that are not sent any more, in the order in which they were given up.
        self.given_up: dict[str, None] = {}
        # Is told a route that is not to be sent any more.
        self.on_give_up: Callable[[str], object] = lambda _route: None

    def seconds(self, route: str) -> float:
        """How long to wait for an answer of a route."""
        if not self._vain:
            return self._longest_s
        is_silent = self._latest() < self._last_vain_at
        of_all = self._of_all_in_a_row if is_silent else 0
        halved_s = self._longest_s / 2.0 ** max(self._vain.get(route, 0), of_all)
        return min(self._longest_s, max(_LEAST_S, _SLOWER * self.slowest_s, halved_s))

    def waited(self, route: str, since: float, now: float) -> None:
        """No answer has come to a request that was sent at `since`, and now is not waited for."""
        with self._lock:
            self._last_vain_at = now
            is_first = self.answered_at.get(route, _NEVER) > min(
                since, self._since.get(route, since)
            )
            in_a_row = self._in_a_row[route] = 1 if is_first else self._in_a_row.get(route, 0) + 1
            is_first = self._latest() > min(since, self._last_since)
            self._of_all_in_a_row = 1 if is_first else self._of_all_in_a_row + 1
            self._since[route] = self._last_since = since
            self._vain[route] = self._vain.get(route, 0) + 1
            self._vain_s[route] = self._vain_s.get(route, 0.0) + now - since
            enough = 1 if self._of_all_in_a_row > _ENOUGH_OF_ALL else _ENOUGH
            is_too_long = self._vain_s[route] >= _LONGEST_IN_VAIN_S * self._clients
            if route in self.given_up or not (in_a_row >= enough or is_too_long):
                return
            self.given_up[route] = None
        self.on_give_up(route)

    def _latest(self) -> float:
        # Copied, since native threads add routes meanwhile.
        return max([_NEVER, *self.answered_at.values()])
