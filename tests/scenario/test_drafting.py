"""A drafted scenario loads, whatever was seen, and sends what was answered best."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctxsim.cell.looking.attempts import attempts
from ctxsim.cell.plan import Capture, Step
from ctxsim.cell.sights import NO_TIME, Read, Route, Sight, Trial, Tried
from ctxsim.scenario import Scenario, plan
from ctxsim.scenario.drafting import ASGI_WORKERS, Frame, draft, suited, unserved
from ctxsim.scenario.plans import cells

FRAME = Frame("shop:app")
NAMES = st.text("abcXYZ_-09 é'\"{}&=?#%:", min_size=1, max_size=8)
READS = st.builds(
    Read,
    st.sampled_from(["query", "form", "json", "cookie", "auth"]),
    NAMES,
    st.sampled_from(["text", "int", "float", "bool"]),
)
PATHS = st.sampled_from(["/", "/x/{canary}", "/n/{user.number}", "/login", "/a b/ü", "/logout"])
ROUTES = st.builds(
    Route,
    st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD"]),
    PATHS,
    st.lists(READS, max_size=4).map(tuple),
)
STATUSES = st.sampled_from([0, 200, 201, 302, 401, 404, 500])


def tried(route, *statuses, echoes=True):
    made = attempts(route, ())
    trials = (
        Trial(each.variant, each.step, status, echoes)
        for each, status in zip(made, statuses, strict=False)
    )
    return Tried(route, tuple(trials))


def sight_of(*routes, kind="wsgi", framework="Flask"):
    return Sight("shop:app", kind, framework, routes=routes)


def test_a_route_that_there_was_no_time_for_is_a_doubt():
    """What no request reached cannot be called clean; what may not be sent is not covered."""
    sent = tried(Route("GET", "/a"), 200)
    late = [Tried(Route("GET", path), (), NO_TIME) for path in ("/b", "/c")]
    unsafe = Tried(Route("POST", "/d"), (), "it may change things")
    made = draft(sight_of(sent, *late, unsafe), FRAME)
    assert made.doubts == ("2 routes were not tried in the time there was; raise the budget",)
    assert draft(sight_of(sent, unsafe), FRAME).doubts == ()


def test_where_no_route_could_be_sent_there_is_doubt():
    """What is sent then is a path that the application does not know."""
    hangs = Tried(Route("GET", "/a"), (), "alone it hung, or ended its process")
    unsafe = Tried(Route("POST", "/d"), (), "it may change things; --unsafe sends it")
    assert draft(sight_of(hangs, unsafe), FRAME).doubts == (
        "no route could be sent, so nothing is known of any",
        "no route was sent: 1 route may change things; --unsafe sends what may",
    )


def test_where_most_routes_never_answered_well_there_is_doubt():
    """What comes behind them was not seen; a few such routes are told as not covered."""
    fine, refused = tried(Route("GET", "/a"), 200), tried(Route("POST", "/login"), 401, 400)
    outside = Tried(
        Route("GET", "/b"), (replace(fine.trials[0], status=302, leads_to="/login"),) * 2
    )
    [doubt] = draft(sight_of(fine, refused, outside), FRAME).doubts
    assert doubt.startswith("2 of 3 routes were never answered well, however sent; ")
    assert draft(sight_of(fine, refused), FRAME).doubts == ()
    assert (
        draft(sight_of(refused), FRAME)
        .doubts[0]
        .startswith("the one route was never answered well")
    )


def test_where_all_routes_may_change_things_the_option_is_named():
    unsafe = Tried(Route("POST", "/d"), (), "it may change things; --unsafe sends it")
    [doubt] = draft(sight_of(unsafe), FRAME).doubts
    assert doubt == "no route was sent: 1 route may change things; --unsafe sends what may"


def sent(made):
    scenario = Scenario.parse(made.text)
    [cell, *_] = cells(scenario)
    flows = plan(scenario, cell, seed=1, run="0badcafe", process=1).flows
    return {flow.name: [step.path for step in flow.steps] for flow in flows}


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(ROUTES, st.lists(STATUSES, max_size=6), st.booleans()), max_size=12))
def test_whatever_was_seen_the_draft_is_a_scenario(seen):
    routes = [tried(route, *statuses, echoes=echoes) for route, statuses, echoes in seen]
    made = draft(sight_of(*routes), FRAME)
    assert sent(made)


@settings(max_examples=30, deadline=None)
@given(ROUTES)
def test_what_is_sent_is_what_was_tried(route):
    [attempt, *_] = attempts(route, ())
    made = draft(sight_of(Tried(route, (Trial("full", attempt.step, 200, True),))), FRAME)
    scenario = Scenario.parse(made.text)
    steps = plan(scenario, cells(scenario)[0], seed=1, run="0badcafe", process=1).steps
    drafted = {replace(step, json=None) for step in steps}
    assert drafted == {replace(attempt.step, json=None)}
    assert all(step.json == attempt.step.json for step in steps)


def slowly(made, seconds):
    return replace(made, trials=tuple(replace(each, lasted_s=seconds) for each in made.trials))


@pytest.mark.parametrize("seconds", [0.001, 0.2])
def test_what_lets_users_in_is_sent_once_where_it_takes_long(seconds):
    """Hashing a password takes long by design; who is let in once must not log out."""
    login = slowly(tried(Route("POST", "/login", (Read("form", "name"),)), 200), seconds)
    leave = tried(Route("POST", "/logout"), 200)
    pages = [slowly(tried(Route("GET", path), 200), 0.2) for path in ("/me", "/all")]
    made = draft(sight_of(login, *pages, leave), FRAME)
    scenario = Scenario.parse(made.text)
    drafted = plan(scenario, cells(scenario)[0], seed=1, run="0badcafe", process=1)
    once = {step.route for step in drafted.steps if step.once}
    assert once == ({"POST /login"} if seconds > 0.1 else set())
    assert ("POST /logout" in {step.route for step in drafted.steps}) is not bool(once)
    assert bool(made.not_covered) is bool(once)
    assert bool(drafted.users.count) is bool(once)
    assert all(flow.steps[0].route == "POST /login" for flow in drafted.flows)


def test_a_form_that_was_taken_comes_before_one_that_is_shown_again():
    """Who fills it in wrongly is answered 200; who registered is sent to the login."""
    reads = (Read("form", "name"), Read("json", "note"))
    register = tried(Route("POST", "/register", reads), 302, 200)
    login = tried(Route("POST", "/login", reads), 302, 200)
    taken = [replace(register.trials[0], leads_to="/login"), *register.trials[1:]]
    let_in = [replace(login.trials[0], leads_to="/"), *login.trials[1:]]
    sight = sight_of(replace(register, trials=(*taken,)), replace(login, trials=(*let_in,)))
    scenario = Scenario.parse(draft(sight, FRAME).text)
    flows = plan(scenario, cells(scenario)[0], seed=1, run="0badcafe", process=1).flows
    [visit] = [flow for flow in flows if flow.name == "visit"]
    first = [(step.route, step.form is not None) for step in visit.steps[:2]]
    assert first == [("POST /register", True), ("POST /login", True)]


@pytest.mark.parametrize("leads_to", ["/login", "/login?again=1"])
def test_a_form_that_leads_back_to_itself_was_not_taken(leads_to):
    reads = (Read("form", "name"), Read("json", "note"))
    login = tried(Route("POST", "/login", reads), 302, 200)
    trials = (replace(login.trials[0], leads_to=leads_to), *login.trials[1:])
    made = draft(sight_of(replace(login, trials=trials)), FRAME)
    scenario = Scenario.parse(made.text)
    flows = plan(scenario, cells(scenario)[0], seed=1, run="0badcafe", process=1).flows
    assert flows[0].steps[0].has_json


ASKED = (Read("query", "q"),)


@pytest.mark.parametrize(("seconds", "apart"), [(2.0, True), (0.3, True), (0.03, False)])
def test_what_takes_long_has_visits_of_its_own(seconds, apart):
    """A visit that waits for a report as often as for pages comes to little else."""
    pages = [slowly(tried(Route("GET", f"/{n}"), 200), 0.02) for n in range(12)]
    report = slowly(tried(Route("GET", "/report", ASKED), *[200] * 6), seconds)
    scenario = Scenario.parse(draft(sight_of(*pages, report), FRAME).text)
    flows = plan(scenario, cells(scenario)[0], seed=1, run="0badcafe", process=1).flows
    [of_report, *others] = [f for f in flows if any(s.route == "GET /report" for s in f.steps)]
    assert (of_report.name == "slow1") is apart
    if apart:
        assert not others
        assert {step.route for step in of_report.steps} == {"GET /report"}
        each_s = {f.name: f.weight * sum("report" not in s.path for s in f.steps) for f in flows}
        share = of_report.weight * len(of_report.steps) * seconds
        assert share == pytest.approx(3 * 0.02 * sum(each_s.values()), rel=0.5)


def test_where_all_take_long_none_is_apart():
    pages = [slowly(tried(Route("GET", f"/{n}", ASKED), 200, 200), 1.0) for n in range(3)]
    assert "slow" not in draft(sight_of(*pages), FRAME).text


def test_a_first_request_alone_tells_not_that_a_route_is_slow():
    """It may have loaded what the others use."""
    first, *others = slowly(tried(Route("GET", "/a", ASKED), 200, 200), 2.0).trials
    loading = Tried(Route("GET", "/a"), (first, *(replace(o, lasted_s=0.001) for o in others)))
    single = slowly(tried(Route("GET", "/b"), 200), 2.0)
    rest = [slowly(tried(Route("GET", f"/{n}"), 200, 200), 0.002) for n in range(3)]
    assert "slow" not in draft(sight_of(loading, single, *rest), FRAME).text


@pytest.mark.parametrize("place", ["form", "json"])
@pytest.mark.parametrize(("seconds", "users"), [(0.1, 10), (0.4, 5), (3.0, 4)])
def test_the_longer_it_takes_to_let_users_in_the_fewer_come(seconds, users, place):
    login = slowly(tried(Route("POST", "/login", (Read(place, "name"),)), 200), seconds)
    scenario = Scenario.parse(draft(sight_of(login, tried(Route("GET", "/me"), 200)), FRAME).text)
    planned = plan(scenario, cells(scenario)[0], seed=1, run="0badcafe", process=1)
    assert planned.users.count == users


ENDS = {
    "DELETE /api/session": True,
    "DELETE /account": True,
    "DELETE /users/me": True,
    "DELETE /auth/token": True,
    "POST /account/close": True,
    "POST /session/end": True,
    "DELETE /notes/1": False,
    "DELETE /users/{canary}": False,
    "POST /notes/delete": False,
    "POST /profile": False,
}


@pytest.mark.parametrize("line", ENDS)
def test_who_is_let_in_once_does_not_end_the_stay(line):
    """Each later visit would be refused what others are not."""
    method, path = line.split()
    login = slowly(tried(Route("POST", "/login", (Read("form", "name"),)), 200), 0.2)
    ending = tried(Route(method, path), 200)
    made = draft(sight_of(login, tried(Route("GET", "/all"), 200), ending), FRAME)
    assert (f'{method.lower()}: "{path}' in made.text) is not ENDS[line]
    assert any("users stay" in each for each in made.not_covered) is ENDS[line]


def test_the_ways_to_send_a_route_are_one_route():
    """A fault of the route is one finding, whichever order was asked for."""
    route = Route("GET", "/orders/{user.number}", (Read("query", "name"),))
    made = draft(sight_of(tried(route, *[200] * 9)), FRAME)
    scenario = Scenario.parse(made.text)
    steps = plan(scenario, cells(scenario)[0], seed=1, run="0badcafe", process=1).steps
    assert {"/orders/1", "/orders/2"} < {step.path.partition("?")[0] for step in steps}
    assert {step.route for step in steps} == {"GET /orders/{user.number}"}


def test_what_fails_is_sent_seldom_and_what_echoes_often():
    route = Route("GET", "/x", (Read("query", "q"), Read("query", "fail")))
    made = draft(sight_of(tried(route, 500, 200, 200, 200, 200, 200)), FRAME)
    flows = sent(made)
    assert flows["odd"] == ["/x?q={canary}&fail={canary}"]
    assert "/x?q={canary}&fail={canary}" not in flows["visit"]


def test_what_names_suggest_is_sent_where_a_canary_is_refused():
    route = Route("GET", "/x", (Read("query", "lang"),))
    ways = ["full", "likely", "likely"]
    assert [each.variant for each in attempts(route, ())][:3] == ways
    refused = sent(draft(sight_of(tried(route, 500, 200, 200)), FRAME))
    assert refused["visit"] == ["/x?lang=fr&tag={canary}", "/x?lang=nl&tag={canary}"]
    taken = sent(draft(sight_of(tried(route, 200, 200, 200)), FRAME))
    assert taken["visit"] == ["/x?lang={canary}"]


def test_each_kind_of_failure_is_sent_once_and_one_of_every_route_first():
    """A request that is refused was carried further than one that lacks something."""
    route = Route("GET", "/x", (Read("query", "q"), Read("query", "draft")))
    other = tried(Route("GET", "/y"), 404, 404)
    made = draft(sight_of(tried(route, 400, 500, 200, 500, 400), other), FRAME)
    assert sent(made)["odd"] == [
        "/x?tag={canary}",
        "/y?tag={canary}",
        "/x?q={canary}&draft={canary}",
    ]


def test_who_logs_in_does_so_first():
    login = Route("POST", "/login", (Read("form", "name"),))
    made = draft(sight_of(tried(Route("GET", "/me"), 200), tried(login, 200)), FRAME)
    assert sent(made)["visit"][0].startswith("/login")
    assert sent(made)["only1"][0].startswith("/login")


NAME = (Read("form", "name"),)
OF_LOGIN = [
    "/auth/login",
    "/auth/signin/",
    "/session",
    "/api/v1/auth",
    "/auth/log-in",
    "/sign_in/x",
]


@pytest.mark.parametrize("path", OF_LOGIN)
def test_the_login_is_told_by_the_end_of_its_path(path):
    others = ("/auth/register", "/auth/sign-up", "/auth/logout", "/authors")
    routes = [Route("POST", each, NAME) for each in (*others, path)]
    unnamed = Route("DELETE", "/auth/session")
    pages = [tried(Route("GET", "/me"), 200), tried(unnamed, 200)]
    made = draft(sight_of(*(tried(each, 200) for each in routes), *pages), FRAME)
    assert any(each.startswith(path) for each in sent(made)["only1"][:-1])
    for other in others:
        assert any(each.startswith(other) for each in sent(made)["visit"])


def test_a_login_that_was_refused_gives_way_to_no_other_route():
    """Else a page that happens to lie under `auth` would stand before all others."""
    login, other = (Route("POST", each, NAME) for each in ("/auth/login", "/auth/notes"))
    page = tried(Route("GET", "/me"), 200)
    made = draft(sight_of(tried(login, 401), tried(other, 200), page), FRAME)
    assert not any(each.startswith("/auth") for each in sent(made)["only2"][:-1])


@pytest.mark.parametrize("answered", [201, 409])
def test_who_is_to_log_in_registers_first_whichever_visit_is_the_first(answered):
    """Else the first login of each user would fail, and no later one would.

    That the user of a look is known already does not tell that others are.
    """
    login, register = (Route("POST", each, NAME) for each in ("/login", "/register"))
    odd = tried(Route("GET", "/x", (Read("query", "q"), Read("query", "fail"))), 500, 200)
    pages = [tried(login, 200), tried(Route("GET", "/me"), 200), odd, tried(register, answered)]
    flows = sent(draft(sight_of(*pages), FRAME))
    assert {"visit", "only1", "odd"} <= flows.keys()
    for steps in flows.values():
        assert [each.partition("?")[0] for each in steps[:2]] == ["/register", "/login"]


def test_where_nobody_logs_in_registering_is_a_route_like_others():
    """Who is known already may be refused, and most of what is sent would be that."""
    register = tried(Route("POST", "/register", NAME), 201)
    flows = sent(draft(sight_of(tried(Route("GET", "/me"), 200), register), FRAME))
    assert [len(steps) for steps in flows.values()] == [2, 1, 1]


def test_a_text_of_the_source_that_is_no_path_is_left_out():
    known, unknown = tried(Route("GET", "/a"), 200), tried(Route("GET", "/text"), 404)
    made = draft(sight_of(known, unknown, framework=""), FRAME)
    assert made.sent == "1 of 1 route could be sent"
    assert draft(sight_of(known, unknown), FRAME).sent == "2 of 2 routes could be sent"
    guess = replace(unknown, route=replace(unknown.route, is_guess=True))
    assert draft(sight_of(known, guess), FRAME).sent == "1 of 1 route could be sent"


def test_what_was_not_sent_is_told():
    login = Tried(Route("POST", "/login"), why="it may change things; --unsafe sends it")
    made = draft(sight_of(tried(Route("GET", "/me"), 401), login), FRAME)
    assert made.sent == "1 of 2 routes could be sent; 1 that may change things was left out"
    assert made.not_covered == (
        "GET /me answered 401, however it was sent",
        "POST /login was not sent: it may change things; --unsafe sends it",
    )
    assert "GET /me asked for a login" in made.notes[0]
    assert "no user had a session" in made.notes[1]


@pytest.mark.parametrize(
    ("route", "status", "is_told"),
    [
        (Route("GET", "/me"), 302, True),
        (Route("POST", "/orders"), 302, True),
        (Route("POST", "/register"), 302, False),
        (Route("POST", "/register"), 403, True),
        (Route("POST", "/logout"), 302, False),
    ],
)
def test_who_is_sent_to_the_login_was_asked_for_one_unless_that_is_what_comes_next(
    route, status, is_told
):
    known = tried(route, status)
    moved = tuple(replace(trial, leads_to="/login") for trial in known.trials)
    made = draft(sight_of(replace(known, trials=moved)), FRAME)
    assert any("asked for a login" in each for each in made.notes) == is_told


def test_users_register_and_log_in_without_the_token_that_they_get_by_that():
    """Else a first login comes before the user is registered, and each visit logs in twice."""
    token = (("Authorization", "Bearer {login.token}"),)
    register, login = Step("", "POST", "/register"), Step("", "POST", "/login")
    gives = replace(login, name="login", captures=(Capture("token", "json", "token"),))
    me = Step("", "GET", "/me", headers=token)
    routes = [
        Tried(
            Route("POST", given.path),
            tuple(
                Trial(variant, step, 200, echoes=False)
                for variant, step in (("full", given), ("carried", replace(sent, headers=token)))
            ),
        )
        for given, sent in ((gives, login), (register, register))
    ]
    known = Tried(Route("GET", "/me"), (Trial("carried", me, 200, echoes=True),))
    scenario = Scenario.parse(draft(sight_of(*routes, known), FRAME).text)
    [visit, *_] = plan(scenario, cells(scenario)[0], seed=1, run="0badcafe", process=1).flows
    assert [step.path for step in visit.steps][:2] == ["/register", "/login"]
    assert [step.path for step in visit.steps].count("/login") == 1


def test_what_was_allowed_is_not_said_to_be_missing():
    """There was no time for it, since the run was ended, or it hung: --unsafe mends neither."""
    for why in (NO_TIME, "alone it hung, or ended its process"):
        login = Tried(Route("POST", "/login"), why=why)
        made = draft(sight_of(tried(Route("GET", "/a"), 200), login), FRAME)
        assert not [note for note in made.notes if "--unsafe" in note]


@pytest.mark.parametrize(("kind", "word"), [("asgi", "tasks:50"), ("wsgi", "threads:8")])
def test_the_workers_are_those_that_suit(kind, word):
    words = suited(Sight("shop:app", kind, ""))
    assert word in words
    assert ("sync" in words) == (words != ASGI_WORKERS)


@pytest.mark.parametrize(
    ("kind", "framework", "looping", "left_out"),
    [
        ("wsgi", "Django", "", {"tasks:20"}),
        ("asgi", "Django", "", set()),
        ("wsgi", "Flask", "", set()),
        ("wsgi", "Flask", "GET /hi", {"tasks:20", "greenlets:50"}),
    ],
)
def test_what_an_application_refuses_is_left_out_with_the_reason(
    kind, framework, looping, left_out
):
    sight = Sight("shop:app", kind, framework, looping=looping)
    assert set(unserved(sight)) == left_out
    assert not left_out & set(suited(sight))
    assert set(suited(sight)) | left_out == set(suited(Sight("shop:app", kind, "")))
