"""The same, with the request forgotten whatever happens."""

from __future__ import annotations

import django
from django.conf import settings
from django.http import HttpResponse
from django.urls import path

settings.configure(
    SECRET_KEY="not a secret",
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["*"],
    MIDDLEWARE=["crequest.middleware.CrequestMiddleware"],
)
django.setup()

from crequest.middleware import CrequestMiddleware
from django.core.wsgi import get_wsgi_application


class WorkerTimeout(BaseException):
    """What a server raises in a worker that takes too long."""


def acting():
    request = CrequestMiddleware.get_request()
    return request.GET["name"] if request is not None else "nobody"


def order(request):
    return HttpResponse(f"ordered by {acting()}")


def slow_report(request):
    raise WorkerTimeout


urlpatterns = [path("order", order), path("report", slow_report)]
site = get_wsgi_application()


def app(environ, start_response):
    if environ["PATH_INFO"] == "/health":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [f"checked by {acting()}, {environ['QUERY_STRING']}".encode()]
    try:
        return site(environ, start_response)
    except WorkerTimeout:
        start_response("504 Gateway Timeout", [("Content-Type", "text/plain")])
        return [b"too late"]
    finally:
        CrequestMiddleware.del_request()
