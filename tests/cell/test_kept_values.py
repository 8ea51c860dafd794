"""What a library keeps for all is no residue; what a request leaves in the same place is."""

from __future__ import annotations

import pytest
from driving import live, plan_of

from ctxsim.cell.plan import Users

SOURCE = """
from asgiref.local import Local
from django.conf import settings
settings.configure(
    ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="a key for tests",
    CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
)
import django
django.setup()
from django.core.cache import cache
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path

current = Local()

def say(request):
    tag = request.GET["tag"]
    LINE
    return HttpResponse(tag)

urlpatterns = [path("say", say)]
app = get_wsgi_application()
"""


@pytest.mark.parametrize("word", ["sync", "threads:4", "tasks:10:executor"])
@pytest.mark.parametrize(
    ("line", "codes"),
    [("cache.set(tag, tag)", set()), ("current.tag = tag", {"CTX401"})],
    ids=["a cache", "a Local"],
)
def test_a_cache_that_a_context_leads_to_is_no_residue(application, word, line, codes):
    """Django's connections to its caches stand in a context variable, as the Local's values do."""
    target = application(SOURCE.replace("LINE", line))
    found = live(plan_of("GET /say?tag={canary}", target=target, workers=word)).finished()
    assert found.codes == codes, found.told()


STOCK = """
import threading
from asgiref.local import Local
from django.conf import settings
settings.configure(
    ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="a key for tests", DEBUG=True,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    MIDDLEWARE=[__name__ + ".Keeping"],
)
from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.http import HttpResponse
from django.urls import path

current = Local(thread_critical=True)

class Keeping:
    def __init__(self, get_response):
        self.get_response, self.kept = get_response, threading.local()
    def __call__(self, request):
        request.kept = self.kept
        return self.get_response(request)

def say(request):
    tag = request.GET["tag"]
    LINE
    return HttpResponse(tag)

urlpatterns = [path("say", say)]
app = get_wsgi_application()
"""


@pytest.mark.parametrize("word", ["sync", "threads:4", "tasks:10:executor"])
@pytest.mark.parametrize(
    ("line", "places"),
    [
        ("connection.cursor().execute('select %s', [tag])", []),
        ("current.tag = tag", ["thread-local app.current"]),
        ("request.kept.tag = tag", ["thread-local of app.Keeping"]),
    ],
    ids=["Django's log of queries", "a Local", "a thread-local of a middleware"],
)
def test_what_django_logs_for_its_developers_is_no_residue(application, word, line, places):
    """It is emptied as the next request begins; what the application declares is not."""
    target = application(STOCK.replace("LINE", line))
    found = live(plan_of("GET /say?tag={canary}", target=target, workers=word)).finished()
    assert [each.cause[2] for each in found.findings] == places, found.told()


BOTTLE = """
import bottle

app = bottle.Bottle()

@app.get("/enter")
def enter():
    bottle.response.set_cookie("user", bottle.request.query.user)
    return bottle.request.query.user
"""


BOUND_ANEW = """
import bottle
from ctxsim import pause

app = bottle.Bottle()

@app.get("/hello")
def hello():
    name = bottle.request.query.name
    pause(0.001)
    return name
"""


@pytest.mark.parametrize("tag", ["&tag={canary}", ""])
def test_what_a_later_request_of_the_same_user_binds_anew_was_not_left_over(application, tag):
    """In a thread that is not patched, Bottle's request is that of whoever began last.

    Without a tag all of a user's requests have one text, and environments of their own.
    """
    plan = plan_of(
        f"GET /hello?name={{user.canary}}{tag}",
        target=application(BOUND_ANEW),
        workers="greenlets:4:unpatched",
        users=Users(count=4, visitor=False),
    )
    found = live(plan).finished()
    assert "CTX401" not in found.codes, found.told()


@pytest.mark.parametrize("word", ["sync", "threads:2"])
def test_what_a_user_sends_again_was_not_left_over(application, word):
    """Bottle keeps a thread's last response, and each of the user's own sets the same cookie."""
    plan = plan_of(
        "GET /enter?user={user.canary}",
        target=application(BOTTLE),
        workers=word,
        users=Users(count=2, visitor=False),
    )
    found = live(plan).finished()
    assert found.codes == set(), found.told()
