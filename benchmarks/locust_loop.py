"""Prints how many empty tasks per second Locust runs with 1,000 users, each firing one event.

A program of its own, because importing locust monkey-patches the process.
"""

from __future__ import annotations

import time

import gevent
from locust import User, constant, task
from locust.env import Environment

USERS = 1_000
SECONDS = 4.0


class Idle(User):
    """A user whose task does nothing but report a request."""

    wait_time = constant(0)

    @task
    def report(self) -> None:
        self.environment.events.request.fire(
            request_type="GET",
            name="empty",
            response_time=0,
            response_length=0,
            exception=None,
            context={},
        )


def main() -> None:
    environment = Environment(user_classes=[Idle])
    runner = environment.create_local_runner()
    runner.start(USERS, spawn_rate=USERS)
    while runner.user_count < USERS:
        gevent.sleep(0.05)
    before, started = environment.stats.total.num_requests, time.perf_counter()
    gevent.sleep(SECONDS)
    done = environment.stats.total.num_requests - before
    print(done / (time.perf_counter() - started))
    runner.quit()


if __name__ == "__main__":
    main()
