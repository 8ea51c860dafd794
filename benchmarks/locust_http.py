"""Prints how many requests per CPU-second Locust's FastHttpUser sends: `locust_http.py URL`.

A program of its own, because importing locust monkey-patches the process.
"""

from __future__ import annotations

import itertools
import sys
import time

import gevent
from locust import FastHttpUser, constant, task
from locust.env import Environment

USERS = 100
SECONDS = 5.0
NUMBERS = itertools.count()


class Asking(FastHttpUser):
    """A user that asks for a text of its own, and looks at nothing but the status."""

    wait_time = constant(0)
    host = sys.argv[1]

    @task
    def ask(self) -> None:
        self.client.get(f"/echo?tag=cx0badcafe0010001{next(NUMBERS):08x}", name="/echo")


def main() -> None:
    environment = Environment(user_classes=[Asking])
    runner = environment.create_local_runner()
    runner.start(USERS, spawn_rate=USERS)
    while runner.user_count < USERS:
        gevent.sleep(0.05)
    gevent.sleep(0.5)
    before, started = environment.stats.total.num_requests, time.process_time()
    gevent.sleep(SECONDS)
    done = environment.stats.total.num_requests - before
    print(done / (time.process_time() - started), environment.stats.total.num_failures)
    runner.quit()


if __name__ == "__main__":
    main()
