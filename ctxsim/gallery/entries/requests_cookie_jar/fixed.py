"""The same with a session, and so a jar, for each request."""

from __future__ import annotations

from io import BytesIO
from urllib.parse import parse_qs

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPHeaderDict, HTTPResponse

from ctxsim import pause


class Upstream(HTTPAdapter):
    """The service behind, in this process: it knows its users by a cookie."""

    def send(self, request, **options):
        headers = HTTPHeaderDict()
        if request.url.endswith("/login"):
            headers.add("Set-Cookie", f"user={request.body}; Path=/")
            body = "logged in"
        else:
            body = f"page of {request.headers.get('Cookie', 'nobody')}"
        message = _Message(headers)
        raw = HTTPResponse(
            BytesIO(body.encode()),
            headers,
            status=200,
            preload_content=False,
            original_response=message,
        )
        return self.build_response(request, raw)


class _Message:
    """What the cookie jar wants to read headers from."""

    def __init__(self, headers):
        self.msg = self
        self.get_all = headers.getlist

    def isclosed(self):
        return True


def gateway_session():
    made = requests.Session()
    made.trust_env = False
    made.mount("http://service", Upstream())
    return made


def app(environ, start_response):
    name = parse_qs(environ["QUERY_STRING"])["name"][0]
    with gateway_session() as session:
        session.post("http://service/login", data=name)
        # Something else is asked for meanwhile.
        pause(0.001)
        page = session.get("http://service/page").text
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [page.encode()]
