"""The runtime beside Werkzeug and Flask: which of its figures have a goal."""

from __future__ import annotations

import sys

import runtime_contexts
import runtime_proxies
import runtime_requests
from measures import Measure, at_least, at_most
from runtime_timing import Row

# Werkzeug's proxy became faster with the cheaper calls of Python 3.12, ours had none to save.
PROXY_GOAL = 8 if sys.version_info < (3, 12) else 4

Figures = dict[tuple[str, str], float]


def figures(rows: list[Row]) -> Figures:
    """Microseconds by operation and competitor."""
    return {(row.operation, row.competitor): row.microseconds for row in rows}


def measure() -> list[Measure]:
    """Proxies, contexts, and whole requests of one application source."""
    return [*_proxies(), *_contexts(), *_requests()]


def _proxies() -> list[Measure]:
    found = figures(runtime_proxies.measure())
    ours = found["request.method", "ctxsim request"]
    theirs = found["request.method", "werkzeug LocalProxy(var)"]
    by_hand = found["request.method", "by hand"]
    return [
        at_least(
            "reading `request.method` through the proxy, beside Werkzeug's `LocalProxy`",
            PROXY_GOAL,
            theirs / ours,
            " x as fast",
            f"{ours:.3f} against {theirs:.3f} us",
        ),
        at_most(
            "reading `request.method` through the proxy, beside hand-written code",
            3.5,
            ours / by_hand,
            " x the time",
            f"{ours:.3f} against {by_hand:.3f} us",
        ),
    ]


def _contexts() -> list[Measure]:
    found = figures(runtime_contexts.measure())
    ours, theirs = (found["app and request context", name] for name in ("ctxsim", "flask"))
    return [
        at_least(
            "pushing and popping app and request context, beside Flask",
            4,
            theirs / ours,
            " x as fast",
            f"{ours:.2f} against {theirs:.2f} us",
        )
    ]


def _requests() -> list[Measure]:
    found = figures(runtime_requests.measure())
    goals = {"ctxsim, WSGI": 3, "ctxsim, direct": 6}
    return [
        at_least(
            f"{operation}, one source ({way}), beside Flask through WSGI",
            goal,
            found[operation, "flask, WSGI"] / found[operation, way],
            " x as fast",
            f"{found[operation, way]:.1f} against {found[operation, 'flask, WSGI']:.1f} us",
        )
        for operation in dict.fromkeys(operation for operation, _ in found)
        for way, goal in goals.items()
    ]
