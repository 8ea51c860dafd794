"""Which storage the process uses, and who must be told when that changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol
from weakref import WeakSet

from ctxsim.runtime.storages import MAKERS
from ctxsim.runtime.storages.slot import Slot

storages: tuple[str, ...] = tuple(MAKERS)


class Rebindable(Protocol):
    """Holds slots of the selected storage and takes new ones when another is selected."""

    def __rebind__(self) -> None:
        """Replace the slots by those of the storage that is selected now."""


_selected = [storages[0]]
_followers: WeakSet[Any] = WeakSet()
_refusals: list[Callable[[], str | None]] = []


def selected_storage() -> str:
    """Give the name of the storage that `use_storage` selected, or of the default."""
    return _selected[0]


def make_slot(name: str, storage: str | None = None) -> Slot:
    """Make a slot of `storage`, or of the selected one.

    Raises ValueError for a storage that does not exist.
    """
    wanted = _selected[0] if storage is None else storage
    if wanted not in MAKERS:
        known = ", ".join(storages)
        raise ValueError(f"There is no storage called {wanted!r}. Choose one of: {known}.")
    return MAKERS[wanted](name)


def follow(follower: Rebindable) -> None:
    """Call `follower.__rebind__()` whenever another storage is selected."""
    _followers.add(follower)


def refuse_while(reason: Callable[[], str | None]) -> None:
    """Let `use_storage` fail for as long as `reason()` gives one."""
    _refusals.append(reason)


def use_storage(name: str) -> None:
    """Keep contexts, and every Local that names no storage of its own, in storage `name`.

    Select it before requests run: what workers have stored so far stays behind in the storage that
    was selected until now. Locals, stacks and proxies that exist already move with the selection.

    Raises ValueError for an unknown name, and RuntimeError while a context is pushed on the calling
    worker, because that context could not be popped from the storage it was pushed to.
    """
    make_slot("probe", name)
    for reason in _refusals:
        if (text := reason()) is not None:
            raise RuntimeError(f"The storage cannot be changed to {name!r} here: {text}")
    _selected[0] = name
    for follower in list(_followers):
        follower.__rebind__()
