"""Prints how many requests per CPU-second Locust's FastHttpUser sends: `locust_http.py URL`.

A program of its own, because importing locust monkey-patches the process.
"""

from __future__ import annotations

import itertools
import sys
import time

from locust import FastHttpUser, constant, task
from locust_users import counted

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
    found = counted(Asking, USERS, SECONDS, time.process_time)
    print(found.requests / found.took_s, found.failures)


if __name__ == "__main__":
    main()
