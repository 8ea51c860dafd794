"""Chance that depends on a seed alone, and is the same on every Python."""

from __future__ import annotations

from collections.abc import Sequence

from ctxsim.cell.plan import Flow

_WORD_BITS = 32


def weighted(flows: Sequence[Flow], drawn: float) -> Flow:
    """One of the flows, by their weights; `drawn` is from 0 to less than 1."""
    left = drawn * sum(flow.weight for flow in flows)
    for flow in flows:
        left -= flow.weight
        if left < 0:
            return flow
    return flows[-1]


def scrambled(seed: int, *numbers: int) -> int:
    """32 bits that depend on every bit of the arguments (splitmix64's finisher, Steele et al.)."""
    state = seed
    for number in numbers:
        state = (state + (number + 1) * 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
        state = ((state ^ state >> 30) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
        state = ((state ^ state >> 27) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
        state ^= state >> 31
    return state >> _WORD_BITS
