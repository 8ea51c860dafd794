"""Alone and together: what only other requests change is found, and a past of one's own is not."""

import math
import re
import time

import pytest

from ctxsim import lessons, rehearsing
from ctxsim.cell.history import Event, History, Tally, Who
from ctxsim.cells import Pace, pace
from ctxsim.jobs import Options, jobs_of
from ctxsim.scenario import Scenario
from ctxsim.simulation import simulate

APPLICATION = '''
import itertools, random, threading, time, uuid

shared, carts, seen, half = {}, {}, set(), set()
numbers, points, drawn, seats, free = {}, {}, {}, {}, list(range(200, 260))
orders, stock, counters = itertools.count(1), threading.Semaphore(90), threading.Semaphore(2)
COIN = random.choice(["heads", "tails"])

def app(environ, start_response):
    user = environ.get("HTTP_X_USER", "nobody")
    status, body = PAGES[environ["PATH_INFO"][1:]](user, environ)
    own = [("X-Account", environ.get("account", "none")), ("X-Took", str(time.perf_counter()))]
    start_response(status, [("Content-Type", "text/html"), ("Location", "/x"), *own])
    return [body.encode()]

def digits(user):
    return int("0" + "".join(filter(str.isdigit, user)))

def meet(user):
    """Set what all share, wait, and give back what is there then."""
    shared["user"] = user
    time.sleep(0.002)
    return shared["user"]

# What leaks, and echoes no value of its own.

def race(user, environ):
    shared["buffer"] = user
    time.sleep(0.002)
    if shared.pop("buffer", None) is None:
        raise ValueError("buffer was flushed")
    return "200 OK", "done"

def locale(user, environ):
    return "200 OK", ("Bonjour", "Hallo", "Hola")[digits(meet(user)) % 3] + f" {time.time()}"

def page_by_number(user, environ):
    return "200 OK", f"Person {digits(meet(user)) * 37}, {uuid.uuid4().hex}"

def greeting(user, environ):
    return "200 OK", f"Hello, {meet(user)}"

def discount(user, environ):
    """Filled anew for each: meanwhile others are shown the default."""
    shared.pop("discount", None)
    time.sleep(0.002)
    shared["discount"] = 20
    time.sleep(0.002)
    return "200 OK", f"{user}: {shared.get('discount', 0)} percent"

def login(user, environ):
    meet(user)
    known = shared.pop("user", None)
    return ("200 OK", "your page") if known else ("302 Found", "")

def number_of(user):
    """Who comes first has the first number: it is another one in each process."""
    return 7 * numbers.setdefault(user, len(numbers) + 1000)

def account(user, environ):
    shared["account"] = user
    time.sleep(0.002)
    return "200 OK", f"account {number_of(shared['account'])}, {time.time()}"

def header(user, environ):
    shared["header"] = user
    time.sleep(0.002)
    environ["account"] = hex(number_of(shared["header"]))
    return "200 OK", "the same for all"

def transaction(user, environ):
    """A failing request leaves it open to whoever comes next on this worker."""
    if shared.pop("open", False):
        raise RuntimeError("current transaction is aborted")
    shared["open"] = True
    environ["wsgi.input"].read()
    shared["open"] = False
    return "200 OK", "done"

def busy(user, environ, refusal="503 Service Unavailable"):
    """Serves two at a time, and turns the others away."""
    if not counters.acquire(blocking=False):
        return refusal, "come back later"
    time.sleep(0.002)
    counters.release()
    return "200 OK", f"served, {user}"

def limited(user, environ):
    return busy(user, environ, "429 Too Many Requests")

# What changes with a past of one's own, with time, with chance, with the worker: nobody's matter.

def cart(user, environ):
    items = carts.setdefault(user, [])
    items.append(next(orders))
    return "200 OK", "".join(f"<li>item {each}</li>" for each in items)

def first_visit(user, environ):
    new = user not in seen
    seen.add(user)
    return "200 OK", "Welcome, you are new" if new else "Welcome back"

def crowd(user, environ):
    seen.add(user)
    return "200 OK", "many members" if len(seen) > 15 else "few members"

def sold_out(user, environ):
    there = stock.acquire(blocking=False)
    return ("200 OK", "bought") if there else ("409 Conflict", "sold out")

def tokens(user, environ):
    return "200 OK", f"<input value='{uuid.uuid4().hex}'> {time.time()} hello {user}"

def shuffled(user, environ):
    return "200 OK", ", ".join({"pear", "fig", "plum", user})

def halfway(user, environ):
    if user in half:
        half.discard(user)
        return "409 Conflict", "half registered"
    half.add(user)
    environ["wsgi.input"].read()
    half.discard(user)
    return "200 OK", "registered"

def in_flight(user, environ):
    seen.add(environ["HTTP_X_TAG"])
    try:
        time.sleep(0.002)
        return "200 OK", f"{user}, one of {sum(each.startswith('cx') for each in list(seen))}"
    finally:
        seen.discard(environ["HTTP_X_TAG"])

def took(user, environ):
    started = time.perf_counter()
    for _ in range(20):
        time.sleep(0)
    return "200 OK", f"{user}, in {int(100 * (time.perf_counter() - started))} ms"

def gauge(user, environ):
    time.sleep(0.002)
    return "200 OK", f"{user}, {10 * threading.active_count()} threads"

def sales(user, environ):
    return "200 OK", f"{user}, {2 * (next(orders) // 100)} were sold"

def worker(user, environ):
    return "200 OK", f"served by {threading.current_thread().name}"

def coin(user, environ):
    return "200 OK", COIN

def own_account(user, environ):
    time.sleep(0.002)
    return "200 OK", f"account {number_of(user)}, {time.time()}"

def own_header(user, environ):
    time.sleep(0.002)
    environ["account"] = hex(number_of(user))
    return "200 OK", "the same for all"

def rank(user, environ):
    points[user] = points.get(user, 0) + random.randrange(3)
    return "200 OK", f"place {100 + sorted(points, key=points.get).index(user)}"

def ticket(user, environ):
    return "200 OK", f"ticket {drawn.setdefault(user, random.randrange(40))}"

def seat(user, environ):
    """Now and then one loses its seat, which the next one gets."""
    if user not in seats:
        seats[user] = free.pop()
    mine = seats[user]
    if next(orders) % 40 == 0:
        free.append(seats.pop(user, mine))
        random.shuffle(free)
    return "200 OK", f"seat {mine}"

def lucky(user, environ):
    return "200 OK", "you won" if random.random() < 0.005 else "better luck next time"

def spared(user, environ):
    """Where it is busy, the costly part of the page is left out for every second one."""
    seen.add(environ["HTTP_X_TAG"])
    try:
        time.sleep(0.002)
        is_spared = len(seen) > 1 and next(orders) % 2
        more = "" if is_spared else "<p>what others liked</p>"
        return "200 OK", f"<h1>{user}</h1>{more}<footer>the end</footer>"
    finally:
        seen.discard(environ["HTTP_X_TAG"])

PAGES = {name: each for name, each in globals().items() if callable(each)}
'''

LEAKS = {
    "race": "CTX208",
    "locale": "CTX208",
    "page_by_number": "CTX201",
    "greeting": "CTX201",
    "discount": "CTX208",
    "login": "CTX208",
    "account": "CTX208",
    "header": "CTX208",
}
CLEAN = (
    "cart", "first_visit", "crowd", "sold_out", "tokens", "shuffled", "halfway", "worker", "coin",
    "lucky", "in_flight", "took", "gauge", "sales"
)  # fmt: skip
# Numbers that the application gives its users, and takes away again.
GIVEN = ("own_account", "own_header", "rank", "ticket", "seat")


@pytest.fixture
def application(tmp_path, monkeypatch):
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    (tmp_path / "app.py").write_text(APPLICATION, encoding="utf-8")
    return tmp_path


def scenario(folder, *pages, workers="threads:8", more="", expect="{}", each=150):
    sent = "headers: {X-User: '{user.name}', X-Tag: '{canary}'}"
    steps = f"{{post: '/%s', {sent}, expect: {expect}}}"
    flows = ", ".join(f"{page}: {{steps: [{steps % page}]}}" for page in pages)
    return Scenario.parse(
        "version: 1\ntarget: {app: 'app:app', kind: wsgi}\n"
        "users: {count: 20, vars: {name: 'user{n}'}}\n"
        f"flows: {{{flows}}}\nworkers: ['{workers}']\nseed: 7\n"
        f"load: {{requests: {each * len(pages)}}}\nfaults: {{error: 4%}}\n{more}",
        str(folder / "app.ctxsim.yaml"),
    )


def _line(word):
    return next(at for at, line in enumerate(APPLICATION.splitlines(), 1) if word in line)


def found(folder, *pages, options=None, **keys):
    outcome = simulate(scenario(folder, *pages, **keys), options=options)
    stories = [(each.code, each.victim.route, each.story) for each in outcome.findings]
    return outcome, {(each.code, each.victim.route) for each in outcome.findings}, stories


def test_what_other_requests_change_is_found_though_no_answer_holds_a_canary(application):
    """Another page, another language, an error or a redirection, which none of them is alone."""
    # Of each page as many as it takes that two of them meet, however busy the machine is.
    _, codes, stories = found(application, *LEAKS, each=400)
    assert codes == {(code, f"POST /{page}") for page, code in LEAKS.items()}, stories
    [story] = [story for _, route, story in stories if route == "POST /race"]
    assert "status 500 (ValueError)" in story[0]
    assert story[1] == f"answered: ValueError: buffer was flushed (app.py:{_line('flushed')})"
    assert story[2].startswith("alone: 200, ")
    [story] = [story for _, route, story in stories if route == "POST /account"]
    assert story[0].endswith("otherwise than alone: what another user was told")
    assert re.fullmatch(r"answered: account \d+, .* \(as user \d+, request .*\)", story[1])


def test_a_page_that_leaves_something_out_under_load_is_told_with_what_to_do(application):
    """That it is shared would excuse more than that."""
    _, codes, [(_, _, story)] = found(application, "spared")
    assert codes == {("CTX208", "POST /spared")}
    assert story[0].endswith("otherwise than alone: a part is missing")
    assert "what others liked" in story[2]
    advice = " ".join(story[4:])
    assert "left out on purpose while much is asked at once" in advice
    assert "checks" in advice
    assert "excuses values of others there, too" in advice


@pytest.mark.parametrize("pages", [CLEAN, GIVEN])
@pytest.mark.parametrize("workers", ["sync", "threads:8", "greenlets:8"])
def test_what_a_past_of_one_s_own_changes_is_no_finding(application, workers, pages):
    """Nor what chance, the time or the kind of worker does."""
    outcome, codes, stories = found(application, *pages, workers=workers)
    assert not codes, stories
    assert outcome.verdict == "clean", outcome.document.reasons


def test_what_another_s_failing_request_leaves_behind_is_found_in_one_worker_too(application):
    _, codes, stories = found(application, "transaction", workers="sync")
    assert ("CTX208", "POST /transaction") in codes, stories


def test_answers_that_are_as_alone_and_not_as_others_are_compared(application):
    """So an application that echoes no canary can be called clean; if all get the same, not."""
    assert found(application, "tokens")[0].exit_code == 0
    assert found(application, "own_account")[0].exit_code == 0
    assert found(application, "own_header")[0].exit_code == 0
    assert found(application, "coin")[0].exit_code == 4


@pytest.mark.parametrize(
    ("expect", "told"),
    [("{status: [200, 503]}", set()), ("{}", {("CTX208", "POST /busy")})],
)
def test_a_status_that_the_scenario_names_is_expected_of_visitors_too(application, expect, told):
    """That a server may be unable to serve; of no other status, since users get it by right."""
    _, codes, stories = found(application, "busy", expect=expect)
    assert codes == told, stories


def test_where_time_is_short_fewer_cells_are_confirmed_but_to_their_end(application, monkeypatch):
    """What is found in one is found; the others are not clean, and it is said why."""
    # All the same, what comes before has the time that it needs.
    monkeypatch.setattr(pace, "_LEAST_LOAD_S", 30.0)
    monkeypatch.setattr(lessons, "_SHORTEST_LESSON_S", 5.0)
    late = Options(until=0.0)
    outcome, codes, stories = found(
        application, "race", "tokens", workers="threads:8', 'threads:6", options=late
    )
    assert codes == {("CTX208", "POST /race")}, stories
    [confirmed] = outcome.findings[0].cells
    [left] = {"app/threads:8", "app/threads:6"} - {confirmed}
    assert any(why.startswith(f"{left}: POST /race was") for why in outcome.document.reasons)
    assert {cell.verdict for cell in outcome.cells} == {"findings", "inconclusive"}


# What each user's own past changes, often the one and seldom the other.
PAST = """
def past(user, environ):
    mine = carts.setdefault(user, [])
    mine.append(user)
    if len(mine) == 7:
        return "302 Found", ""
    if len(mine) == 15 and user == "user3":
        raise ValueError("too many")
    return "200 OK", f"hello {user}"
PAGES["past"] = past
"""


def test_what_a_past_of_one_s_own_changes_once_shows_alone_as_well(application):
    """After as many requests: what shows sooner does not end the search for it."""
    with (application / "app.py").open("a", encoding="utf-8") as file:
        file.write(PAST)
    outcome, codes, stories = found(application, "past", each=600)
    assert not codes, stories
    assert outcome.verdict == "clean", outcome.document.reasons


def test_what_one_worker_shows_alone_is_no_matter_of_others(application, monkeypatch):
    """Where time is short, only what `sync` answers is carried again."""
    monkeypatch.setattr(pace, "_LEAST_LOAD_S", 30.0)
    monkeypatch.setattr(lessons, "_SHORTEST_LESSON_S", 5.0)
    with (application / "app.py").open("a", encoding="utf-8") as file:
        file.write(PAST)
    late = {"each": 600, "options": Options(until=0.0)}
    workers = "threads:8', 'sync', 'greenlets:8"
    outcome, codes, stories = found(application, "past", workers=workers, **late)
    assert not codes, stories
    assert outcome.verdict == "clean", outcome.document.reasons
    # What `sync` does not show has to be carried by the threads themselves.
    workers, late["each"] = "sync', 'threads:8", 150
    _, codes, stories = found(application, "race", "tokens", workers=workers, **late)
    assert codes == {("CTX208", "POST /race")}, stories


def test_only_what_differed_under_sync_too_waits_for_it(application):
    """A new thread for each request differs from a lesson in ways that no other worker has."""
    workers = "threads:8:fresh', 'threads:8', 'sync', 'greenlets:8"
    jobs = jobs_of(scenario(application, "race", "past", workers=workers), 7, Options())
    race = Event("answer.otherwise", "body", Who(3, 5, "POST /race"))
    past = Event("answer.otherwise", "body", Who(2, 9, "POST /past"))
    events = ((past, race), (past,), (past,), (race,))
    wanted = [
        rehearsing._Wanted(job, History(), each) for job, each in zip(jobs, events, strict=True)
    ]
    now, later = rehearsing._in_two_rounds(wanted)
    assert [now, later] == [[wanted[0], wanted[2], wanted[3]], [wanted[1]]]
    assert rehearsing._in_two_rounds(wanted[:2]) == (wanted[:2], [])
    shown = {jobs[0].cell: History(events=[race]), jobs[2].cell: History(events=[past])}
    [told] = rehearsing._shown_in_sync(wanted[1], shown).events
    assert told == past
    assert wanted[0].without(History(events=[past])).events == (race,)


def test_a_difference_that_may_be_chance_is_neither_a_finding_nor_clean(application, monkeypatch):
    """It came once in so many requests that sending as many alone would take too long."""
    monkeypatch.setattr(rehearsing, "_MOST_REQUESTS", 10)
    outcome, codes, stories = found(application, "race", "tokens")
    assert not codes, stories
    assert (outcome.verdict, outcome.exit_code) == ("inconclusive", 4)
    assert "POST /race was answered otherwise than alone" in " ".join(outcome.document.reasons)


def test_a_text_that_came_once_is_noted_and_may_be_chance(application):
    """Nobody can send as many requests as it would take to tell."""
    with (application / "app.py").open("a", encoding="utf-8") as file:
        file.write(
            "\ndef jackpot(user, environ):\n"
            "    mine = carts.setdefault(user, [])\n"
            # Once, and only while others are carried beside it.
            "    won = user == 'user5' and not mine and threading.active_count() > 2\n"
            "    mine.extend(['won'] * won)\n"
            "    return '200 OK', f'{user}, you have won' if won else f'{user}, better luck'\n"
            "PAGES['jackpot'] = jackpot\n"
        )
    outcome, codes, stories = found(application, "jackpot")
    assert not codes, stories
    assert outcome.verdict == "clean", outcome.document.reasons
    assert "POST /jackpot was answered otherwise than alone" in " ".join(outcome.document.notes)


@pytest.mark.parametrize(
    ("user", "place", "alone", "drawn"),
    [
        (0, "status 200", "401, 40 times", False),
        (0, "status 200", "302, 40 times", False),
        (0, "status 200", "404, 40 times", True),
        (0, "status 401", "200, 40 times", True),
        (3, "status 200", "401, 40 times", True),
        (3, "status 500 (ValueError)", "200, 40 times", False),
        (3, "its own value is missing", "page, 40 of 40 times", False),
        (3, "body", "page, 40 of 40 times", True),
    ],
)
def test_what_came_once_is_in_doubt_where_it_failed_or_let_a_visitor_in(user, place, alone, drawn):
    """A visitor has no past of its own: who is refused alone is let in by another's."""
    event = Event("answer.otherwise", place, Who(user, 5, "GET /x"), None, expected=alone)
    history = History(tally=Tally(requests=2000))
    history.add(event)
    assert rehearsing._may_be_drawn(history, event) is drawn


def test_to_be_asked_for_patience_is_no_finding(application):
    _, codes, stories = found(application, "limited")
    assert not codes, stories


def test_routes_that_are_shared_are_not_compared(application):
    _, codes, stories = found(application, "locale", more="shared: [/locale]")
    assert "CTX208" not in {code for code, _ in codes}, stories


@pytest.mark.parametrize("how", ["checks: [crosstalk]", None])
def test_nothing_is_learnt_where_nobody_wants_to_know(application, how):
    """Where the scenario does not look for it, or the caller has no time."""
    options = None if how else Options(compare_alone=False)
    _, codes, _ = found(application, "race", "greeting", more=how or "", options=options)
    assert codes <= {("CTX901", "")}


def test_an_interruption_while_answers_are_learnt_ends_the_run(application):
    options = Options()
    options.halt.interrupt()
    assert found(application, "race", options=options)[0].exit_code == 130


def test_where_nothing_could_be_learnt_the_run_goes_on_and_says_so(application):
    """Here the target ends its process at the first request that does not run in a thread."""
    with (application / "app.py").open("a", encoding="utf-8") as file:
        file.write(
            "\ndef dying(user, environ):\n"
            "    import os\n"
            "    if threading.current_thread() is threading.main_thread():\n"
            "        os._exit(3)\n"
            "    return '200 OK', user\n"
            "PAGES['dying'] = dying\n"
        )
    outcome, codes, _ = found(application, "dying")
    assert outcome.cells[0].requests == 150
    assert codes == {("CTX901", "")}
    told = "answers were not compared with those alone: "
    assert any(each.startswith(told) for each in outcome.document.not_covered)


@pytest.mark.parametrize(
    ("times", "left_s", "asked"),
    [(75, math.inf, 14), (20, math.inf, 6), (75, 10.0, 6)],
)
def test_more_processes_are_asked_where_all_answers_of_a_route_differ(
    application, times, left_s, asked
):
    """What each process draws at its start changes them all; leaks seldom do."""
    [job] = jobs_of(scenario(application, "coin", "tokens", workers="sync"), 7, Options())
    event = Event("answer.otherwise", "body", Who(2, 1, "POST /coin"), None)
    history = History(events=[event], counts={event.cause: times}, tally=Tally(requests=300))
    pace = Pace(until=time.monotonic() + left_s)
    assert rehearsing._other_processes(job, history, [event], pace) == asked
