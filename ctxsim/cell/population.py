"""How many users and visitors a plan has."""

from __future__ import annotations

from ctxsim.cell import canaries
from ctxsim.cell.plan import Plan

_AT_LEAST_USERS = 20
_VISITOR_SHARE = 8  # one visitor for this many users


def user_count(plan: Plan) -> int:
    """How many users a plan has, without its visitors."""
    wanted = plan.users.count or max(_AT_LEAST_USERS, plan.workers.in_flight)
    return min(wanted, canaries.MAX_USER)


def visitor_count(plan: Plan) -> int:
    """How many visitors a plan has, if there are steps for them: what the workers can carry beside
    its users, or a few."""
    if not plan.users.visitor:
        return 0
    missing = plan.workers.in_flight - user_count(plan) * plan.users.parallel
    return max(-(-user_count(plan) // _VISITOR_SHARE), missing)
