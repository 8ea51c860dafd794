"""A plan travels as JSON and arrives the same; worker words are read or refused with advice."""

from __future__ import annotations

import json

import pytest
from driving import WORDS, plan_of
from hypothesis import given, settings
from hypothesis import strategies as st

from ctxsim.cell.plan import (
    VERSION,
    WORKER_VARIANTS,
    Expect,
    Faults,
    Flow,
    Load,
    Plan,
    Shared,
    Step,
    Target,
    Users,
    Workers,
)

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
PAIRS = st.lists(st.tuples(TEXTS, TEXTS), max_size=2).map(tuple)
TUPLES = st.lists(TEXTS, max_size=2).map(tuple)
JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)
EXPECTS = st.builds(
    Expect,
    status=st.lists(st.integers(100, 599), max_size=2).map(tuple),
    contains=TUPLES,
    absent=TUPLES,
    json=st.lists(st.tuples(TEXTS, JSONS), max_size=2).map(tuple),
    unique=st.none() | TEXTS,
)
STEPS = st.builds(
    Step,
    name=TEXTS,
    method=st.sampled_from(["GET", "POST"]),
    path=TEXTS,
    headers=PAIRS,
    form=st.none() | PAIRS,
    json=JSONS,
    has_json=st.booleans(),
    body=st.none() | TEXTS,
    auth=st.none() | st.tuples(TEXTS, TEXTS),
    mine=TUPLES,
    expect=EXPECTS,
)
FLOWS = st.builds(
    Flow, TEXTS, st.floats(0.1, 9), st.lists(STEPS, min_size=1, max_size=2).map(tuple)
)
PLANS = st.builds(
    Plan,
    scenario=TEXTS,
    run=st.just("0badcafe"),
    process=st.integers(0, 9),
    seed=st.integers(0, 2**64),
    target=st.builds(Target, TEXTS, path=TUPLES),
    probes=TUPLES,
    keeps=TUPLES,
    workers=st.sampled_from(WORDS).map(Workers.parse),
    flows=st.lists(FLOWS, max_size=2).map(tuple),
    users=st.builds(Users, st.integers(0, 9), st.booleans(), st.integers(1, 9), PAIRS),
    faults=st.builds(Faults, *[st.floats(0, 1)] * 3),
    load=st.builds(Load, st.none() | st.integers(1, 9), st.none() | st.floats(0.1, 9)),
    shared=st.builds(Shared, TUPLES, TUPLES),
    only_user=st.none() | st.integers(0, 9),
    lent=TUPLES,
    lent_from=st.none() | TEXTS,
)


@settings(max_examples=60)
@given(PLANS)
def test_a_plan_arrives_as_it_was_sent(plan):
    """Through JSON and back, every plan is equal to itself."""
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


def test_a_plan_of_another_version_is_refused():
    """Harness and cell are of one installation; a difference is said, not guessed at."""
    document = {**plan_of("GET /").to_json(), "version": VERSION + 1}
    with pytest.raises(ValueError, match=f"plan version {VERSION}, not {VERSION + 1}"):
        Plan.from_json(document)


@pytest.mark.parametrize("word", WORDS)
def test_a_worker_word_is_kept_as_it_was_written(word):
    """The word names the cell in every report."""
    assert Workers.parse(word).word == word


@pytest.mark.parametrize(
    ("word", "model", "count", "variant", "threads", "in_flight", "gevent"),
    [
        ("sync", "sync", 1, None, 1, 1, False),
        ("threads:8", "threads", 8, None, 1, 8, False),
        (" threads:8:fresh ", "threads", 8, "fresh", 1, 8, False),
        ("greenlets:200:late", "greenlets", 200, "late", 1, 200, True),
        ("tasks:5:to_thread", "tasks", 5, "to_thread", 1, 5, False),
        ("threads:4  x   greenlets:250", "threads x greenlets", 250, None, 4, 1000, True),
    ],
)
def test_a_worker_word_is_read(word, model, count, variant, threads, in_flight, gevent):
    """Model, count, variant, and what follows from them."""
    workers = Workers.parse(word)
    assert (workers.model, workers.count, workers.variant) == (model, count, variant)
    assert (workers.threads, workers.in_flight, workers.needs_gevent) == (
        threads,
        in_flight,
        gevent,
    )


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("", "unknown workers ''; write sync, threads:8"),
        ("thread:8", "unknown workers 'thread:8'; write sync, threads:8"),
        ("threads:0", "unknown workers 'threads:0'"),
        ("threads:-1", "unknown workers 'threads:-1'"),
        ("threads:8.5", "unknown workers 'threads:8.5'"),
        ("Sync", "unknown workers 'Sync'"),
        ("greenlets:4 x threads:4", "unknown workers 'greenlets:4 x threads:4'"),
        ("threads:4 x greenlets", "unknown workers 'threads:4 x greenlets'"),
        ("sync:4", "sync carries one request at a time, write just 'sync'"),
        ("threads", "'threads' does not say how many; write for example 'threads:8'"),
        ("tasks", "'tasks' does not say how many; write for example 'tasks:8'"),
        ("threads:8:late", "unknown variant 'late' of threads; there are threads:8:fresh"),
        ("tasks:8:fresh", "there are tasks:8:empty, tasks:8:to_thread, tasks:8:executor"),
    ],
)
def test_a_wrong_worker_word_is_refused_with_what_to_write(word, said):
    """The message names the word and what was expected."""
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - the message is compared below
        Workers.parse(word)
    assert said in str(refused.value)


@given(st.text(max_size=30))
def test_any_other_word_is_refused_and_none_breaks_the_parser(word):
    """Whatever is written, the answer is workers or a ValueError."""
    try:
        workers = Workers.parse(word)
    except ValueError:
        return
    assert workers.model in WORKER_VARIANTS


def test_a_route_is_the_method_and_the_path_without_the_query():
    """Findings name a step by it."""
    assert Step("", "GET", "/cart?tag={canary}").route == "GET /cart"


def test_flows_that_begin_alike_share_what_is_known_of_how_they_begin():
    login, cart, page = (Step("", "GET", each, json={"of": each}) for each in ("/in", "/c", "/p"))
    flows = ((login, cart), (login, cart, page), (cart, page), (login, page))
    plan = plan_of(flows=tuple(Flow(str(n), 1.0, steps) for n, steps in enumerate(flows)))
    assert plan.situations == (0, 1, 0, 1, 4, 5, 6, 0, 8)
