"""What no user came to send: told of a cell, and a doubt where it is so in all of them."""

from __future__ import annotations

import pytest

from ctxsim.cell.checks.verdict import judge
from ctxsim.cell.history import Ending, History, Tally
from ctxsim.report.conclusion import Case, conclude
from ctxsim.report.document import ScenarioFacts
from ctxsim.report.judged import JudgedCell


def cell(workers: str, *unsent: str, hurried: bool = True, requests: int = 100) -> JudgedCell:
    tally = Tally(requests=requests, compared=requests, unsent=list(unsent))
    return JudgedCell("app", workers, History(tally=tally), (), hurried=hurried)


def concluded(*cells: JudgedCell):
    facts = ScenarioFacts("tests", "tests.yaml", "")
    return conclude(Case(facts, 1, "ctxsim run", "ctxsim run"), cells)


def test_what_one_cell_sent_is_told_of_the_others():
    document = concluded(cell("sync"), cell("threads:4", "GET /a", "GET /b", "GET /no-such-page"))
    assert (document.verdict, document.exit_code) == ("clean", 0)
    assert document.not_covered == (
        "GET /a, GET /b, GET /no-such-page were sent by no user in app/threads:4; raise the budget",
    )


def test_what_the_time_did_not_suffice_for_anywhere_is_not_clean():
    document = concluded(cell("sync", "GET /a"), cell("threads:4", "GET /a", "GET /b"))
    assert (document.verdict, document.exit_code) == ("inconclusive", 4)
    assert document.reasons == ("GET /a was sent by no user in any cell; raise the budget",)


def test_who_ended_the_run_is_not_told_to_let_it_last_longer():
    facts = ScenarioFacts("tests", "tests.yaml", "")
    case = Case(facts, 1, "ctxsim run", "ctxsim run", interrupted=True)
    document = conclude(case, [cell("sync", "GET /a", hurried=False)])
    assert document.exit_code == 130
    assert document.not_covered == ("GET /a was sent by no user in app/sync",)


@pytest.mark.parametrize(
    "cells",
    [
        [cell("sync", "GET /no-such-page")],
        [cell("sync", "GET /a", hurried=False)],
        # One that never began has sent nothing at all.
        [cell("sync"), cell("threads:4", "GET /a", requests=0)],
    ],
)
def test_what_is_our_own_or_was_ordered_so_is_no_doubt(cells):
    assert not any("any cell" in each for each in concluded(*cells).reasons)


@pytest.mark.parametrize("compared", [0, 1])
def test_where_little_was_compared_for_lack_of_time_that_is_the_advice(compared):
    """What tells users apart may stand behind a slow login."""

    def doubts_of(*unsent: str, hurried: bool) -> str:
        tally = Tally(requests=100, compared=compared, unsent=list(unsent))
        findings = tuple(judge(History(tally=tally)))
        judged = JudgedCell("app", "sync", History(tally=tally), findings, hurried=hurried)
        return " ".join(concluded(judged).reasons)

    assert "all routes were sent; raise the budget" in doubts_of("GET /me", hurried=True)
    assert "let a route give back {canary}" in doubts_of(hurried=True)
    assert "let a route give back {canary}" in doubts_of("GET /me", hurried=False)


@pytest.mark.parametrize(
    ("cut", "requests", "unsent", "advice"),
    [
        ("hurried", 100, ["GET /me"], "all routes were sent; raise the budget"),
        ("hurried", 1, [], "the time was over too soon; raise the budget"),
        ("stopped", 1, [], "it was stopped too soon"),
        ("hurried", 100, ["GET /no-such-page"], None),
        ("", 100, ["GET /me"], None),
        ("", 1, [], None),
    ],
)
def test_that_nothing_was_compared_is_no_finding_where_a_cell_was_cut_short(
    cut, requests, unsent, advice
):
    """It would say of the application what only the time is the reason for."""
    ending = Ending("stopped", "from outside") if cut == "stopped" else None
    history = History(tally=Tally(requests=requests, unsent=unsent), ending=ending)
    found = tuple(judge(history))
    judged = JudgedCell("app", "sync", history, found, hurried=cut == "hurried")
    document = concluded(judged)
    assert (document.verdict, document.exit_code) == ("inconclusive", 4)
    assert document.cells[0].verdict == "inconclusive"
    codes = [each.code for each in document.findings]
    assert codes == ([] if advice else ["CTX901"])
    [told] = [each for each in document.reasons if "nothing was compared" in each]
    assert told.endswith(advice or "with `mine`")


def told_nothing(workers: str, *untold: str, requests: int = 100, compared: int = 100):
    tally = Tally(requests=requests, compared=compared, untold=list(untold))
    return JudgedCell("app", workers, History(tally=tally), ())


def untold(*cells: JudgedCell) -> list[str]:
    return [each for each in concluded(*cells).notes if each.startswith("no answer of")]


def test_a_route_that_told_nothing_of_its_user_anywhere_is_named():
    cells = told_nothing("sync", "GET /a", "GET /b"), told_nothing("threads:4", "GET /b")
    [note] = untold(*cells)
    assert note.startswith("no answer of GET /b held anything of its user; ")
    many = [f"GET /{n}" for n in range(9)]
    [note] = untold(told_nothing("sync", *many, "GET /no-such-page"))
    assert note.startswith(
        "no answer of GET /0, GET /1, GET /2, GET /3 and 5 more held anything of its user; "
    )


def test_of_what_was_compared_or_never_sent_nothing_is_said():
    assert untold(told_nothing("sync"), told_nothing("threads:4", "GET /a")) == []
    assert untold(told_nothing("sync", "GET /a"), told_nothing("tasks:4", requests=0)) != []
    # That nothing at all was compared is said as such.
    assert untold(told_nothing("sync", "GET /a", compared=0)) == []


NEVER = Ending("stopped", "the run was ended before this cell was started")


def never(workers: str) -> JudgedCell:
    return JudgedCell("app", workers, History(ending=NEVER), ())


def test_cells_that_were_stopped_for_one_reason_are_told_in_one_sentence():
    """Whoever ends a run knows why; of many cells the number is enough."""
    few = concluded(cell("sync"), never("threads:4"), never("tasks:4"))
    told = "ended early: stopped: the run was ended before this cell was started"
    assert [each for each in few.reasons if "ended early" in each] == [
        f"app/threads:4, app/tasks:4 {told}"
    ]
    many = concluded(*(never(f"threads:{n}") for n in range(1, 7)))
    assert [each for each in many.reasons if "ended early" in each] == [f"6 cells {told}"]
