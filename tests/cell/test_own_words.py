"""What is an answer's own is taken out of it quickly, unless it may be a part of another's."""

from __future__ import annotations

import pytest
from driving import NAMED, plan_of, step

from ctxsim.cell.visits import Traffic
from ctxsim.cell.witness.own_words import OwnWords


@pytest.mark.parametrize(
    ("text", "reduced"),
    [
        ("own", True),
        ("own own", True),
        ("user{n}, own.", True),
        ("user{n}1, own.", False),
        ("own1", False),
        ("user{n}_x", False),
    ],
)
def test_only_what_goes_on_needs_a_closer_look(text, reduced):
    """User 7's name begins user 71's."""
    plan = plan_of(step("GET /"), users=NAMED)
    traffic = Traffic(plan, lambda: 0.0)
    request = next(filter(lambda each: each.user.number, iter(traffic.take, None)))
    data = text.replace("own", request.canary).replace("{n}", str(request.user.number))
    found = OwnWords(plan, traffic).reduced(request, data.encode())
    assert (found is not None) == reduced
    assert found is None or request.canary.encode() not in found
