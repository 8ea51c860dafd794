"""What does not end is told by what shows when it is carried again."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ctxsim.cell.searching.endless import only_those
from ctxsim.cell.searching.scripts import Script, Window

SEEN = ("endless", "", "goes round at shop.py:26-27", "")
WITH_ANOTHER = ("endless", "", "goes round at shop.py:22-23; goes round at shop.py:26-27", "")
ELSEWHERE = ("endless", "", "goes round at shop.py:7", "")
LOCKED = ("deadlock", "", "goes round at shop.py:26-27", "")


def carried(*causes):
    """What a script with two requests shows; one request alone ends."""
    return lambda asked: SimpleNamespace(
        causes=causes if len(asked.script.windows[-1].lanes) > 1 else ()
    )


@pytest.mark.parametrize(
    ("shown", "told"),
    [
        ((SEEN, WITH_ANOTHER), SEEN),
        ((ELSEWHERE, WITH_ANOTHER), WITH_ANOTHER),
        ((ELSEWHERE, LOCKED), SEEN),
        ((), SEEN),
    ],
)
def test_who_only_follows_may_be_seen_or_not(shown, told):
    """Whether a request that came later has gone round yet is no matter of the two that do."""
    script = Script(0, (Window(((0,), (1,)), 7),))
    assert only_those(script, SEEN, carried(*shown)) == (script, told)
