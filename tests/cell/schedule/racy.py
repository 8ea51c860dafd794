"""Thread-style code with classic races, written as an application's would be."""
# ruff: noqa: PLW0603 - module globals are what it races for

import threading
from concurrent.futures import ThreadPoolExecutor

current_user = None
connections = {}
opened = []
counter = 0
guard = threading.Lock()


def reset():
    global current_user, counter
    current_user = None
    counter = 0
    connections.clear()
    opened.clear()


def count():
    global counter
    seen = counter
    seen = seen + 1
    counter = seen


def count_on_one_line():
    global counter
    counter = counter + 1


def connection():
    if "shop" not in connections:
        made = object()
        opened.append(made)
        connections["shop"] = made
    return connections["shop"]


def greet(user):
    global current_user
    current_user = user
    return answer()


def answer():
    greeting = "hello "
    return greeting + str(current_user)


def count_guarded():
    with guard:
        count()


def connection_guarded():
    with guard:
        return connection()


def count_in_threads():
    threads = [threading.Thread(target=count) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def count_in_a_pool():
    with ThreadPoolExecutor(2) as pool:
        for counted in [pool.submit(count) for _ in range(2)]:
            counted.result()
