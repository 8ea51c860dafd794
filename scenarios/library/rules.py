"""Who may do what; asks for the current reader, so that no view has to hand it on."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied

from library.middleware import current_reader


def require_reader() -> str:
    """The current reader's name; a visitor is turned away."""
    name = current_reader()
    if name is None:
        raise PermissionDenied("log in first")
    return name
