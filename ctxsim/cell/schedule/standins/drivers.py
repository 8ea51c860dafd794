"""Database drivers in C: they connect by themselves, and ask no socket of Python's.

They are known by how they connect, and stood in for once the application has imported them.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from ctxsim.cell.schedule.leaving import is_near, leave

_Call = Callable[..., Any]
_DRIVERS = ("psycopg2", "psycopg", "MySQLdb")
# Its first argument is the host; that of the others, words with all there is to know.
_BY_HOST = "MySQLdb"
_HOST = re.compile(r"\bhost\s*=\s*'?([^\s']+)")


@contextmanager
def watched() -> Iterator[None]:
    """Have the drivers that are imported asked whom they connect with."""
    found = [(module, module.connect) for name in _DRIVERS if (module := _imported(name))]
    for module, connect in found:
        module.connect = _connecting(connect, module.__name__)
    try:
        yield
    finally:
        for module, connect in found:
            module.connect = connect


def _imported(name: str) -> Any:
    module = sys.modules.get(name)
    return module if hasattr(module, "connect") else None


def _connecting(connect: _Call, module: str) -> _Call:
    @wraps(connect)
    def connected(*args: Any, **named: Any) -> Any:
        host = _host(module, args, named)
        # Without one, and with a folder, it is a socket that is a file.
        near = not host or host.startswith("/") or is_near(host)
        server = f"{module}'s server{f' {host}' if host else ''}"
        leave(f"a connection to {server}", module, server, near=near)
        return connect(*args, **named)

    return connected


def _host(module: str, args: tuple[Any, ...], named: Mapping[str, Any]) -> str:
    if host := named.get("host"):
        return str(host)
    told = args[0] if args else named.get("dsn", named.get("conninfo", ""))
    if module == _BY_HOST or not isinstance(told, str):
        return str(told or "")
    if "://" in told:
        return urlsplit(told).hostname or ""
    found = _HOST.search(told)
    return found[1] if found else os.environ.get("PGHOST", "")
