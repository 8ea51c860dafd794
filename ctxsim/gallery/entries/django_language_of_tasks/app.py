"""A shop in which each reseller has a locale of its own, for its own words; Django, as ASGI.

Django keeps the active language in asgiref's Local. In asgiref 3.8 that is one dict, changed in
place; as start-up activates the shop's own language, the dict is there before the first request,
and is the same in every task's copy of the context.
"""

from __future__ import annotations

import asyncio

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
# The texts of a few mails are made at start-up.
translation.activate("en")

from django.core.asgi import get_asgi_application


async def catalogue(request):
    with translation.override(request.GET["locale"]):
        # The catalogue is in a database.
        await asyncio.sleep(0.001)
        return HttpResponse(f"catalogue {request.GET['number']} in {translation.get_language()}")


urlpatterns = [path("catalogue", catalogue)]
app = get_asgi_application()
