"""What leads out of the process: no schedule says when the answer comes, or what it is.

Whoever begins to wait for it ends the execution, with the line of the application's own where it
was. Two things are carried for real, and nobody goes on until they are over: what is asked of a
server on this machine, and what a module does that was declared atomic by its name.
"""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

from ctxsim.cell.schedule.lockstep import here
from ctxsim.cell.schedule.places import Place, frames_from, own_place


@dataclass(slots=True)
class Leaving:
    """What is carried for real: modules are `atomic` by their names.

    `asked` are the servers that were, each with the line that was the first to do so. Until it is
    `on`, all is: what is done at an application's start is done once.
    """

    on: bool = False
    atomic: tuple[str, ...] = ()
    asked: dict[str, Place] = field(default_factory=dict)

    @contextmanager
    def only(self, atomic: tuple[str, ...]) -> Iterator[None]:
        """Have nothing but these modules wait for others than servers on this machine."""
        self.on, self.atomic, self.asked = True, atomic, {}
        try:
            yield
        finally:
            self.on = False

    def allows(self, frame: FrameType, module: str) -> bool:
        """Whether code of a module that was declared atomic is about to call `module` there."""
        names = {module, *(str(each.f_globals.get("__name__")) for each in frames_from(frame))}
        return any(
            name == atomic or name.startswith(f"{atomic}.")
            for name in names
            for atomic in self.atomic
        )

    def ask(self, server: str, frame: FrameType) -> None:
        """Take note that a server is asked for real."""
        self.asked.setdefault(server, own_place(frame))


# One process is searched at a time, and what stands in for functions has to find it.
leaving = Leaving()


def leave(awaited: str, module: str, server: str = "", *, near: bool = False) -> None:
    """Called by what stands in for a function of `module`: ends the execution, or returns.

    `awaited` is what is waited for, in words; `server` is whom it asks, where that is known.
    """
    run = here()
    if run is None or not leaving.on:
        return
    frame = sys._getframe(2)
    if not (near or leaving.allows(frame, module)):
        run.escape(awaited, frame, module)
    if server:
        leaving.ask(server, frame)


def is_near(host: object) -> bool:
    """Whether a host is this machine, as far as its name or number tells."""
    if not isinstance(host, str):
        return False
    return ipaddress.ip_address(host).is_loopback if is_number(host) else host == "localhost"


def is_number(host: str) -> bool:
    """Whether a host is told by its address, which nobody has to look up."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
