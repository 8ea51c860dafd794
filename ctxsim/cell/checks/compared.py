"""CTX901: a run in which nothing came back that could be compared says nothing, and must say so."""

from __future__ import annotations

from collections.abc import Iterable

from ctxsim.cell.checks import Finding
from ctxsim.cell.history import History, Who

_ADVICE = (
    "no response carried a value of its own request or user, so nothing could be compared",
    "let a route give back {canary}, or name a text that belongs to a user with `mine`",
)


def check(history: History, _alone: History | None) -> Iterable[Finding]:
    tally = history.tally
    if tally.requests and not tally.compared:
        requests = "1 request" if tally.requests == 1 else f"{tally.requests:,} requests"
        yield Finding(
            code="CTX901",
            cause=("CTX901",),
            count=tally.requests,
            at_request=1,
            victim=Who(0, 0),
            source=None,
            story=(f"{requests}, {tally.failed:,} failed", *_ADVICE),
        )
