"""A Django project as `startproject` lays it out: `wsgi.py` brings the settings and no views."""

import textwrap

import pytest

PROJECT = {
    "site1/__init__.py": "",
    "site1/settings.py": """
        SECRET_KEY, ALLOWED_HOSTS, ROOT_URLCONF = "key", ["*"], "site1.urls"
    """,
    "site1/wsgi.py": """
        import os
        from django.core.wsgi import get_wsgi_application
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site1.settings")
        application = get_wsgi_application()
    """,
    "site1/asgi.py": """
        import os
        from django.core.asgi import get_asgi_application
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site1.settings")
        application = get_asgi_application()
    """,
    "site1/urls.py": """
        from django.urls import URLResolver, path
        from django.urls.resolvers import RoutePattern
        urlpatterns = [URLResolver(RoutePattern("notes/"), "notes.urls")]
    """,
    "notes/__init__.py": "",
    "notes/urls.py": """
        from django.urls import path
        from notes import views
        urlpatterns = [path("search/", views.search), path("new/", views.new)]
    """,
    "notes/views.py": """
        from django.http import HttpResponse
        RECENT = []
        def search(request):
            RECENT.append(request.GET.get("q", ""))
            return HttpResponse(" ".join(RECENT[-5:]))
        def new(request):
            return HttpResponse(request.POST.get("title", ""))
    """,
}


@pytest.fixture
def look_at(look, tmp_path):
    """Look at a module of the project, some of whose files are otherwise."""

    def look_at(app, files=(), **keys):
        for name, text in {**PROJECT, **dict(files)}.items():
            place = tmp_path / name
            place.parent.mkdir(exist_ok=True)
            place.write_text(textwrap.dedent(text))
        return look("", app, **keys)

    return look_at


@pytest.mark.parametrize("app", ["site1.wsgi:application", "site1.asgi:application"])
def test_the_views_of_a_project_are_read_before_its_first_request(look_at, app):
    """What the first request would import is imported: the URLconf, those in it, and all views."""
    sight = look_at(app, unsafe=True).finished().sight
    by_name = {each.route.name: each for each in sight.routes}
    searched, made = by_name["GET /notes/search/"], by_name["POST /notes/new/"]
    assert searched.route.view.function == "search"
    assert searched.trials[0].step.path == "/notes/search/?q={canary}"
    assert made.trials[0].step.form == (("title", "{canary}"),)


def test_what_the_views_of_a_project_share_is_seen_by_doctor(look_at):
    sight = look_at("site1.wsgi:application", doctor=True).finished().sight
    assert [note.text for note in sight.notes] == [
        "search() changes RECENT, a variable of the module"
    ]


def test_a_urlconf_that_cannot_be_imported_is_told_with_its_line(look_at):
    ending = look_at(
        "site1.wsgi:application", {"notes/views.py": "import no_such_package\n"}
    ).ending
    assert ending.kind == "import"
    assert ending.message.startswith("importing Django's URLconf failed: ModuleNotFoundError")
    assert "notes/views.py:1" in ending.message


def test_an_application_that_uses_the_models_of_django_alone_has_no_urlconf(look):
    text = """
import django
from django.conf import settings
settings.configure()
django.setup()
from urllib.parse import parse_qs
def app(environ, start_response):
    start_response("200 OK", [])
    return [parse_qs(environ["QUERY_STRING"]).get("q", ["no"])[0].encode()]
"""
    [home, *_] = look(text).finished().sight.routes
    assert home.trials[0].step.path == "/?q={canary}"


def test_what_settings_name_is_read_too(look_at):
    """A context processor is imported by the first template, an error page by the first error."""
    settings = (
        PROJECT["site1/settings.py"]
        + """
        TEMPLATES = [{
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "OPTIONS": {"context_processors": ["notes.around.who"]},
        }]
        AUTHENTICATION_BACKENDS = ["notes.no_such.Backend", "notes.backends.ByHeader"]
    """
    )
    urls = (
        PROJECT["site1/urls.py"]
        + """
        handler404 = "notes.errors.gone"
    """
    )
    files = {
        "site1/settings.py": settings,
        "site1/urls.py": urls,
        "notes/around.py": """
            def who(request):
                return {"theme": request.COOKIES.get("theme", "")}
        """,
        "notes/backends.py": """
            class ByHeader:
                def authenticate(self, request):
                    return request.headers.get("X-Tenant")
        """,
        "notes/errors.py": """
            from django.http import HttpResponse
            def gone(request, exception):
                return HttpResponse(request.GET.get("lang", ""), status=404)
        """,
    }
    sight = look_at("site1.wsgi:application", files).finished().sight
    [step] = [
        each.trials[0].step for each in sight.routes if each.route.name == "GET /notes/search/"
    ]
    assert "theme" in dict(step.headers)["Cookie"]
    assert "X-Tenant" in dict(step.headers)
    assert "lang=" in step.path
