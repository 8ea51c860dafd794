"""A route as a framework tells it."""

from __future__ import annotations

from dataclasses import dataclass

from ctxsim.cell.sights import Read

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True, slots=True)
class Found:
    """A route before its source is read: `view` is what answers it, where that is known.

    `is_guess`: the framework does not tell whether the view answers this method. `is_exact`: it
    refuses what the view does not name.
    """

    method: str
    path: str
    view: object = None
    reads: tuple[Read, ...] = ()
    wants: str = ""
    is_guess: bool = False
    is_exact: bool = False
