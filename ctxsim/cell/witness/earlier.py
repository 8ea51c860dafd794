"""Values of earlier runs, which a server that outlives its tests still holds.

Whose they are is known, and that another one gets to see them is no good sign. But what has become
of them since, nobody here has seen: so they are a doubt, and no finding. Without that, a value that
is kept for ever would show in the first run alone, and the next would call the same server clean.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from ctxsim.cell import canaries
from ctxsim.cell.plan import Plan
from ctxsim.cell.visits import Request

_ANY = re.compile(rb"x(?<=cx)[0-9a-f]{%d}" % (canaries.LENGTH - 2))
_SHOWN = 3


class Earlier:
    """Counts the answers that hold what another user has sent in an earlier run."""

    def __init__(self, plan: Plan) -> None:
        self._own = f"x{plan.run}".encode()
        self._routes: Counter[str] = Counter()

    def look(self, request: Request, body: bytes) -> None:
        """Look through one answer; native threads may do so at the same time, and lose a count."""
        for found in _ANY.findall(body):
            if not found.startswith(self._own):
                origin = canaries.read(f"c{found.decode()}")
                # Users are known by their numbers in all runs; of visitors nothing is.
                if origin is not None and (not origin.user or origin.user != request.user.number):
                    self._routes[request.prepared.step.route] += 1
                    return

    def doubts(self) -> Iterator[str]:
        """What keeps the server from being called clean."""
        if not self._routes:
            return
        shown = ", ".join(route for route, _ in self._routes.most_common(_SHOWN))
        yield (
            f"{self._routes.total():,} answers held what another user had sent in an earlier run "
            f"({shown}): start the server anew, without what it has kept; if all may see that, say "
            'so: shared: ["/route"]'
        )
