"""Interpreters are asked once what they are; gevent is lent only where it is needed and missing."""

import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from ctxsim.cell.plan import Plan, Target, Workers
from ctxsim.cells import Halt, Job, Limits, Pace, process, run_cells
from ctxsim.cells import interpreter as interpreters
from ctxsim.cells.interpreter import Interpreter, equip, interpreter
from ctxsim.errors import TargetError

OUR_BUILD = sys.implementation.cache_tag + sys.abiflags


@dataclass(frozen=True)
class NamedCell:
    name: str


def job(workers, python=sys.executable, app="pretend:lent"):
    plan = Plan("pretend", "0badcafe", 1, 1, Target(app), Workers.parse(workers), ())
    return Job(NamedCell(workers), plan, python)


def script(folder, text):
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def python_without(monkeypatch):
    """Makes an interpreter that says it can import `importable`, and nothing else of gevent's."""

    def make(*importable, build=OUR_BUILD):
        said = Interpreter("3.11.7", build, frozenset(importable))
        monkeypatch.setattr(interpreters, "interpreter", lambda _: said)

    return make


def test_an_interpreter_tells_its_version_and_what_it_can_import():
    ours = interpreter(sys.executable)
    assert ours.version == ".".join(map(str, sys.version_info[:3]))
    assert ours.build == OUR_BUILD
    assert ours.importable == {"gevent", "greenlet", "zope.event", "zope.interface"}


def test_an_interpreter_is_asked_once(tmp_path):
    asked = tmp_path / "asked"
    python = script(tmp_path, f'echo x >> {asked}\nexec {sys.executable} "$@"')
    assert interpreter(python) is interpreter(python)
    assert asked.read_text() == "x\n"


def test_what_stands_in_the_current_folder_is_not_taken_for_an_installed_package(
    tmp_path, monkeypatch
):
    (tmp_path / "gevent.py").touch()
    monkeypatch.chdir(tmp_path)
    python = script(tmp_path, f'exec {sys.executable} -S "$@"')
    assert interpreter(python).importable == frozenset()


def test_an_interpreter_that_does_not_exist_is_named_with_what_to_write():
    with pytest.raises(TargetError, match="cannot start the interpreter /nowhere/python: No such"):
        interpreter("/nowhere/python")


def test_an_interpreter_older_than_3_11_is_refused_with_its_version(tmp_path):
    with pytest.raises(TargetError, match=r"is Python 2\.7\.18; a cell needs Python 3\.11"):
        interpreter(script(tmp_path, "echo 2.7.18; exit 1"))


def test_a_program_that_is_no_python_is_refused_in_its_own_words(tmp_path):
    with pytest.raises(TargetError, match="is no Python interpreter; it said: unknown option -c"):
        interpreter(script(tmp_path, "echo unknown option -c >&2; exit 2"))


def test_an_interpreter_that_fails_halfway_is_refused(tmp_path):
    with pytest.raises(TargetError, match="failed when asked what it can import: no room"):
        interpreter(script(tmp_path, "echo 3.12.1; echo no room >&2; exit 1"))


def test_an_interpreter_that_does_not_answer_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(interpreters, "_ASK_LIMIT_S", 0.2)
    with pytest.raises(TargetError, match=r"no answer within 0\.2 s"):
        interpreter(script(tmp_path, "exec cat /dev/zero > /dev/null"))


def test_gevent_is_lent_to_greenlets_where_it_is_missing(python_without):
    python_without()
    lent = equip(job("greenlets:8")).plan
    assert lent.lent == ("gevent", "greenlet", "zope.event", "zope.interface")
    assert (Path(lent.lent_from) / "gevent" / "__init__.py").exists()


def test_only_what_is_missing_is_lent(python_without):
    python_without("greenlet", "zope.event")
    lent = equip(job("threads:2 x greenlets:8")).plan.lent
    assert lent == ("gevent", "zope.interface")


@pytest.mark.parametrize("workers", ["sync", "threads:8", "tasks:8"])
def test_cells_that_need_no_gevent_never_see_it(python_without, workers):
    python_without()
    assert equip(job(workers)) == job(workers)


def test_nothing_is_lent_to_an_interpreter_that_has_gevent(python_without):
    python_without("gevent", "greenlet")
    assert equip(job("greenlets:8")) == job("greenlets:8")


def test_gevent_is_not_lent_to_another_build_of_python(python_without):
    python_without(build="cpython-399")
    with pytest.raises(TargetError, match="greenlets:8 needs gevent, which"):
        equip(job("greenlets:8"))


def test_a_harness_without_gevent_says_so(python_without, monkeypatch):
    python_without()
    monkeypatch.setattr(interpreters.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(TargetError, match="gevent is missing beside ctxsim"):
        equip(job("greenlets:8"))


def test_a_cell_hears_what_it_is_lent(tmp_path, monkeypatch):
    monkeypatch.setattr(process, "PROGRAM", Path(__file__).with_name("pretend.py"))
    bare = script(tmp_path, f'exec {sys.executable} -S "$@"')
    jobs = [replace(job("greenlets:8"), python=bare), replace(job("sync"), python=bare)]
    greenlets, sync = run_cells(
        jobs, pace=Pace(2), limits=Limits(), halt=Halt(), tell=lambda _: None
    )
    assert greenlets.target_facts["lent"] == ["gevent", "greenlet", "zope.event", "zope.interface"]
    assert sync.target_facts["lent"] == []
