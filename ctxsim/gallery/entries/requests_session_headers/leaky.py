"""A gateway that passes on the token of whoever asks.

The headers of a `requests.Session` are sent with every request that it makes. One session for the
whole process has the token that was set last, and that may be another user's by now.
"""

from __future__ import annotations

from urllib.parse import parse_qs

import requests
from requests.adapters import BaseAdapter

from ctxsim import pause


class Upstream(BaseAdapter):
    """The service behind, in this process: it tells whose token it was shown."""

    def send(self, request, **options):
        answer = requests.Response()
        answer.status_code, answer.request, answer.url = 200, request, request.url
        answer._content = f"account of {request.headers['Authorization']}".encode()
        return answer

    def close(self):
        """There is no connection."""


session = requests.Session()
session.trust_env = False
session.mount("http://", Upstream())


def account_of(token):
    session.headers["Authorization"] = f"Bearer {token}"
    # The connection is made.
    pause(0.001)
    return session.get("http://service/account").text


def app(environ, start_response):
    account = account_of(parse_qs(environ["QUERY_STRING"])["token"][0])
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [account.encode()]
