"""An application that keeps the current customer in asgiref's Local, as Django keeps its language.

asgiref 3.8 has one dict per context variable and changes it in place. Something is set at start-up,
so the dict is there before the first request: every copy of that context holds the same dict, and
the customer of one request is the customer of all.
"""

from __future__ import annotations

from urllib.parse import parse_qs

from asgiref.local import Local

from ctxsim import pause

current = Local()
current.language = "en"


def app(environ, start_response):
    current.customer = parse_qs(environ["QUERY_STRING"])["customer"][0]
    try:
        # The orders are in a database.
        pause(0.001)
        body = f"orders of {current.customer}"
    finally:
        current.customer = None
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body.encode()]
