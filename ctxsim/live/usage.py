"""Options of Locust that cannot be, or would say nothing, beside a scenario.

Whoever gives one is told before anything starts: a load that is another one than was asked for must
not pass for clean.
"""

from __future__ import annotations

import os
import socket
from argparse import Namespace
from collections.abc import Mapping, Sequence
from typing import Any

from ctxsim.errors import UsageError

_WORKER = "LOCUST_MODE_WORKER"
_LOCUSTFILE = "--locustfile"
_SHORTEST = len("--locu")
_NO_ADDRESS = "there is no such address"
_MEANINGLESS = {
    "host": "where requests go is the scenario's `target`",
    "tags": "a scenario's flows have no tags; `flows` says which there are",
    "exclude_tags": "a scenario's flows have no tags; `flows` says which there are",
}


# What Locust writes reports of its own to, where these are asked for.
_WRITTEN = {"html_file": "--html", "json_file": "--json-file", "csv_prefix": "--csv"}


def is_worker(words: Sequence[str]) -> bool:
    """Whether these are the words of a process that a master tells what to do."""
    return "--worker" in words or bool(os.environ.get(_WORKER))


def refuse_words(words: Sequence[str]) -> None:
    """Raise UsageError where words cannot be, before Locust reads them."""
    for word in words:
        name = word.partition("=")[0]
        is_long = len(name) >= _SHORTEST and _LOCUSTFILE.startswith(name)
        if is_long or (word.startswith("-f") and not word.startswith("--")):
            raise UsageError(
                f"{word}: the scenario takes the place of a locustfile\n"
                "  write ctxsim locust FILE ...; a locustfile of yours is for locust itself"
            )
    if "--master" in words and is_worker(words):
        raise UsageError(
            "--master and --worker are two processes\n  start one with each, or --processes N"
        )


def refuse(options: Namespace, *, is_web: bool) -> None:
    """Raise UsageError where options, as Locust has read them, cannot be."""
    given = vars(options)
    for name, why in _MEANINGLESS.items():
        if given.get(name):
            raise UsageError(f"--{name.replace('_', '-')} says nothing here: {why}")
    if (options.num_users or 0) < 0:
        raise UsageError(f"there cannot be {options.num_users} users\n  write --users 100")
    _refuse_unwritable(given)
    if not is_web:
        return
    keys = [given.get("tls_cert"), given.get("tls_key")]
    if any(keys) and not all(keys):
        raise UsageError("--tls-cert and --tls-key are given together: else nothing is encrypted")
    for path in filter(None, keys):
        if not os.access(path, os.R_OK):
            raise UsageError(f"{path} cannot be read, which the web UI needs for TLS")
    _refuse_a_busy_port(options.web_host, options.web_port)


def _refuse_unwritable(given: Mapping[str, Any]) -> None:
    """Locust writes its reports at the end, and where it cannot ends before there is a verdict."""
    for name, option in _WRITTEN.items():
        if not (path := given.get(name)):
            continue
        folder = os.path.dirname(path) or "."
        try:
            # Locust would make it, too.
            os.makedirs(folder, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{option} {path} cannot be written: {error.strerror}") from error
        if os.path.isdir(path) and name != "csv_prefix":
            raise UsageError(f"{option} {path} cannot be written: it is a folder")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise UsageError(f"{option} {path} cannot be written: {folder} is not ours to write in")


def _refuse_a_busy_port(host: str, port: int) -> None:
    """Locust shows where in it that failed, and no more."""
    try:
        places = socket.getaddrinfo(
            "" if host == "*" else host or None, port, type=socket.SOCK_STREAM,
            flags=socket.AI_PASSIVE,
        )  # fmt: skip
        family, kind, protocol, _, place = places[0]
        if place[1] != port:
            # What is too high for a port is cut off without a word.
            raise OverflowError
        with socket.socket(family, kind, protocol) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(place)
    except (OSError, OverflowError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or _NO_ADDRESS
        raise UsageError(
            f"the web UI cannot be at {host or '*'}:{port}: {why}\n"
            "  write another --web-port, or --web-host, or --headless"
        ) from error
