"""Who the current user is: kept where it belongs, or where it must not be."""

from __future__ import annotations

from typing import Protocol

from flask import current_app, g

_user: str | None = None


class Current(Protocol):
    """Keeps the name of the current user, None for a visitor."""

    def set(self, name: str | None) -> None: ...

    def get(self) -> str | None: ...


class InRequest:
    """In `g`, which each request has for itself."""

    def set(self, name: str | None) -> None:
        g.user = name

    def get(self) -> str | None:
        name: str | None = g.user
        return name


class InModule:
    """In a variable of this module, which all requests share."""

    def set(self, name: str | None) -> None:
        global _user  # noqa: PLW0603 - this is the mistake
        _user = name

    def get(self) -> str | None:
        return _user


def remember(name: str | None) -> None:
    """Make `name` the current user."""
    current_app.extensions["current_user"].set(name)


def current_user() -> str | None:
    """The name of the current user, None for a visitor."""
    name: str | None = current_app.extensions["current_user"].get()
    return name
