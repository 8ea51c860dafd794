"""A cell with what its history came to."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ctxsim.cell.checks import Finding
from ctxsim.cell.history import History
from ctxsim.cell.sights import NO_SUCH_PAGE
from ctxsim.scenario.plans import UNKNOWN_STORAGE

# Alone it is no finding, but says that there could be none.
NOTHING_COMPARED = "CTX901"
# By fewer requests nothing is known of an application.
_FEWEST_REQUESTS = 10


@dataclass(frozen=True, slots=True)
class JudgedCell:
    """What one cell's history came to. `expected`: the codes that the scenario expects of it.

    `unconfirmed` tells of answers that were otherwise than alone, where it could not be found out
    whether that was by chance: such a cell is not clean. `seldom` tells of those that may be drawn.
    """

    storage: str
    workers: str
    history: History
    findings: tuple[Finding, ...]
    unconfirmed: tuple[str, ...] = ()
    seldom: tuple[str, ...] = ()
    expected: frozenset[str] = frozenset()
    ready: bool = True
    elapsed_s: float = 0.0
    # Its load was cut short, because the time for the whole run is bounded.
    hurried: bool = False

    @property
    def name(self) -> str:
        # Where no import has told where contexts are kept, it is one of those that never began.
        known = self.storage != UNKNOWN_STORAGE
        return f"{self.storage}/{self.workers}" if known else self.workers

    @property
    def codes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(finding.code for finding in self.findings))

    @property
    def has_findings(self) -> bool:
        return bool(set(self.codes) - {NOTHING_COMPARED})

    @property
    def sent_all(self) -> bool:
        """Whether users came to send each of the routes."""
        return not set(self.history.tally.unsent) - {NO_SUCH_PAGE.name}

    @property
    def is_too_short(self) -> bool:
        """Whether it was ended before it came to what may tell users apart.

        That nothing was compared by then says nothing of the application.
        """
        was_cut = self.hurried or self.ending_kind == "stopped"
        return was_cut and not (self.sent_all and self.history.tally.requests >= _FEWEST_REQUESTS)

    def in_its_time(self) -> JudgedCell:
        """The cell with what can be said of it for the time that it had."""
        if not self.is_too_short:
            return self
        kept = (each for each in self.findings if each.code != NOTHING_COMPARED)
        return replace(self, findings=tuple(kept))

    @property
    def started(self) -> bool:
        """Whether the target could be started; a cell that was never begun does not tell."""
        return self.ready or self.ending_kind == "stopped"

    @property
    def fails_mostly(self) -> bool:
        # Where a cell has findings, failing requests are what they did, and no reason for doubt.
        tally = self.history.tally
        return 2 * tally.failed > tally.requests and not self.has_findings

    @property
    def ending_kind(self) -> str:
        return self.history.ending.kind if self.history.ending else ""

    @property
    def unexpected(self) -> tuple[str, ...]:
        known = self.expected | {NOTHING_COMPARED}
        return tuple(code for code in self.codes if code not in known)

    @property
    def missing(self) -> tuple[str, ...]:
        return tuple(sorted(self.expected - set(self.codes) - {NOTHING_COMPARED}))
