"""A travel agency that books with a partner over HTTP, through one `requests.Session`.

A session keeps the cookies that it is given. The partner's cookie names the guest; where two
bookings overlap, the second call of one carries the cookie of the other.
"""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests
from flask import Flask, request

from ctxsim import pause

app = Flask(__name__)
http = requests.Session()
http.trust_env = False


class Partner(BaseHTTPRequestHandler):
    """The partner's server: it knows its guests by a cookie."""

    def do_GET(self) -> None:
        guest = self.path.removeprefix("/enter/") if self.path.startswith("/enter/") else ""
        body = self.headers.get("Cookie", "").encode()
        self.send_response(200)
        if guest:
            self.send_header("Set-Cookie", f"guest={guest}; Path=/")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        """Say nothing for each request."""


partner = ThreadingHTTPServer(("127.0.0.1", 0), Partner)
partner.daemon_threads = True
threading.Thread(target=partner.serve_forever, daemon=True).start()
URL = f"http://127.0.0.1:{partner.server_port}"


@app.get("/bookings")
def bookings() -> str:
    http.get(f"{URL}/enter/{request.args['guest']}")
    pause(0.001)
    return f"Bookings of {http.get(f'{URL}/bookings').text}"
