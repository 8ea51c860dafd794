"""Where time is short, each route is sent once before any is sent in all ways."""

from __future__ import annotations

from types import SimpleNamespace

from ctxsim.cell.clients import User
from ctxsim.cell.looking.trials import Trials
from ctxsim.cell.plan import Look
from ctxsim.cell.sights import Read, Route
from ctxsim.cell.visits import Response

READS = tuple(Read("query", name) for name in ("a", "b", "c"))
ROUTES = [Route("GET", f"/page{number}", READS) for number in range(8)]
EACH_S = 0.1


def sent(duration_s: float) -> list[str]:
    """The paths in the order of their requests, each of which takes a tenth of a second."""
    now_s = 0.0
    user = User(1, "cx" + 24 * "0", [1])
    trials = Trials(
        ROUTES,
        (),
        Look(duration_s=duration_s),
        session=(),
        user=user,
        loops=SimpleNamespace(run=0),
        clock=lambda: now_s,
        say=lambda _message: None,
    )
    trials.begin()
    paths = []
    while (request := trials.take()) is not None:
        paths.append(request.path)
        now_s += EACH_S
        trials.done(request, Response(200, [], b""), kept_promise=True)
    return paths


def test_with_time_each_route_is_sent_in_all_ways_before_the_next():
    paths = sent(60.0)
    assert paths == sorted(paths)
    assert len(set(paths)) == len(ROUTES)


def test_in_the_last_half_of_its_time_each_route_is_sent_once_first():
    every = len(sent(60.0))
    paths = sent(2.0)
    assert len(paths) < every
    assert set(paths) == {route.path for route in ROUTES}
    # Half of the time went by as ever.
    half = paths[: len(paths) // 2]
    assert half == sorted(half)
    assert len(set(half)) < len(ROUTES)
