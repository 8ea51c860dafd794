"""An application that says what its process takes with so many requests in flight.

Prints `in flight N: M bytes` once as many requests have begun as RECORD_AT says.
"""

from __future__ import annotations

import itertools
import os

from ctxsim import pause
from ctxsim.runtime import App, g, request

RECORD_AT = (1, 1_000, 100_000)

app = App(__name__)
begun = itertools.count(1)


def resident_bytes() -> int:
    """The resident size of this process."""
    with open("/proc/self/statm") as opened:
        return int(opened.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@app.get("/wait")
def wait() -> str:
    g.tag = request.args["tag"]
    number = next(begun)
    if number in RECORD_AT:
        print(f"in flight {number}: {resident_bytes()} bytes", flush=True)
    pause(0)
    return f"This request is {g.tag}."
