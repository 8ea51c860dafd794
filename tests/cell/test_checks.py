"""Checks are pure: a history gives exactly its findings, the most severe first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctxsim.cell.checks import GROUPS, SEVERITY, TITLES, alone, expectations, verdict
from ctxsim.cell.history import KINDS, Event, History, Tally, Who

ANN, BEN, VISITOR = Who(1, 4, "GET /cart"), Who(2, 9, "GET /login"), Who(0, 3, "GET /cart")


def event(kind, place="body", victim=ANN, source=BEN, **keys):
    return Event(kind=kind, place=place, victim=victim, source=source, at_request=17, **keys)


def history_of(*events, compared=100):
    history = History(tally=Tally(requests=100, compared=compared))
    for each in events:
        history.add(each)
    return history


CODES = [
    ("context.left", {}, "CTX101"),
    ("context.inherited", {}, "CTX102"),
    ("context.mispop", {}, "CTX103"),
    ("teardown.missed", {}, "CTX104"),
    ("teardown.twice", {}, "CTX104"),
    ("teardown.elsewhere", {}, "CTX104"),
    ("answer.foreign", {"relation": "request"}, "CTX201"),
    ("answer.foreign", {"relation": "user"}, "CTX201"),
    ("saw.foreign", {}, "CTX202"),
    ("session.foreign", {}, "CTX203"),
    ("answer.foreign", {"place": "session cookie session", "relation": "request"}, "CTX203"),
    ("answer.foreign", {"relation": "visitor", "victim": VISITOR}, "CTX204"),
    (
        "answer.foreign",
        {"place": "session cookie session", "relation": "visitor", "victim": VISITOR},
        "CTX204",
    ),
    ("proxy.early", {}, "CTX205"),
    ("receiver.foreign", {}, "CTX206"),
    ("value.lost", {}, "CTX207"),
    ("expectation.broken", {"relation": "own"}, "CTX207"),
    ("expectation.broken", {}, "CTX208"),
    ("escape.used", {}, "CTX301"),
    ("escape.lost", {}, "CTX302"),
    ("residue", {}, "CTX401"),
    ("retained", {"source": None}, "CTX402"),
    ("deadlock", {}, "CTX501"),
    ("endless", {}, "CTX502"),
    ("nondeterminism", {}, "CTX902"),
    ("answer.misplaced", {}, "CTX503"),
    ("answer.otherwise", {"place": "status 500", "source": None}, "CTX208"),
]
# Enough requests alone, of which none was answered otherwise.
ALONE = History(tally=Tally(requests=100_000))


@pytest.mark.parametrize(("kind", "keys", "code"), CODES)
def test_an_event_gives_exactly_its_finding(kind, keys, code):
    """Code, victim, source, count and the first occurrence are those of the event."""
    made = event(kind, **keys)
    history = history_of(made)
    history.counts[made.cause] = 12
    [finding] = verdict.judge(history, ALONE)
    assert (finding.code, finding.count, finding.at_request) == (code, 12, 17)
    assert (finding.victim, finding.source) == (made.victim, made.source)
    assert finding.cause[0] == code
    assert finding.story
    assert not any("None" in line or "{" in line for line in finding.story), finding.story


@pytest.mark.parametrize(("kind", "keys", "code"), CODES)
def test_a_story_is_a_sentence_of_both_sides(kind, keys, code):
    """It begins with a word, not with a gap that nobody filled."""
    history = history_of(event(kind, seen="an app context", **keys))
    [finding] = verdict.judge(history, ALONE)
    assert finding.story[0] == finding.story[0].strip()
    assert str(finding.victim) in " ".join(finding.story)


def test_every_kind_of_event_has_a_check():
    """What a cell can say, a check translates; and every code has its place in the severity."""
    assert {kind for kind, _, _ in CODES} == set(KINDS)
    assert {code for _, _, code in CODES} | {"CTX209", "CTX901"} == set(TITLES) == set(SEVERITY)
    assert len(SEVERITY) == len(set(SEVERITY))


def test_a_history_without_events_has_no_findings():
    """Clean is: something was compared, and nothing was seen."""
    assert verdict.judge(history_of()) == []


def test_a_run_that_compared_nothing_says_so():
    """Also where only other codes were asked for."""
    history = history_of(compared=0)
    for codes in (tuple(TITLES), ("CTX101",), ()):
        [finding] = verdict.judge(history, codes=codes)
        assert (finding.code, finding.count) == ("CTX901", 100)


def test_no_requests_at_all_are_no_finding():
    """That is the ending's matter."""
    assert verdict.judge(History()) == []


BROKEN = event("expectation.broken", "status", source=None, seen="500", expected="200")
OWN = event("expectation.broken", "contains '{user.name}'", source=None, relation="own")


@pytest.mark.parametrize(
    ("made", "alone", "code"),
    [
        (OWN, None, "CTX207"),
        (BROKEN, None, "CTX208"),
        (OWN, history_of(), "CTX207"),
        (BROKEN, history_of(), "CTX208"),
        (BROKEN, history_of(OWN), "CTX208"),
        (BROKEN, history_of(event("residue", "status", source=None)), "CTX208"),
        (OWN, history_of(OWN), "CTX209"),
        (BROKEN, history_of(BROKEN), "CTX209"),
        (
            BROKEN,
            history_of(event("expectation.broken", "status", victim=BEN, source=None)),
            "CTX208",
        ),
    ],
)
def test_an_expectation_is_judged_beside_the_same_flow_alone(made, alone, code):
    """The same route and the same expectation failing alone is no matter of isolation."""
    [finding] = verdict.judge(history_of(made), alone)
    assert finding.code == code


FAILING = event(
    "expectation.broken", "status", source=None, seen="500", expected="200", relation="failed"
)


def carried_alone(requests, *events, unsent=()):
    tally = Tally(requests=requests, elapsed_s=60.0, unsent=list(unsent))
    return History(events=list(events), tally=tally, lone=tally)


@pytest.mark.parametrize(
    ("times", "beside", "codes"),
    [
        # One in a hundred fails by chance: a few requests alone would mostly show none.
        (1, carried_alone(40), []),
        (1, carried_alone(4_000), []),
        (40, carried_alone(400), ["CTX208"]),
        (1, carried_alone(40, FAILING), ["CTX209"]),
        (40, carried_alone(400, FAILING), ["CTX209"]),
        (40, carried_alone(400, unsent=["GET /cart"]), []),
        (40, None, ["CTX208"]),
    ],
)
def test_an_error_is_told_only_where_as_many_requests_alone_show_none(times, beside, codes):
    """What is left open is not forgotten: it keeps the cell from being called clean."""
    history = history_of(FAILING)
    history.counts[FAILING.cause] = times
    assert [each.code for each in verdict.judge(history, beside)] == codes
    left_open = [] if beside is None else list(expectations.unconfirmed(history, beside))
    assert bool(left_open) == (not codes)


def test_a_lost_value_is_told_however_seldom_but_for_what_was_not_carried_alone():
    """A text of its own that is missing in a good answer is no matter of chance."""
    history = history_of(OWN)
    assert [each.code for each in verdict.judge(history, carried_alone(40))] == ["CTX207"]
    assert verdict.judge(history, carried_alone(40, unsent=["GET /cart"])) == []


def test_an_error_beside_the_leak_that_explains_it_needs_no_confirmation():
    """The same route gave away another's value: why it fails is told."""
    history = history_of(FAILING, event("answer.foreign", relation="request"))
    found = {each.code for each in verdict.judge(history, carried_alone(40))}
    assert found == {"CTX201", "CTX208"}


@given(st.permutations(CODES))
def test_findings_come_in_the_order_of_severity(shuffled):
    """A visitor who is taken for a user comes first, whatever happened first."""
    history = history_of(*(event(kind, **keys) for kind, keys, _ in shuffled))
    ranks = [SEVERITY.index(finding.code) for finding in verdict.judge(history)]
    assert ranks == sorted(ranks)
    assert verdict.judge(history)[0].code == "CTX204"


def test_findings_are_limited_to_the_codes_that_were_asked_for():
    """`checks:` names codes and groups."""
    history = history_of(event("context.left"), event("saw.foreign"), event("residue"))
    codes = verdict.codes_of(["contexts", "CTX401"])
    assert [finding.code for finding in verdict.judge(history, codes=codes)] == ["CTX401", "CTX101"]


def test_groups_hold_codes_that_exist():
    """And a word that names neither is refused with those that do."""
    assert {code for codes in GROUPS.values() for code in codes} <= set(TITLES)
    with pytest.raises(ValueError, match=r"unknown check 'leaks'; there are contexts, "):
        verdict.codes_of(["leaks"])


def test_the_same_cause_is_one_finding_however_often():
    """Never one per pair of users."""
    history = history_of()
    for user in range(1, 50):
        history.add(event("answer.foreign", victim=Who(user, 1, "GET /cart"), relation="request"))
    assert len(verdict.judge(history)) == 1


OTHERWISE = event("answer.otherwise", "body", source=None)


@pytest.mark.parametrize(
    ("beside", "left"),
    [
        ((), [OTHERWISE]),
        ((event("answer.foreign"),), []),
        ((event("answer.foreign", victim=BEN),), [OTHERWISE]),
        ((event("saw.foreign", victim=BEN),), []),
    ],
)
def test_what_another_finding_explains_is_not_carried_again(beside, left):
    """An answer that differs where more is known of the route, or of the whole process."""
    assert list(alone.unexplained(history_of(OTHERWISE, *beside))) == left


@pytest.mark.parametrize(
    ("route", "place", "hint"),
    [
        ("GET /items", "body", ['if all may see it, write shared: ["/items"]']),
        ("GET /a/{user.number}/b", "header X", ['if all may see it, write shared: ["/a"]']),
        ("GET /{canary}", "body", []),
        ("GET /items", "cookie tag", []),
    ],
)
def test_what_all_may_see_is_told_how_to_be_declared(route, place, hint):
    seen = event("answer.foreign", place, Who(1, 2, route), relation="request")
    [finding] = verdict.judge(history_of(seen))
    assert [line for line in finding.story if "shared" in line] == hint
