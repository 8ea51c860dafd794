"""From a file to a Scenario: what is known of it, its defaults, and files that cannot be read."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from ctxsim import Scenario, ScenarioError, UsageError
from ctxsim.scenario import loading

MINIMAL = "version: 1\ntarget: {app: shop:app}\nsteps: [{get: /}]\n"


def test_a_file_gives_a_scenario_that_knows_its_file(tmp_path: Path) -> None:
    """A loaded scenario knows its file, folder and digest, and is named after the file."""
    path = tmp_path / "first shop.yaml"
    path.write_bytes(MINIMAL.encode())
    scenario = Scenario.load(path)
    assert (scenario.file, scenario.folder) == (str(path), tmp_path)
    assert scenario.sha256 == hashlib.sha256(MINIMAL.encode()).hexdigest()
    assert scenario.name == "first shop"


def test_what_a_file_leaves_out_has_the_documented_default() -> None:
    """Every key but version, target.app and steps has a default."""
    scenario = Scenario.parse(MINIMAL)
    assert [each.word for each in scenario.workers] == [
        "sync",
        "threads:8",
        "greenlets:100",
        "tasks:100",
    ]
    assert scenario.amount.requests == 1000
    assert (scenario.faults.error, scenario.faults.abort) == (0.02, 0.02)
    assert (scenario.users.count, scenario.users.visitor) == (None, True)
    assert (scenario.target.kind, scenario.target.path) == ("auto", (".",))
    assert (scenario.checks, scenario.expect.overall, scenario.seed) == (("all",), (), None)
    assert scenario.thresholds.given == ()


def test_a_scenario_cannot_be_changed() -> None:
    """A scenario is a value: its attributes are frozen."""
    with pytest.raises(ValueError, match="frozen"):
        Scenario.parse(MINIMAL).seed = 3


def test_crlf_and_a_byte_order_mark_are_no_part_of_the_text(tmp_path: Path) -> None:
    """A file as Windows editors save it is read like any other."""
    path = tmp_path / "windows.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + MINIMAL.replace("\n", "\r\n").encode())
    assert Scenario.load(path).target.app == "shop:app"


UNREADABLE = {
    "a missing file": (None, "there is no such file"),
    "an empty file": (b"", "the file is empty"),
    "a file of white space": (b" \n\n", "the file is empty"),
    "a file of comments": (b"# nothing\n", "says nothing but comments"),
    "an empty document": (b"---\n", "says nothing but comments"),
    "a list": (b"- version: 1\n", "the file is a list"),
    "a text": (b"hello\n", "the file is a single text or number"),
    "bytes that are no UTF-8": (b"version: 1\nname: \xff\n", "no UTF-8: byte 0xff"),
    "NUL bytes": (b"version: 1\0\n", r"U\+0000 cannot stand in a scenario file"),
    "a huge file": (b"#" * (loading.MAX_BYTES + 1), "larger than 1 MB"),
    "two documents": (b"a: 1\n---\nb: 1\n", "a second document begins here"),
}


@pytest.mark.parametrize("target", ["shop:app", "http://127.0.0.1:8000", "src/shop.py:create()"])
def test_of_a_target_in_its_place_it_is_said_what_takes_one(target: str) -> None:
    with pytest.raises(ScenarioError, match=re.escape(f"or none: ctxsim check {target}")):
        Scenario.load(target)


def test_a_python_file_is_no_scenario(tmp_path: Path) -> None:
    path = tmp_path / "shop.py"
    path.write_text("app = None\n")
    with pytest.raises(ScenarioError, match=r"this is a Python file.*\n?.*ctxsim init .*shop.py"):
        Scenario.load(path)


@pytest.mark.parametrize("what", UNREADABLE)
def test_a_file_that_cannot_be_read_gives_one_clear_message(what: str, tmp_path: Path) -> None:
    """Whatever keeps a file from being read is told as one problem of a ScenarioError."""
    content, message = UNREADABLE[what]
    path = tmp_path / "shop.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ScenarioError, match=message) as caught:
        Scenario.load(path)
    assert len(caught.value.problems) == 1


def test_a_mistyped_file_name_gets_the_name_beside_it(tmp_path: Path) -> None:
    """A scenario of nearly that name in the same folder is suggested."""
    (tmp_path / "quickstart.yaml").write_text(MINIMAL)
    with pytest.raises(ScenarioError, match=r"did you mean 'quickstart\.yaml'"):
        Scenario.load(tmp_path / "quikstart.yaml")


def test_a_folder_and_a_name_that_no_file_can_have_are_told_apart(tmp_path: Path) -> None:
    """A folder is named as such, and a NUL in a name is no crash."""
    with pytest.raises(ScenarioError, match="this is a folder"):
        Scenario.load(tmp_path)
    with pytest.raises(ScenarioError, match="cannot be read"):
        Scenario.load(tmp_path / "a\0b")
    with pytest.raises(ScenarioError, match="cannot be read: Not a directory"):
        Scenario.load(Path(__file__) / "x.yaml")


def test_options_take_the_place_of_what_the_file_says() -> None:
    """Options of the command line change the scenario's value, and nothing else of it."""
    scenario = Scenario.parse(MINIMAL)
    changed = scenario.with_options(
        seed=7, workers=["threads:2", "sync"], requests=5, python="py", storage="ident,thread"
    )
    assert (changed.seed, changed.amount.requests) == (7, 5)
    assert [each.word for each in changed.workers] == ["threads:2", "sync"]
    assert changed.target.storage == ("ident", "thread")
    assert changed.target.python == str(Path("py").absolute())
    assert (changed.file, changed.steps) == (scenario.file, scenario.steps)
    assert scenario.with_options() == scenario


WRONG_OPTIONS = {
    "seed": (-1, "'seed' must be a whole number of at least 0, not -1"),
    "requests": (0, "'requests' must be a whole number of at least 1, not 0"),
    "workers": ("thread:8", "did you mean 'threads:8'"),
    "storage": ("contextvars", "did you mean 'contextvar'"),
}


@pytest.mark.parametrize("option", WRONG_OPTIONS)
def test_a_wrong_option_is_a_usage_error_with_a_suggestion(option: str) -> None:
    """Options are judged by the same readers as the file."""
    value, message = WRONG_OPTIONS[option]
    with pytest.raises(UsageError, match=message):
        Scenario.parse(MINIMAL).with_options(**{option: value})


def test_an_option_cannot_name_a_word_twice() -> None:
    """Two cells of one name could not be told apart."""
    with pytest.raises(UsageError, match="each of its words once"):
        Scenario.parse(MINIMAL).with_options(workers="sync,sync")


def test_a_storage_is_refused_for_a_wsgi_application() -> None:
    """A wsgi application keeps its contexts itself."""
    text = MINIMAL.replace("shop:app", "shop:app, kind: wsgi")
    with pytest.raises(UsageError, match="brings its own"):
        Scenario.parse(text).with_options(storage="thread")
