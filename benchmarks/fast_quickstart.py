"""The quickstart's application without its wait: what is left is the work of each request."""

from __future__ import annotations

import quickstart

quickstart.QUERY_S = 0.0
app = quickstart.app
