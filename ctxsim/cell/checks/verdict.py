"""All checks, and the findings that they give together, the most severe first."""

from __future__ import annotations

from collections.abc import Collection

from ctxsim.cell.checks import (
    GROUPS,
    SEVERITY,
    TITLES,
    Check,
    Finding,
    alone,
    answers,
    compared,
    contexts,
    control,
    endings,
    expectations,
    inside,
    retention,
    wire,
)
from ctxsim.cell.history import History

CHECKS: tuple[Check, ...] = (
    answers.check,
    contexts.check,
    inside.check,
    retention.check,
    endings.check,
    control.check,
    expectations.check,
    alone.check,
    wire.check,
    compared.check,
)
# Whether anything was compared is no matter of choice.
_ALWAYS = frozenset({"CTX901"})
# What can be said of an answer in which nothing was the request's own.
_NOT_COMPARED = frozenset({"CTX208", "CTX209", "CTX901"})


def judge(
    history: History, by_itself: History | None = None, codes: Collection[str] = tuple(TITLES)
) -> list[Finding]:
    """The findings of one cell's history, limited to `codes`, the most severe first."""
    wanted = _ALWAYS.union(codes)
    found = [finding for check in CHECKS for finding in check(history, by_itself)]
    kept = [finding for finding in found if finding.code in wanted]
    if any(finding.code not in _NOT_COMPARED for finding in kept):
        # What was found inside the process, or to be missing, was compared as well.
        kept = [finding for finding in kept if finding.code not in _ALWAYS]
    return sorted(kept, key=lambda finding: (SEVERITY.index(finding.code), finding.at_request))


def codes_of(words: Collection[str]) -> frozenset[str]:
    """The codes that a scenario's `checks:` names by code or group; raises ValueError."""
    codes: set[str] = set()
    for word in words:
        if word in TITLES:
            codes.add(word)
        elif word in GROUPS:
            codes.update(GROUPS[word])
        else:
            raise ValueError(f"unknown check {word!r}; there are {', '.join([*GROUPS, *TITLES])}")
    return frozenset(codes)
