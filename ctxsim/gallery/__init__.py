"""Known-bad applications, each with a fixed twin: what ctxsim finds, and what the fix looks like."""

from ctxsim.gallery.entry import Entry, entries, named
from ctxsim.gallery.twins import Judgement, expected, judged, place, twin

__all__ = ["Entry", "Judgement", "entries", "expected", "judged", "named", "place", "twin"]
