"""What greenlets wait for that comes from outside of the process: no schedule says when it comes.

Whoever begins to wait for it ends the execution, with the place where it was. Otherwise it would
look as if it waited for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol


class Refusing(Protocol):
    """A loop on which nothing from outside is waited for."""

    def refuse(self, awaited: str, module: str = "") -> None:
        """End the execution, since somebody begins to wait for what nobody controls."""


class Ignored:
    """A watcher that never has anything to tell, because nothing of its kind happens."""

    active = pending = False
    ref = True
    callback: Any = None
    args: Any = None
    priority = 0

    def __init__(self, loop: object) -> None:
        self.loop = loop

    def start(self, *args: Any, **named: Any) -> None:
        pass

    def stop(self) -> None:
        pass

    def close(self) -> None:
        pass

    def __enter__(self) -> Ignored:
        return self

    def __exit__(self, *raised: object) -> None:
        pass


class Refused(Ignored):
    """A watcher of the outside world. To make one is no harm; to start it ends the execution."""

    def __init__(self, loop: Refusing, awaited: str, module: str = "") -> None:
        """Where that is what `module` does, it may be declared atomic."""
        super().__init__(loop)
        self._refusing = loop
        self._awaited = awaited
        self._module = module

    def start(self, *args: Any, **named: Any) -> None:
        self._refusing.refuse(self._awaited, self._module)

    def send(self, *args: Any) -> None:
        """Nobody waits for it."""

    send_ignoring_arg = send


class RefusedPool:
    """Stands where a hub has its pool of threads, or its resolver: each use of it is refused."""

    def __init__(self, loop: Refusing, awaited: str, module: str = "") -> None:
        """Where that is what `module` does, it may be declared atomic."""
        self._refusing = loop
        self._awaited = awaited
        self._module = module

    def __getattr__(self, name: str) -> Callable[..., Any]:
        # What a hub calls of it by itself, as it is destroyed or after a fork.
        if name.startswith("_") or name in ("close", "kill"):
            raise AttributeError(name)
        return self._refuse

    def _refuse(self, *args: Any, **named: Any) -> None:
        self._refusing.refuse(self._awaited, self._module)
