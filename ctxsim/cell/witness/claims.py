"""Which request an object belongs to: the first that was seen with it."""

from __future__ import annotations

import contextlib
import weakref
from typing import Any

from ctxsim.cell.visits import Request


class Claims:
    """Owners of objects that are known by identity.

    They are held weakly: to hold them would keep what the application expects to die with its
    request.
    """

    def __init__(self) -> None:
        self._owners: dict[int, tuple[weakref.ref[object], Request]] = {}

    def owner(self, thing: object) -> Request | None:
        entry = self._owners.get(id(thing))
        return entry[1] if entry is not None and entry[0]() is thing else None

    def claim(self, thing: object, request: Request) -> Request:
        """Give the owner of `thing`, which is `request` if it had none."""
        entry = self._owners.get(id(thing))
        if entry is not None and entry[0]() is thing:
            return entry[1]
        # What cannot be held weakly cannot be told from its successor at the same address.
        with contextlib.suppress(TypeError):
            self._owners[id(thing)] = (weakref.ref(thing), request)
        return request


class Owned:
    """A base for the class of an application's `g`, with room for the owner beside its names."""

    __slots__ = ("ctxsim_owner",)


_SLOT: Any = Owned.__dict__["ctxsim_owner"]
# Bound once, since to look them up takes as long as to call them.
_owner_in, _put_in = _SLOT.__get__, _SLOT.__set__


class OwnersOfG(Claims):
    """Owners of `g` objects, kept in the object itself where its class was made for that.

    It is asked several times for each request, and a slot costs a tenth of a weak reference. What
    was made before the class was replaced, by a context that was pushed at import, is claimed as
    any other object.
    """

    def adopt(self, app: Any) -> None:
        """Have `app` make its `g` of a class with room for the owner."""
        base = app.app_ctx_globals_class
        # A function may make them, too; what it makes is claimed as any other object is.
        if issubclass(type(base), type) and not issubclass(base, Owned):
            names = {"__module__": base.__module__, "__qualname__": base.__qualname__}
            app.app_ctx_globals_class = type(base.__name__, (Owned, base), names)

    def owner(self, thing: object) -> Request | None:
        try:
            found: Request | None = _owner_in(thing)
        except AttributeError:
            return None
        except TypeError:
            return super().owner(thing)
        return found

    def claim(self, thing: object, request: Request) -> Request:
        try:
            found: Request = _owner_in(thing)
        except AttributeError:
            _put_in(thing, request)
            return request
        except TypeError:
            return super().claim(thing, request)
        return found
