"""Prints how many empty tasks per second Locust runs with 1,000 users, each firing one event.

A program of its own, because importing locust monkey-patches the process.
"""

from __future__ import annotations

import time

from locust import User, constant, task
from locust_users import counted

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
    found = counted(Idle, USERS, SECONDS, time.perf_counter)
    print(found.requests / found.took_s)


if __name__ == "__main__":
    main()
