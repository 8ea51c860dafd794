"""An import string that cannot be followed is refused with what is there instead."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest
from driving import live, plan_of

from ctxsim.cell.plan import Target
from ctxsim.cell.targets import importing
from ctxsim.errors import TargetError

SOURCE = """
application = object()
answer = 42
class Shop:
    wsgi = "the application of the shop"
def create_app():
    return "made"
def fails():
    raise KeyError("DATABASE_URL")
def leaves():
    raise SystemExit("no database")
_hidden = 1
"""


@pytest.fixture
def target(tmp_path, monkeypatch):
    """Targets in a folder of their own; what they import is forgotten afterwards."""
    known = set(sys.modules)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    (tmp_path / "myshop_wsgi.py").write_text(SOURCE)
    (tmp_path / "myshop_keyerror.py").write_text("{}['SECRET']\n")
    (tmp_path / "myshop_exits.py").write_text("import sys; sys.exit('not configured')\n")
    (tmp_path / "myshop_syntax.py").write_text("def broken(:\n")
    (tmp_path / "myshop_needs.py").write_text("import package_that_is_missing\n")
    package = tmp_path / "myshop_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "beside.py").write_text("value = 'beside'\n")
    (package / "serve.py").write_text("import beside\nvalue = beside.value\n")
    yield lambda app: Target(app, path=(str(tmp_path),))
    for name in set(sys.modules) - known:
        del sys.modules[name]


def refused(target):
    with pytest.raises(TargetError) as error:
        importing.load(target)
    message, hint = error.value.args
    return message, hint, error.value.__cause__


def test_a_name_leads_to_its_object(target):
    """`module:attribute`, with dots in the attribute."""
    assert importing.load(target("myshop_wsgi:answer")) == 42
    assert importing.load(target("myshop_wsgi:Shop.wsgi")) == "the application of the shop"


def test_parentheses_call_a_factory(target):
    """`module:factory()`."""
    assert importing.load(target("myshop_wsgi:create_app()")) == "made"


def test_a_path_leads_to_a_file(target):
    """`path/to/file.py:attribute`, from a folder of the target; its neighbours are importable."""
    assert importing.load(target("myshop_package/serve.py:value")) == "beside"
    assert sys.modules["serve"].value == "beside"


def test_a_missing_module_is_named_with_a_near_miss(target):
    """Where it was looked for, and what is there under a like name."""
    message, hint, _ = refused(target("myshop_wsg:app"))
    assert message == "no module named 'myshop_wsg' (from target myshop_wsg:app)"
    assert "did you mean 'myshop_wsgi'?" in hint
    assert "target.path" in hint


def test_an_attribute_behind_a_dot_is_told_with_its_colon(target):
    given = "myshop_wsgi.answer"
    with pytest.raises(TargetError) as error:
        importing.module_at(given, target(given))
    assert "did you mean 'myshop_wsgi:answer'?" in error.value.args[1]


def test_a_missing_submodule_is_named_whole(target):
    """The part of the name that is not there is what is missing."""
    message, _, _ = refused(target("myshop_package.nothing:app"))
    assert "no module named 'myshop_package.nothing'" in message


def test_a_module_that_the_application_misses_is_its_own_failure(target):
    """Not the target is missing, but something that it imports: its place is told."""
    message, hint, cause = refused(target("myshop_needs:app"))
    assert message.startswith("importing myshop_needs failed: ModuleNotFoundError")
    assert "myshop_needs.py:1" in message
    assert hint.startswith("the application raised this itself\nit was imported by ")
    assert hint.endswith(f"{sys.executable}; target.python names another")
    assert isinstance(cause, ModuleNotFoundError)


def test_a_missing_attribute_is_told_with_those_that_are_there(target):
    """Names that begin with an underscore are nobody's offer."""
    message, hint, _ = refused(target("myshop_wsgi:zzz"))
    assert message == "module 'myshop_wsgi' has no attribute 'zzz'"
    assert "it has: Shop, answer, application, create_app" in hint
    assert "_hidden" not in hint


def test_a_missing_attribute_that_is_nearly_there_is_guessed(target):
    """A slip of the finger is answered with the right name."""
    _, hint, _ = refused(target("myshop_wsgi:aplication"))
    assert hint.startswith("did you mean 'application'?")


def test_a_factory_takes_no_arguments(target):
    message, hint, _ = refused(target("myshop_wsgi:create_app('x')"))
    assert message == "myshop_wsgi:create_app('x') is no factory that is called without arguments"
    assert hint.startswith("write a function without parameters that returns create_app('x')")


def test_a_file_of_a_package_is_named_as_a_module(target, tmp_path):
    """By its path it is in no package, so that its relative imports lead nowhere."""
    inner = tmp_path / "myshop" / "inner"
    inner.mkdir(parents=True)
    for folder in (inner.parent, inner):
        (folder / "__init__.py").write_text("")
    (inner / "web.py").write_text("from .other import app\n")
    message, hint, _ = refused(target(f"{inner / 'web.py'}:app"))
    assert "attempted relative import" in message
    assert hint == "it is part of a package: name it as a module, such as myshop.inner.web"


@pytest.mark.parametrize("app", ["myshop_wsgi:answer.app", "myshop_wsgi:Shop.app"])
def test_an_attribute_of_an_attribute_may_be_missing(target, app):
    """Also of an object that has no `__dict__`, the refusal is a refusal."""
    message, _, _ = refused(target(app))
    assert "has no attribute" in message


def test_what_cannot_be_called_is_no_factory(target):
    """The advice is to leave the parentheses out."""
    message, hint, _ = refused(target("myshop_wsgi:answer()"))
    assert message == "myshop_wsgi:answer(): int cannot be called"
    assert hint == "leave out '()'"


@pytest.mark.parametrize(
    ("app", "said", "cause"),
    [
        ("myshop_wsgi:fails()", "calling myshop_wsgi:fails() failed: KeyError:", KeyError),
        ("myshop_wsgi:leaves()", "failed: SystemExit: no database", SystemExit),
        ("myshop_keyerror:app", "importing myshop_keyerror failed: KeyError:", KeyError),
        ("myshop_exits:app", "failed: SystemExit: not configured", SystemExit),
        ("myshop_syntax:app", "failed: SyntaxError:", SyntaxError),
        ("myshop_syntax:app", "myshop_syntax.py:1)", SyntaxError),
    ],
)
def test_what_the_application_raises_is_told_with_its_place(target, app, said, cause):
    """Also what is no Exception does not end the cell without a word."""
    message, hint, raised = refused(target(app))
    assert said in message
    assert hint == "the application raised this itself"
    assert isinstance(raised, cause)
    if cause is not SyntaxError:
        assert f"{app.partition(':')[0]}.py:" in message


def test_a_missing_file_is_told_with_where_it_was_looked_for(target, tmp_path):
    """Paths count from the folders of the target."""
    message, hint, _ = refused(target("nowhere/app.py:app"))
    assert message == "no file nowhere/app.py (from target nowhere/app.py:app)"
    assert str(tmp_path) in hint


@pytest.mark.parametrize("app", ["myshop_wsgi", "myshop_wsgi:", ":app", ""])
def test_an_incomplete_import_string_is_refused(target, app):
    """Neither half may be missing."""
    message, hint, _ = refused(target(app))
    assert message == f"{app!r} does not say what to import"
    assert hint.startswith("write module:attribute")


def test_resolving_never_fails():
    """What `shared` names may not be there yet, or not any more."""
    assert importing.resolve("sys:path") is sys.path
    assert importing.resolve("no_such_module:name") is None
    assert importing.resolve("sys:no.such.name") is None
    assert importing.resolve("sys") is None


def test_a_factory_that_is_not_called_is_told_from_an_application(application):
    """`app: shop:create_app` is a mistake of a moment, and no finding about the shop."""
    source = """
    def create_app():
        def app(environ, start_response):
            start_response("200 OK", [])
            return [environ["QUERY_STRING"].encode()]
        return app
    """
    target = application(source)
    forgotten = live(plan_of("GET /?{canary}", target=replace(target, app="app:create_app")))
    assert forgotten.ending.kind == "import"
    assert forgotten.ending.hint == "write app:create_app() to have it called"
    called = live(plan_of("GET /?{canary}", target=replace(target, app="app:create_app()")))
    assert called.finished().findings == []


def test_a_proxy_without_anything_behind_it_is_refused_in_words(application):
    """It raises as soon as it is asked what it is."""
    target = application("from flask import request as app")
    ending = live(plan_of("GET /", target=target)).ending
    assert ending.kind == "import"
    assert ending.message.startswith("app:app is a LocalProxy that tells nothing of itself: Work")
