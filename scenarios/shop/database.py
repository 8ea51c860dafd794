"""What the shop sells, and the wait that a database would cost."""

from __future__ import annotations

import time

# All requests read it and none changes it, so it may be shared.
CATALOGUE = {"tea": 4, "bread": 3, "honey": 7}


def price(item: str) -> int | None:
    """The price of an item, None for what is not sold here."""
    wait()
    return CATALOGUE.get(item)


def wait() -> None:
    """Take as long as a query: other requests run meanwhile, if the workers let them."""
    time.sleep(0.001)  # noqa: TID251 - it stands for a query
