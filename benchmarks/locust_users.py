"""Locust's users in this process: how many requests they have made, and in what time.

For programs of their own, because importing locust monkey-patches the process.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import gevent
from locust import User
from locust.env import Environment

# Users who have just come do not yet make requests at their rate.
_SETTLE_S = 0.5


@dataclass(frozen=True, slots=True)
class Counted:
    """`requests` were made in `took_s` of the clock that was asked; `failures` of all that were."""

    requests: int
    took_s: float
    failures: int


def counted(kind: type[User], users: int, seconds: float, clock_s: Callable[[], float]) -> Counted:
    """Let `users` of one kind make requests, and count them for so many seconds of real time."""
    environment = Environment(user_classes=[kind])
    runner = environment.create_local_runner()
    runner.start(users, spawn_rate=users)
    while runner.user_count < users:
        gevent.sleep(0.05)
    gevent.sleep(_SETTLE_S)
    total = environment.stats.total
    before, began_s = total.num_requests, clock_s()
    gevent.sleep(seconds)
    found = Counted(total.num_requests - before, clock_s() - began_s, total.num_failures)
    runner.quit()
    return found
