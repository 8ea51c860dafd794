"""What an earlier request leaves on a thread, where nothing in it belongs to anybody."""

import textwrap

import pytest

from ctxsim.cell.learnt import Bound, Heard, Lesson, bound, varied
from ctxsim.errors import ExitCode
from ctxsim.jobs import Options
from ctxsim.scenario import Scenario
from ctxsim.simulation import simulate

HEAD = """
import itertools, sqlite3, threading, time
from urllib.parse import parse_qs
kept = threading.local()
numbers = itertools.count()
words = {}

def app(environ, start_response):
    sent = {name: value[0] for name, value in parse_qs(environ["QUERY_STRING"]).items()}
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{sent['tag']} {answer(sent.get('zone'))}".encode()]
"""
LEFT = """
def answer(zone):
    if zone:
        kept.zone = zone
    return getattr(kept, "zone", "UTC")
"""
# Each of them is right, or does at least the same whichever thread it is on.
RIGHT = {
    "taken away": """
        def answer(zone):
            kept.zone = zone or "UTC"
            try:
                return kept.zone
            finally:
                del kept.zone
        """,
    "a cache of the thread": """
        def answer(zone):
            known = kept.__dict__.setdefault("known", {})
            return known.setdefault(zone, str(zone).upper())
        """,
    "a connection of the thread": """
        def answer(zone):
            if not hasattr(kept, "connection"):
                kept.connection = sqlite3.connect(":memory:")
            return kept.connection.execute("select 'open'").fetchone()[0]
        """,
    "a number for each request": """
        def answer(zone):
            return next(numbers)
        """,
    "the time": """
        def answer(zone):
            return int(time.monotonic() * 20)
        """,
    "what was drawn by lot": """
        import os
        lot = os.urandom(1)[0] % 2
        def answer(zone):
            return "heads" if lot else "tails"
        """,
    "how many threads there are": """
        def answer(zone):
            return 10 * threading.active_count()
        """,
    "who asks": """
        def answer(zone):
            return len(words) if zone is None else words.setdefault(zone, len(words))
        """,
    "what all have stored": """
        def answer(zone):
            words[zone] = words.get(zone, 0) + 1
            return len(words)
        """,
}


@pytest.fixture
def ran(tmp_path):
    def run(source, *workers, flows=()):
        (tmp_path / "served.py").write_text(HEAD + textwrap.dedent(source), encoding="utf-8")
        steps = "steps: [{get: '/now?tag={canary}'}, {get: '/set?tag={canary}&zone=Tokyo'}]"
        if flows:
            named = (f"f{n}: {{steps: [{{{each}}}]}}" for n, each in enumerate(flows))
            steps = f"flows: {{{', '.join(named)}}}"
        text = (
            f"version: 1\ntarget: {{app: served.py:app}}\nusers: {{count: 8}}\n{steps}\n"
            f"workers: [{', '.join(workers)}]\nload: {{requests: 200}}\nfaults: none\nseed: 7\n"
        )
        (tmp_path / "left.yaml").write_text(text, encoding="utf-8")
        return simulate(Scenario.load(tmp_path / "left.yaml"), options=Options(jobs=1))

    return run


@pytest.mark.parametrize("workers", ["sync", "'threads:2'", "'threads:2:copied'"])
def test_what_is_left_on_a_thread_makes_nothing_clean(ran, workers):
    outcome = ran(LEFT, workers)
    assert outcome.exit_code == ExitCode.INCONCLUSIVE
    assert outcome.document.reasons == (
        "GET /now is answered otherwise on a thread that has carried others than on one of its "
        "own: 'Tokyo' in place of 'UTC'",
    )


MANY = """
def answer(zone):
    if zone:
        kept.zone = zone
        return "set"
    return getattr(kept, "zone", "UTC")
"""


def test_what_is_left_on_a_thread_may_have_many_values(ran):
    """No user is told the same twice there, and those with threads of their own always are."""
    zones = ("Tokyo", "Lima", "Oslo")
    flows = [f"get: '/set?tag={{canary}}&zone={zone}'" for zone in zones]
    outcome = ran(MANY, "sync", flows=["get: '/now?tag={canary}'", *flows])
    assert outcome.exit_code == ExitCode.INCONCLUSIVE
    assert outcome.document.reasons == (
        "GET /now is answered otherwise on a thread that has carried others than on one of its "
        "own: now this, now that, in place of 'UTC'",
    )


def test_where_each_request_has_its_own_thread_nothing_is_left(ran):
    assert ran(LEFT, "'threads:2:fresh'").exit_code == ExitCode.OK


@pytest.mark.parametrize("name", RIGHT)
def test_what_threads_have_of_their_own_is_no_doubt_where_nobody_sees_it(ran, name):
    outcome = ran(RIGHT[name], "sync", "'threads:2'")
    assert (outcome.exit_code, outcome.document.reasons) == (ExitCode.OK, ())


def lesson(*told, count=3):
    """What users 1, 2, ... were always told; None where that differed."""
    heard = (
        Heard(0, user, 200, count, (), None if text is None else tuple(text.split()))
        for user, text in enumerate(told, 1)
    )
    return Lesson(tuple(heard), ())


FOUND = Bound(0, False, 200, "8", "12")


@pytest.mark.parametrize(
    ("told", "found"),
    [
        # Those with an even number share a thread.
        (("at 12", "at 8", "at 12", "at 8"), {FOUND}),
        (("at 12", None, "at 12", "at 8"), {FOUND}),
        (("at 12", "at 12", "at 12", "at 12"), set()),
        # Enough of both: those that share are all told now this, now that.
        (("at 12", None) * 4, {Bound(0, False, 200, "", "at 12")}),
        (("at 12", None, "at 12", "at 12") * 2, set()),
        (("at 12", None, None, None) * 2, set()),
        # Users are told otherwise from time to time, or on threads of their own too.
        (("at 12", None, "at 12", None), set()),
        (("at 12", "at 8", "at 8", "at 8"), set()),
        (("at 12", "at 8", None, "at 8"), set()),
        ((), set()),
    ],
)
def test_users_are_told_otherwise_only_where_threads_are_shared(told, found):
    assert set(bound(lesson(*told), 1)) == found
    assert set(bound(lesson(*told, count=1), 1)) == set()


def test_in_the_other_process_the_others_have_threads_of_their_own():
    told = lesson("at 12", "at 8", "at 12", "at 8")
    assert set(bound(told, 2)) == {Bound(0, False, 200, "12", "8")}


@pytest.mark.parametrize(
    ("lessons", "is_varied"),
    [
        ([lesson("at 12", "at 8"), lesson("at 8", "at 12")], True),
        ([lesson("at 12", None), lesson("at 12", "at 8")], True),
        # Each process has drawn its own lot, or only in one of them it was otherwise.
        ([lesson("at 12", "at 12"), lesson("at 8", "at 8")], False),
        ([lesson("at 12", "at 8"), lesson("at 12", "at 12")], False),
        ([], False),
    ],
)
def test_answers_vary_where_users_are_told_otherwise_in_each_process(lessons, is_varied):
    assert varied(lessons) == ({(0, False, 200)} if is_varied else set())
