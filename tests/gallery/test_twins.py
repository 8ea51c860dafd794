"""What is declared is held against what is found; what an entry needs and lacks skips it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ctxsim.cells import Halt
from ctxsim.cli.gallery_bruteforce import bruteforce
from ctxsim.cli.gallery_running import check_all
from ctxsim.errors import CtxsimError, ExitCode, UsageError
from ctxsim.gallery import Entry, judged, named, place, twin

DECLARED = """\
sentence: A made-up entry.
source: pattern
codes: [CTX201]
also: [CTX207]
shows: ["threads:4"]
clean: [sync]
difficulty: easy
"""


def entry_of(folder: Path, text: str) -> Entry:
    (folder / "entry.yaml").write_text(text)
    return Entry.load(folder)


@pytest.fixture
def made_up(tmp_path: Path) -> Entry:
    return entry_of(tmp_path, DECLARED)


@pytest.mark.parametrize("codes", [{"CTX201"}, {"CTX201", "CTX207"}])
def test_what_is_declared_holds(made_up: Entry, codes: set[str]) -> None:
    assert judged(made_up, {"threads:4": codes, "sync": ()}, fixed=False).holds


@pytest.mark.parametrize(
    ("found", "fixed", "told"),
    [
        ({"threads:4": {"CTX207"}}, False, "CTX201 not found with threads:4"),
        ({"threads:4": {"CTX201", "CTX401"}}, False, "CTX401 found with threads:4"),
        ({"sync": {"CTX207"}}, False, "CTX207 found with sync"),
        ({"threads:4": {"CTX207"}}, True, "CTX207 found with threads:4"),
    ],
)
def test_each_difference_is_told(
    made_up: Entry, found: dict[str, set[str]], fixed: bool, told: str
) -> None:
    assert judged(made_up, found, fixed=fixed).differences == (told,)


def test_an_entry_that_differs_from_its_declaration_ends_with_findings(tmp_path: Path) -> None:
    """The leaky module with a declaration that it cannot keep: each cell says what differs."""
    real = named("module_current_user")
    for name in ("leaky.py", "fixed.py", "scenario.yaml"):
        (tmp_path / name).write_text((real.folder / name).read_text())
    entry = entry_of(tmp_path, DECLARED.replace("[CTX201]", "[CTX201, CTX101]"))
    [ran] = check_all([entry], seed=1, halt=Halt(), jobs=1)
    assert "leaky: CTX101 not found with threads:4" in ran.differences
    assert ran.exit_code == ExitCode.FINDINGS


def test_an_entry_whose_needs_are_missing_is_skipped_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = entry_of(tmp_path, f"{DECLARED}needs: [redis-server]\n")
    monkeypatch.setenv("PATH", "")
    [ran] = check_all([entry], seed=1, halt=Halt(), jobs=1)
    assert "redis-server is missing" in ran.skipped
    assert ran.exit_code == ExitCode.INCONCLUSIVE


@pytest.mark.parametrize("line", ["colour: red", "codes: []", "difficulty: odd"])
def test_a_wrong_declaration_is_our_own_fault(tmp_path: Path, line: str) -> None:
    key = line.partition(":")[0]
    text = "\n".join(each for each in DECLARED.splitlines() if not each.startswith(key))
    with pytest.raises(CtxsimError, match="cannot be read"):
        entry_of(tmp_path, f"{text}\n{line}\n")


def test_a_code_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CtxsimError, match="CTX999"):
        entry_of(tmp_path, DECLARED.replace("CTX207", "CTX999"))


def test_a_name_that_does_not_exist_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'template_globals'"):
        named("template_global")


def test_brute_force_says_when_a_plain_loop_shows_a_violation() -> None:
    entry = named("home_made_stack")
    with place(entry, fixed=False) as where:
        leaky = twin(entry, where, fixed=False, workers=["threads:4"])
        found = bruteforce(leaky, where, limit_s=5.0)
    assert found.failure == ""
    assert found.at_request is not None
    with place(entry, fixed=True) as where:
        fixed = twin(entry, where, fixed=True, workers=["threads:4"])
        nothing = bruteforce(fixed, where, limit_s=0.3)
    assert nothing.at_request is None
    assert nothing.requests > 0
