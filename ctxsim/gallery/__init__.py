"""Known-bad applications, each with a fixed twin."""

from ctxsim.gallery.entry import Entry, entries, named
from ctxsim.gallery.twins import (
    Judgement,
    Place,
    expected,
    installs,
    is_server,
    judged,
    place,
    twin,
)

__all__ = [
    "Entry",
    "Judgement",
    "Place",
    "entries",
    "expected",
    "installs",
    "is_server",
    "judged",
    "named",
    "place",
    "twin",
]
