"""What a server does for one request, in as few lines as can be."""

from __future__ import annotations


def get(app, path, user):
    """The body of the answer to a request of that user."""
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "QUERY_STRING": f"user={user}",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
    }
    body = app(environ, lambda status, headers, exc_info=None: None)
    try:
        return b"".join(body).decode()
    finally:
        body.close()
