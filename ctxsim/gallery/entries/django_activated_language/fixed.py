"""The same with `translation.override`, which puts back what was there."""

from __future__ import annotations

import django
from django.conf import settings
from django.http import HttpResponse
from django.urls import path
from django.utils import translation

settings.configure(
    SECRET_KEY="not a secret",
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["*"],
    USE_I18N=True,
    LANGUAGE_CODE="en",
)
django.setup()

from django.core.wsgi import get_wsgi_application


def catalogue(request):
    with translation.override(request.GET["locale"]):
        return HttpResponse(f"catalogue {request.GET['number']} in {translation.get_language()}")


def about(request):
    return HttpResponse(f"page {request.GET['number']} in {translation.get_language()}")


urlpatterns = [path("catalogue", catalogue), path("about", about)]
app = get_wsgi_application()
