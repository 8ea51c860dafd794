"""What a search has not looked at, in words: routes in one piece, and causes that it left out."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from ctxsim.cell.history import KINDS
from ctxsim.cell.plan import Step
from ctxsim.cell.searching.shown import Cause
from ctxsim.cell.searching.stage import ANY


def unseen(steps: Sequence[Step], ended: Collection[int], seen: Collection[int]) -> str:
    """Which requests were carried in one piece, since none of their lines is selected."""
    routes = {steps[each].route for each in set(ended) - set(seen)}
    in_one_piece = sorted(routes - {steps[each].route for each in seen if each != ANY})
    if not in_one_piece:
        return ""
    return f"{', '.join(in_one_piece)} came to no switch point: carried in one piece"


def left_out(
    causes: Collection[Cause], settled: Mapping[Cause, object]
) -> Iterator[tuple[str, bool]]:
    """That a search saw more than it looked at again; and whether none of that kind was told.

    It may be a finding of another code then, so it is no matter of a note.
    """
    kinds = {cause[0] for cause, told in settled.items() if told is not None}
    for is_doubt in (True, False):
        among = sorted(each for each in causes if (each[0] not in kinds) == is_doubt)
        if among:
            kind, *where = among[0][:3]
            more = "cause was" if len(among) == 1 else "causes were"
            shown = f"{KINDS.get(kind, kind)} ({', '.join(filter(None, where))})"
            yield (
                f"{len(among)} more {more} seen, and left out after {len(settled)} others: {shown}"
                f"{', ...' if len(among) > 1 else ''}",
                is_doubt,
            )
