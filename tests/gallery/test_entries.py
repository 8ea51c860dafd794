"""Every entry is what its declaration says: in its form, and where it runs without a download."""

from __future__ import annotations

import ast
import re

import pytest

from ctxsim.cell.plan import Workers
from ctxsim.cells import Halt
from ctxsim.cli.gallery_running import check_all
from ctxsim.gallery import Entry, entries, is_server
from ctxsim.scenario import Scenario, codes

ENTRIES = entries()
AT_HAND = [each for each in ENTRIES if each.packages is None and not each.needs]
SHOWN = [each for each in AT_HAND if each.is_shown_by_chance]

each_entry = pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)


def scenario_of(entry: Entry) -> Scenario:
    return Scenario.load(entry.folder / "scenario.yaml")


def test_there_are_entries_enough_that_need_no_download() -> None:
    assert len(AT_HAND) >= 28


def test_every_folder_is_an_entry() -> None:
    folders = {path.name for path in ENTRIES[0].folder.parent.iterdir() if path.is_dir()}
    assert folders - {"__pycache__"} == {each.name for each in ENTRIES}


def test_no_sentence_stands_twice() -> None:
    assert len({each.sentence for each in ENTRIES}) == len(ENTRIES)


@each_entry
def test_what_goes_wrong_is_told_in_one_sentence(entry: Entry) -> None:
    assert entry.sentence.endswith(".")
    assert ". " not in entry.sentence
    assert entry.source == "pattern" or entry.source.startswith("https://")


@each_entry
def test_both_twins_are_there_and_say_what_they_do(entry: Entry) -> None:
    modules = ["leaky.py", "fixed.py"]
    if (entry.folder / "app.py").exists():
        assert entry.packages is not None, "one application for both differs by its packages"
        modules = ["app.py"]
    for name in modules:
        tree = ast.parse((entry.folder / name).read_text())
        assert ast.get_docstring(tree), f"{name} does not say what it does"


@each_entry
def test_no_comment_gives_the_bug_away(entry: Entry) -> None:
    for path in entry.folder.glob("*.py"):
        assert not re.search(r"#.*\b(bug|leak|wrong|mistake)", path.read_text(), re.IGNORECASE)


@each_entry
def test_the_scenario_says_what_the_entry_declares(entry: Entry) -> None:
    scenario = scenario_of(entry)
    if is_server(entry):
        assert "leaky.py" in (scenario.target.start or "")
    else:
        assert scenario.target.app in ("leaky.py:app", "app.py:app")
    assert [each.word for each in scenario.workers] == list(entry.shows)
    assert scenario.expect.overall is not None
    assert set(scenario.expect.overall) == set(entry.codes)
    assert set(entry.codes) <= codes(scenario)


@each_entry
def test_the_declared_workers_are_such_and_stand_once(entry: Entry) -> None:
    assert len(set(entry.cells)) == len(entry.cells)
    for word in entry.cells:
        Workers.parse(word)


@each_entry
def test_a_rare_entry_says_within_how_many_requests_it_shows(entry: Entry) -> None:
    assert entry.is_shown_by_chance or entry.difficulty == "hard"
    if entry.is_shown_by_chance and entry.difficulty == "hard":
        assert entry.found_within is not None


@pytest.mark.long
@pytest.mark.timeout(240)
@pytest.mark.parametrize("entry", SHOWN, ids=lambda entry: entry.name)
def test_the_leaky_twin_is_found_and_the_fixed_one_is_clean(entry: Entry) -> None:
    """In each cell that the entry names: its codes where it shows, nothing anywhere else."""
    [ran] = check_all([entry], seed=7, halt=Halt(), jobs=1)
    assert ran.skipped == ""
    assert ran.differences == ()
