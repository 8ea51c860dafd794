"""What no schedule controls: libraries that wait by themselves, threads from before the search.

And what requests asked others for: of servers it is noted that they were, and where a request would
wait for what is refused, visits end before its step from then on.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Mapping

from ctxsim.cell.schedule.execution import Escape
from ctxsim.cell.schedule.places import is_application_file, is_installed
from ctxsim.cell.schedule.points import Site
from ctxsim.cell.visits import Traffic
from ctxsim.cell.witness.record import shown_file
from ctxsim.errors import SearchEndedError, TargetError

_OUTSIDE = (
    "sqlite3", "psycopg", "psycopg2", "pymysql", "MySQLdb", "oracledb", "pymongo", "redis",
    "memcache", "pymemcache",
)  # fmt: skip


def refuse_threads() -> None:
    others = [each.name for each in threading.enumerate() if each is not threading.main_thread()]
    if others:
        raise TargetError(
            f"the application started threads when it was imported ({', '.join(others)}), and no "
            "schedule controls these",
            "search an application that does not start them, or write schedule: {kind: os}",
        )


def told_site(site: Site) -> str:
    """The file, as stories show it, and the line."""
    return f"{shown_file(site.file)}:{site.line}"


def _is_own(site: Site) -> bool:
    return is_application_file(site.file) and not is_installed(site.file)


def _is_installed(site: Site) -> bool:
    return is_installed(site.file)


def told_escape(escape: Escape) -> str:
    """What was waited for and where, to be read behind whoever did."""
    # A view that its framework has to run in a loop has no line yet.
    library = next(filter(_is_installed, escape.stack), escape.stack[0])
    site = next(filter(_is_own, escape.stack), library)
    does = "calls" if escape.awaited.startswith("loop.") else "waits for"
    return f"{does} {escape.awaited}, at {told_site(site)} in {site.function}"


def ended_by(escape: Escape) -> SearchEndedError:
    """Nothing is left to be searched."""
    return SearchEndedError(
        "refused",
        f"a request {told_escape(escape)}, which no schedule controls{_declared(escape)}; or "
        "search without such requests, or write schedule: {kind: os}",
    )


def _declared(escape: Escape) -> str:
    if not escape.module:
        return ""
    return f"; to have it carried for real, write schedule.atomic: [{escape.module}]"


class Outside:
    """What a search's requests wanted of others than the application.

    `asked` are servers, with the line that was the first to do so.
    """

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic
        self.asked: dict[str, str] = {}
        self._refused: dict[int, Escape] = {}

    def were_asked(self, servers: Mapping[str, str]) -> None:
        """Take note of servers that a batch has asked."""
        self.asked = {**servers, **self.asked}

    def leave_out(self, refused: Mapping[int, Escape]) -> None:
        """End visits before these steps; raises SearchEndedError if nothing is left."""
        if not refused:
            return
        self._refused = {**refused, **self._refused}
        never = self._traffic.never_sent(self.ends_before)
        # Nobody has to raise any budget for them.
        self._traffic.sent_elsewhere(never)
        if len(never) == len(self._traffic.plan.steps):
            raise ended_by(self._refused[min(self._refused)])

    @property
    def reason(self) -> str:
        """What may be why an answer is otherwise, and is no part of a schedule; '' for nothing.

        A library that was imported and waits by itself, or a server, which keeps what it was told.
        """
        imported = (name for name in _OUTSIDE if name in sys.modules)
        return next(imported, min(self.asked, default=""))

    @property
    def ends_before(self) -> frozenset[int]:
        """The steps before which visits end."""
        return frozenset(self._refused)

    @property
    def remarks(self) -> Iterator[str]:
        if self.asked:
            servers = sorted(self.asked)
            yield (
                f"{', '.join(servers)} was asked for real, and each answer waited for: what it "
                "keeps, or does by itself, is no part of a schedule; first at "
                f"{', '.join(dict.fromkeys(self.asked[each] for each in servers))}"
            )

    @property
    def doubts(self) -> Iterator[str]:
        steps = self._traffic.plan.steps
        # The same line may be that of many steps, and a step may have several.
        told: dict[str, set[str]] = {}
        for step, escape in self._refused.items():
            why = f"it {told_escape(escape)}, which no schedule controls{_declared(escape)}"
            told.setdefault(why, set()).add(steps[step].route)
        for why, routes in sorted(told.items()):
            yield f"{', '.join(sorted(routes))} was not searched: {why}"
        never = self._traffic.never_sent(self.ends_before)
        sent = {each.route for number, each in enumerate(steps) if number not in never}
        refused = {steps[step].route for step in self._refused}
        behind = {steps[step].route for step in never} - sent - refused
        if behind:
            yield f"{', '.join(sorted(behind))} was not searched: it comes after that"
