"""The small languages of what is said of a server: its URL, how it is started, how much it is sent.

As in `words`, a reader gives a value or raises WordError.
"""

from __future__ import annotations

import re
import shlex
from urllib.parse import SplitResult, urlsplit

from ctxsim.cell.plan import CONNECTIONS
from ctxsim.scenario.words import CONTROL, WordError, clipped, did_you_mean, shown

RATE = re.compile(r"(\d{1,7}(?:\.\d{1,6})?)\s*/\s*(s|m)")
_SECONDS = {"s": 1.0, "m": 60.0}
_HIGHEST_RATE = 1_000_000.0
_DEFAULT_PORTS = {"http": 80, "https": 443}
# What a shell would read as its own; `start` is given to none.
_OF_SHELL = frozenset({"|", "||", "&", "&&", ";", ">", ">>", "<", "2>&1"})
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=.*")


def url(value: object) -> str:
    """Where a server listens: a host, perhaps a port and a path that all steps go below."""
    split = _split(value)
    if split is None or split.scheme not in ("http", "https") or not split.hostname:
        raise WordError(
            f"must be the URL of a server, not {shown(value)}", "write http://127.0.0.1:8000"
        )
    if split.query or split.fragment or split.username is not None:
        raise WordError("can hold a host, a port and a path, no more", "write the rest in steps")
    return str(value).strip()


def _split(value: object) -> SplitResult | None:
    if not isinstance(value, str) or CONTROL.search(value) or " " in value.strip():
        return None
    try:
        split = urlsplit(value.strip())
        # A port that is none shows when it is asked for.
        port = split.port
    except ValueError:
        return None
    return split if port != 0 else None


def place_of(text: str) -> tuple[str, int, str]:
    """Host, port and path prefix of a URL that `url` has read."""
    split = urlsplit(text)
    port = split.port or _DEFAULT_PORTS[split.scheme]
    return split.hostname or "", port, split.path.rstrip("/")


def is_https(text: str) -> bool:
    """Whether a URL that `url` has read asks for encryption."""
    return urlsplit(text).scheme == "https"


def start(value: object) -> str:
    """The command that starts a server: words as a shell splits them, but no shell."""
    try:
        words = shlex.split(value) if isinstance(value, str) else []
    except ValueError:
        raise WordError("has a quote without its end", "close it") from None
    if not words:
        raise WordError(
            f"must be a command, not {shown(value)}", "write gunicorn -b 127.0.0.1:8000 shop:app"
        )
    if _ASSIGNMENT.fullmatch(words[0]):
        raise WordError(
            "is given to no shell, and cannot set variables", "write them in target.env"
        )
    if found := next((word for word in words if word in _OF_SHELL), None):
        raise WordError(
            f"is given to no shell: '{clipped(found)}' would be an argument", "write one command"
        )
    return str(value)


def rate_per_s(value: object) -> float:
    """How many requests become due in a second, written `500/s` or `90/m`."""
    found = RATE.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        hint = f"did you mean {value}/s?" if number else "write for example 500/s"
        raise WordError(f"must be a rate, not {shown(value)}", hint)
    rate = float(found[1]) / _SECONDS[found[2]]
    if not 0 < rate <= _HIGHEST_RATE:
        raise WordError(f"must be more than nothing, not {value}", "write for example 500/s")
    return rate


def connection(value: object) -> str:
    """One of the ways in which requests go over the wire."""
    if isinstance(value, str) and value in CONNECTIONS:
        return value
    hint = did_you_mean(value, CONNECTIONS) if isinstance(value, str) else None
    known = ", ".join(CONNECTIONS)
    raise WordError(f"must be all, none or a list of {known}, not {shown(value)}", hint)
