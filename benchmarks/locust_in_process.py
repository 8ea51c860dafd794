"""Prints the CPU microseconds of a request that plain Locust users make in process.

Usage: locust_in_process.py MODULE     the application is MODULE.app

They call the application through ctxsim's own WSGI client, and look at nothing but the status. A
program of its own, because importing locust monkey-patches the process.
"""

from __future__ import annotations

import importlib
import itertools
import sys
import time
from types import SimpleNamespace

import gevent
from locust import User, constant, task
from locust_users import counted

from ctxsim.cell.jar import Jar
from ctxsim.cell.targets.wsgi import Wsgi

USERS = 20
SECONDS = 5.0
NUMBERS = itertools.count()
TARGET = Wsgi(importlib.import_module(sys.argv[1]).app, {})
GET = SimpleNamespace(step=SimpleNamespace(method="GET"))


class Asked:
    """What the client wants to know of a request."""

    __slots__ = ("iterated", "query", "sheltered", "user")
    prepared, path, headers, body, content_type = GET, "/tag", (), b"", ""
    fault, faulted = None, False

    def __init__(self, user: SimpleNamespace, query: str) -> None:
        self.user = user
        self.query = query


class Asking(User):
    """A user that asks for a text of its own."""

    wait_time = constant(0)

    def on_start(self) -> None:
        self.asker = SimpleNamespace(jar=Jar())

    @task
    def ask(self) -> None:
        began = time.perf_counter()
        asked = Asked(self.asker, f"tag=cx0badcafe0010001{next(NUMBERS):08x}")
        sending = TARGET.send(asked)
        try:
            while True:
                next(sending)
                gevent.sleep(0)
        except StopIteration as ended:
            response = ended.value
        self.environment.events.request.fire(
            request_type="GET",
            name="/tag",
            response_time=(time.perf_counter() - began) * 1e3,
            response_length=len(response.body),
            exception=None if response.status == 200 else ValueError(response.status),
            context={},
        )


def main() -> None:
    found = counted(Asking, USERS, SECONDS, time.process_time)
    print(found.took_s / found.requests * 1e6, found.failures)


if __name__ == "__main__":
    main()
