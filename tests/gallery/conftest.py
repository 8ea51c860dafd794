"""The gallery runs once in a session: those entries of which a test was chosen, side by side."""

from __future__ import annotations

import pytest

from ctxsim.cells import Halt, cores
from ctxsim.cli.gallery_running import Ran, check_all
from ctxsim.gallery import entries


@pytest.fixture(scope="session")
def gallery_runs(request: pytest.FixtureRequest) -> dict[str, Ran]:
    """What became of each entry that needs no download and whose test was chosen."""
    chosen = {
        item.callspec.params["entry"].name
        for item in request.session.items
        if "gallery_runs" in getattr(item, "fixturenames", ())
    }
    wanted = [each for each in entries() if each.name in chosen]
    ran = check_all(wanted, seed=7, halt=Halt(), jobs=cores())
    return {each.entry.name: each for each in ran}
