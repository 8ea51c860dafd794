"""What no schedule controls: libraries that wait by themselves, threads from before the search."""

from __future__ import annotations

import sys
import threading

from ctxsim.errors import TargetError

_OUTSIDE = (
    "sqlite3", "psycopg", "psycopg2", "pymysql", "MySQLdb", "oracledb", "pymongo", "redis",
    "memcache", "pymemcache",
)  # fmt: skip

# What is said of servers that were asked.
ASKED = "and each answer waited for: what it keeps, or does by itself, is no part of a schedule"


def outside() -> str:
    """What the application has imported that waits outside of any schedule; '' for nothing."""
    return next((name for name in _OUTSIDE if name in sys.modules), "")


def refuse_threads() -> None:
    others = [each.name for each in threading.enumerate() if each is not threading.main_thread()]
    if others:
        raise TargetError(
            f"the application started threads when it was imported ({', '.join(others)}), and no "
            "schedule controls these",
            "search an application that does not start them, or write schedule: {kind: os}",
        )
