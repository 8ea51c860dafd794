"""The same with `translation.override`, which puts back what was there.

And with no locale but those that resellers have, since Django keeps each that was ever active.
"""

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

LOCALES = {f"en-reseller{number}" for number in range(100)}


def catalogue(request):
    locale = request.GET["locale"]
    with translation.override(locale if locale in LOCALES else settings.LANGUAGE_CODE):
        return HttpResponse(f"catalogue {request.GET['number']} in {translation.get_language()}")


def about(request):
    return HttpResponse(f"page {request.GET['number']} in {translation.get_language()}")


urlpatterns = [path("catalogue", catalogue), path("about", about)]
app = get_wsgi_application()
