"""An application's settings: a dict with defaults and two ways to fill it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

_DEFAULTS: dict[str, Any] = {
    "APPLICATION_ROOT": "/",
    "DEBUG": False,
    "PERMANENT_SESSION_LIFETIME": timedelta(days=31),
    "PREFERRED_URL_SCHEME": "http",
    "PROPAGATE_EXCEPTIONS": None,
    "SECRET_KEY": None,
    "SECRET_KEY_FALLBACKS": None,
    "SERVER_NAME": None,
    "SESSION_COOKIE_DOMAIN": None,
    "SESSION_COOKIE_HTTPONLY": True,
    "SESSION_COOKIE_NAME": "session",
    "SESSION_COOKIE_PARTITIONED": False,
    "SESSION_COOKIE_PATH": None,
    "SESSION_COOKIE_SAMESITE": None,
    "SESSION_COOKIE_SECURE": False,
    "SESSION_REFRESH_EACH_REQUEST": True,
    "TEMPLATES_AUTO_RELOAD": None,
    "TESTING": False,
    "TRAP_BAD_REQUEST_ERRORS": None,
    "TRAP_HTTP_EXCEPTIONS": False,
}


class Config(dict[str, Any]):
    """The settings of one application."""

    def __init__(self) -> None:
        super().__init__(_DEFAULTS)

    def session_lifetime_s(self) -> int:
        """Give PERMANENT_SESSION_LIFETIME, a timedelta or a number of seconds, in seconds."""
        lifetime = self["PERMANENT_SESSION_LIFETIME"]
        return int(lifetime.total_seconds() if isinstance(lifetime, timedelta) else lifetime)

    def from_mapping(self, mapping: Mapping[str, Any] | None = None, **values: Any) -> None:
        """Take over the upper-case keys of `mapping` and `values`."""
        given = {**(mapping or {}), **values}
        self.update({key: value for key, value in given.items() if key.isupper()})

    def from_object(self, settings: object) -> None:
        """Take over the upper-case attributes of a module or class."""
        names = [name for name in dir(settings) if name.isupper()]
        self.update({name: getattr(settings, name) for name in names})
