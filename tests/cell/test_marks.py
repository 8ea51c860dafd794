"""Texts that belong to one user are found as whole words, in every coding, and in objects without
running anything of theirs."""

from __future__ import annotations

import base64
import html
import json
import threading
from collections import OrderedDict, UserDict, defaultdict
from unittest import mock
from urllib.parse import quote, quote_plus

import pytest
from driving import RUN, plan_of, step
from hypothesis import assume, given
from hypothesis import strategies as st

from ctxsim.cell import canaries
from ctxsim.cell.plan import Users
from ctxsim.cell.witness.marks import Mark, Marks

CANARY = canaries.canary(canaries.user_prefix(RUN, 1, 3), 5)
OWN = canaries.canary(canaries.user_prefix(RUN, 1, 3), 0)


def marks_of(value="user{n}", mine="{user.name}", users=20):
    plan = plan_of(step("GET /", mine=(mine,)), users=Users(vars=(("name", value),)))
    return Marks(plan, users)


def users_in(marks, text):
    return [mark.user for mark in marks.in_bytes(text.encode())]


@pytest.mark.parametrize(
    ("text", "users"),
    [
        ("user1", [1]),
        ("user10", [10]),
        ("user1 user10", [1, 10]),
        ("user1,user2;user3", [1, 2, 3]),
        ("<b>user1</b>", [1]),
        ('{"name":"user1"}', [1]),
        ("user1.", [1]),
        ("user1@example.org", [1]),
        ("/users/user1/cart", [1]),
        ("superuser1", []),
        ("user1x", []),
        ("user1_", []),
        ("_user1", []),
        ("éuser1", []),
        ("user1é", []),
        ("user01", []),
        ("user0", []),
        ("user", []),
        ("user21", []),
        ("user99999", []),
        ("user123456", []),
        ("USER1", []),
    ],
)
def test_a_text_of_a_user_is_a_whole_word(text, users):
    """user1 is not in user10, and letters beyond ASCII are letters; nobody is user 21 of 20."""
    assert users_in(marks_of(), text) == users


@pytest.mark.parametrize("coding", [str, html.escape, quote, quote_plus, json.dumps])
@pytest.mark.parametrize(
    "value", ['O\'Brien & "Sons" {n}', "jürgen{n}@exämple.org", "<{n}>", "a b/{n}", "{n}-{n}"]
)
def test_a_text_of_a_user_is_found_in_every_coding(value, coding):
    """HTML-escaped, percent-encoded, as a form has it, and JSON-escaped."""
    text = coding(value.replace("{n}", "7"))
    assert users_in(marks_of(value), f" {text} ") == [7]


@given(st.text(max_size=10), st.integers(1, 20), st.text(max_size=10))
def test_a_text_of_a_user_is_found_between_any_others(before, number, after):
    """Found exactly where its neighbours are no letters, digits or underscores."""
    text = f"{before}|user{number}|{after}"
    text = text.encode(errors="replace").decode()
    assume("user" not in before + after)
    assert users_in(marks_of(), text) == [number]


def test_a_text_without_a_number_is_nobody_s():
    """`mine` that is the same for all users tells nobody apart."""
    assert users_in(marks_of("admin"), "admin") == []


def test_a_mark_says_whose_it_is():
    """User and request of a canary, its process; of a text, the user alone."""
    request, user, text = marks_of().in_bytes(f"{CANARY} {OWN} user4".encode())
    assert request == Mark(CANARY, 3, 5, process=1)
    assert user == Mark(OWN, 3, 0, process=1)
    assert text == Mark("user4", 4, 0, process=None)


@pytest.mark.parametrize(
    "other",
    [
        CANARY.upper(),
        OWN.title(),
        base64.b64encode(CANARY.encode()).decode(),
        base64.b64encode(b"1" + CANARY.encode()).decode(),
        base64.b64encode(b"12" + CANARY.encode()).decode(),
        "user4",
        "Sign%20in:%20user4",
        base64.b64encode(b"signed in is user4").decode(),
    ],
)
def test_a_response_s_own_canary_is_told_from_all_others(other):
    """What is beside it is found, whether it stands there once, often or in capitals."""
    own = canaries.canary(canaries.user_prefix(RUN, 1, 3), 6)
    marks = marks_of()
    wanted = marks.in_bytes(other.encode())
    assert len(wanted) == 1
    for text in (f"{own} {other}", f"{other} {own} {own}", f"{own.upper()} {other}"):
        assert marks.beside(text.encode(), own) == (wanted, True)
    assert marks.beside(other.encode(), own) == (wanted, False)
    assert marks.beside(f"{own} and {own}".encode(), own) == ([], True)
    assert marks.beside(f"{own[:-1]} and".encode(), own) == ([], False)


def test_a_torn_canary_is_a_mark_of_nobody():
    """A mixture of two is wrong wherever it is seen, though its origin cannot be told."""
    torn = CANARY[:-1] + ("0" if CANARY[-1] != "0" else "1")
    [mark] = marks_of().in_bytes(torn.encode())
    assert mark.torn


class Holder:
    def __init__(self, held):
        self.held = held

    def __repr__(self):
        # Names the tests of one process as those of another.
        return f"Holder({self.held!r})"


@pytest.mark.parametrize(
    "thing",
    [
        CANARY,
        CANARY.encode(),
        bytearray(CANARY.encode()),
        base64.b64encode(CANARY.encode()),
        [CANARY],
        (1, (CANARY,)),
        {CANARY},
        frozenset([CANARY]),
        {CANARY: 1},
        {"a": {"b": CANARY}},
        Holder(CANARY),
        Holder(Holder([CANARY])),
        UserDict(a=CANARY),
        OrderedDict(a=CANARY),
        defaultdict(list, a=CANARY),
        [Holder(None), None, 1.5, Holder(CANARY)],
    ],
    ids=repr,
)
def test_marks_are_found_in_objects(thing):
    """Texts, containers, attributes, in one another."""
    assert [mark.text for mark in marks_of().in_object(thing)] == [CANARY]


@given(
    st.lists(
        st.sampled_from(["", "x", "user", "user3", "user33", CANARY, CANARY.upper(), OWN, "é"])
    ),
    st.sampled_from(["user{n}", "{n}", "a{n}-{n}z"]),
)
def test_a_quick_look_at_joined_texts_misses_no_mark(texts, value):
    """A search asks for many at once: where none is likely, none of them holds any."""
    marks = marks_of(value)
    if any(marks.in_object(text) for text in texts):
        assert marks.may_be_in("\0".join(texts))
    for text in texts:
        assert marks.may_be_in(text) or not marks.in_object(text)


def test_a_quick_look_tells_ordinary_texts_from_marks():
    marks = marks_of()
    assert not marks.may_be_in("users\0cx\0a user\0xuser3\0user0")
    assert marks.may_be_in("x\0user3\x003")


def test_the_search_of_an_object_is_bounded():
    """A cycle, a deep object and a large one end it."""
    cycle = [CANARY]
    cycle.append(cycle)
    assert len(marks_of().in_object(cycle)) == 1
    deep = CANARY
    for _ in range(1000):
        deep = [deep]
    assert marks_of().in_object(deep) == []
    large = [Holder(i) for i in range(100_000)]
    assert marks_of().in_object(large) == []


class Hostile:
    """Everything that a search might call raises."""

    def __getattribute__(self, name):
        raise AssertionError(f"{name} was looked up")

    def __iter__(self):
        raise AssertionError("it was iterated over")

    __len__ = __bool__ = __eq__ = __hash__ = __repr__ = __str__ = __iter__


class HostileDict(dict):
    def __iter__(self):
        raise AssertionError("it was iterated over")

    items = keys = values = __getitem__ = __len__ = __iter__


class HostileList(list):
    def __iter__(self):
        raise AssertionError("it was iterated over")

    __getitem__ = __len__ = __iter__


class HostileText(str):
    __slots__ = ()

    def __contains__(self, other):
        raise AssertionError("it was asked")

    def encode(self, *_, **__):
        raise AssertionError("it was encoded")


class Lazy:
    """Evaluates itself when it is asked for its class, as Django's lazy objects do."""

    @property
    def __class__(self):
        raise AssertionError("it was evaluated")


@pytest.mark.parametrize(
    "make",
    [
        Hostile,
        lambda: [Hostile()],
        Lazy,
        lambda: [Lazy()],
        lambda: mock.Mock(spec=dict),
        lambda: mock.Mock(spec=str),
        lambda: mock.Mock(spec=list),
        lambda: HostileText("plain"),
    ],
    ids=["hostile", "hostile inside", "lazy", "lazy inside", "dict", "str", "list", "text"],
)
def test_the_search_runs_no_code_of_an_object(make):
    """Neither its attributes nor its iteration, nor what it would like to pass for."""
    assert marks_of().in_object(make()) == []


def test_the_search_runs_no_code_of_a_container():
    """A session must not count as accessed because it was looked at."""
    for thing in (HostileDict(a=CANARY), HostileList([CANARY])):
        assert [mark.text for mark in marks_of().in_object(thing)] == [CANARY]


def test_a_container_may_change_while_it_is_searched():
    """Other workers write into what is shared, at the same time."""
    stop = threading.Event()
    shared = {"list": [], "dict": {}, "set": set()}

    def change():
        n = 0
        while not stop.is_set():
            n = (n + 1) % 100
            shared["dict"][n] = CANARY
            shared["dict"].pop(n - 7, None)
            shared["set"].add(n)
            shared["set"].discard(n - 3)
            shared["list"][:] = [n] * n

    writer = threading.Thread(target=change)
    writer.start()
    try:
        marks = marks_of()
        for _ in range(300):
            marks.in_object(shared)
    finally:
        stop.set()
        writer.join()
