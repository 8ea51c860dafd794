"""Each response is compared with its request: own values count, foreign ones are told."""

from __future__ import annotations

import base64
import json
import zlib

import pytest
from answering import Bench, of
from driving import step

from ctxsim.cell.checks.verdict import judge
from ctxsim.cell.history import History
from ctxsim.cell.plan import Expect, Shared

PUBLIC: list[str] = []


FOREIGN = of(2, 5)


def test_a_request_s_own_canary_is_compared_and_silent():
    """Seen in the body, a header or a cookie: something of its own came back."""
    for place in ("body", "X-Tag", "Set-Cookie"):
        bench = Bench()
        own = bench.request.canary
        if place == "body":
            bench.examine(own)
        else:
            bench.examine("", (place, f"name={own}"))
        assert (bench.seen, bench.tally.compared) == ([], 1)


@pytest.mark.parametrize("reason", [f"No such thing as {FOREIGN}", "Not user2"])
def test_an_application_s_own_words_in_a_status_line_are_looked_at(reason):
    bench = Bench()
    bench.examine("", status=404, reason="Not Found")
    assert bench.seen == []
    bench.examine("", status=404, reason=reason)
    assert [place for _, place, _ in bench.seen] == ["status line"]


def test_an_answer_that_names_nobody_is_not_compared():
    """It says neither that all is well nor that something is wrong."""
    bench = Bench()
    assert bench.examine("hello", ("X-Tag", "none"))
    assert (bench.seen, bench.tally.compared) == ([], 0)


@pytest.mark.parametrize(
    "text", [of(1, 77), of(1, 0), "user1"], ids=["an earlier canary", "its canary", "its name"]
)
def test_what_belongs_to_the_same_user_is_its_own(text):
    """That a response holds an earlier canary of its own user is no finding."""
    bench = Bench()
    bench.examine(text)
    assert (bench.seen, bench.tally.compared) == ([], 1)


@pytest.mark.parametrize(
    ("text", "relation", "source"),
    [
        (FOREIGN, "request", (2, 5)),
        (of(2, 0), "user", (2, 0)),
        ("user2", "user", (2, 0)),
        (of(0, 3), "request", (0, 3)),
        (of(2, 5, process=9), "request", (2, 5)),
    ],
    ids=["request", "user's canary", "user's name", "visitor's", "other process"],
)
def test_what_belongs_to_somebody_else_is_told_with_its_source(text, relation, source):
    """Another request's value, and what another user is known by."""
    bench = Bench()
    bench.examine(f"welcome {text}!")
    [event] = bench.events
    assert bench.seen == [("answer.foreign", "body", relation)]
    assert (event.source.user, event.source.request) == source
    assert text in event.seen
    assert event.victim == bench.request.who


@pytest.mark.parametrize("text", [of(2, 0), "user2"])
def test_a_visitor_who_is_shown_a_user_is_told_as_such(text):
    """The worst relation of all."""
    bench = Bench(visitor=True)
    bench.examine(text)
    assert bench.seen == [("answer.foreign", "body", "visitor")]


def test_a_visitor_s_value_of_an_earlier_request_is_foreign_to_it():
    """Visitors have no cookies: nothing ties one request to the next."""
    bench = Bench(visitor=True)
    bench.examine(of(0, 999))
    assert bench.seen == [("answer.foreign", "body", "request")]


@pytest.mark.parametrize("length", [17, 22, 24])
def test_a_canary_whose_end_is_cut_off_tells_its_user(length):
    bench = Bench()
    bench.examine(f"{bench.request.canary} last {of(3, 9)[:length]}...")
    assert bench.seen == [("answer.foreign", "body", "request")]
    assert (bench.events[0].source.user, bench.events[0].source.request) == (3, 0)
    assert bench.events[0].seen.endswith("(its end is cut off)")


@pytest.mark.parametrize(
    "text",
    [
        of(1, 9)[:20],  # the user's own, of an earlier request
        of(3, 9)[:16],  # it does not tell whose it is
        of(3, 9)[:10] + "0123456789.",  # letters that follow its beginning
        of(4000, 9)[:20],  # there is no such user
        of(3, 9, process=7)[:20],
    ],
)
def test_what_is_cut_off_and_tells_nobody_else_is_silent(text):
    bench = Bench()
    bench.examine(f"{bench.request.canary[:20]}... {text}...")
    assert bench.events == []


@pytest.mark.parametrize("length", [10, 12, 13])
def test_the_beginning_of_a_value_and_its_hash_are_no_mixture(length):
    bench = Bench()
    own = bench.request.canary
    bench.examine(f"{own} is {own[:length]}da39a3ee5e6b4b0d3255bfef95601890afd80709")
    assert bench.events == []


@pytest.mark.parametrize(
    "chance",
    [of(0x274F, 0x77A94F), of(0x274F, 3), of(3, 0x77A94F), of(3, 0x77A94F, process=0x9A7)],
)
def test_a_hash_that_happens_to_check_is_no_canary(chance):
    """One in 251 does: there is no such user, or nobody has sent so many requests."""
    bench = Bench()
    bench.examine(f"{bench.request.canary} is {chance}")
    assert bench.events == []


def test_a_mixture_of_two_users_is_one_wherever_it_is_torn():
    for at in (15, 16):
        bench = Bench()
        own, other = bench.request.canary, of(0x12, 2)
        bench.examine(own[:at] + other[at:-1] + "0")
        assert bench.seen == [("answer.foreign", "body", "request")], at


@pytest.mark.parametrize("visitor", [True, False])
@pytest.mark.parametrize("length", [17, 18, 20, 22, 24])
@pytest.mark.parametrize("more", ["25", "9f3a", "00da39a3ee5e6b4b"])
def test_what_follows_the_beginning_of_one_s_own_value_makes_it_nobody_else_s(
    visitor, length, more
):
    """A name of bounded length, made of a value's beginning and its length, or a hash of it."""
    bench = Bench(visitor=visitor)
    own = bench.request.canary
    bench.examine(f"{own} as {own[:length]}{more}.")
    assert bench.events == []


def test_a_beginning_that_visitors_have_in_common_is_nobody_s():
    bench = Bench(visitor=True)
    bench.examine(f"{bench.request.canary[:24]}...")
    assert bench.events == []
    bench.examine(f"{of(0, bench.request.number + 1)[:20]}...")
    assert bench.events == []


CODED = {
    "entities": lambda text: "".join(f"&#{ord(each)};" for each in text),
    "mixed": lambda text: "".join(
        f"&#x{ord(each):X};" if place % 3 else each for place, each in enumerate(text)
    ),
    "percent": lambda text: "".join(f"%{ord(each):02x}" for each in text),
    "escapes": lambda text: "".join(f"\\u{ord(each):04x}" for each in text),
}


@pytest.mark.parametrize("coding", CODED)
def test_what_is_coded_letter_by_letter_is_read(coding):
    """As mail addresses are, to hide them from those who gather them."""
    bench = Bench()
    bench.examine(f"{bench.request.canary} {CODED[coding](of(3, 1))}")
    assert bench.seen == [("answer.foreign", "body", "request")]
    bench = Bench()
    bench.examine(f"{bench.request.canary} {CODED[coding]('user3')}")
    assert bench.seen == [("answer.foreign", "body", "user")]


@pytest.mark.parametrize("between", ["<wbr>", "<wbr />", "&shy;", "&#8203;", "\u00ad", "\u200b"])
def test_what_only_breaks_words_hides_no_canary(between):
    bench = Bench()
    canary = of(3, 9)
    bench.examine(f"{canary[:8]}{between}{canary[8:16]}{between}{canary[16:]}")
    assert bench.seen == [("answer.foreign", "body", "request")]


def test_a_torn_canary_is_foreign_to_everybody():
    """Two canaries were mixed in one text."""
    bench = Bench()
    own = bench.request.canary
    torn = own[:13] + "0002" + own[17:]
    bench.examine(torn)
    [event] = bench.events
    assert event.source is None
    assert "mixture" in event.seen


@pytest.mark.parametrize(
    ("route", "silent"),
    [
        ("/wall", True),
        ("/wall/", True),
        ("/wall/today", True),
        ("/", False),
        ("/wal", False),
        ("/wall/today/x", False),
    ],
)
def test_a_shared_route_may_show_everybody_s_values(route, silent):
    """A route covers what lies under it, and no more."""
    bench = Bench(shared=Shared(routes=(route,)))
    bench.examine(f"{FOREIGN} user2")
    assert (bench.seen == []) is silent


def test_a_shared_object_s_values_may_be_seen_by_all():
    """Also when the object has changed since; other values stay foreign."""
    bench = Bench(shared=Shared(objects=(f"{__name__}:PUBLIC",)))
    PUBLIC[:] = [FOREIGN]
    bench.examine(FOREIGN)
    PUBLIC.clear()
    bench.examine(FOREIGN)
    assert bench.seen == []
    bench.examine(of(3, 1))
    assert bench.seen == [("answer.foreign", "body", "request")]


def signed(payload, *, compress=False):
    data = json.dumps(payload).encode()
    data = zlib.compress(data) if compress else data
    coded = base64.urlsafe_b64encode(data).rstrip(b"=").decode()
    return f"{'.' if compress else ''}{coded}.aB-_cd.kS1gn4tur3"


def spelled(form, text):
    return "".join(form.format(ord(each)) for each in text)


@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (f"as it stands: {FOREIGN}", ""),
        (FOREIGN.upper(), ""),
        ("100% of it is user2's &amp; \\n nobody else's", ""),
        (base64.b64encode(f"of {FOREIGN}".encode()).decode(), "as base64"),
        (base64.encodebytes(f"{'x' * 50}{FOREIGN}".encode()).decode(), "as base64"),
        (base64.urlsafe_b64encode(b'{"sub": "user2", "admin": 0}').decode(), "as base64"),
        (spelled("&#{};", FOREIGN), "HTML-escaped"),
        (spelled("%{:02x}", FOREIGN), "percent-encoded"),
        (spelled("\\u{:04x}", FOREIGN), "JSON-escaped"),
    ],
)
def test_how_a_value_is_coded_is_told(body, coding):
    """Whoever looks for the text in the answer would not find it."""
    bench = Bench()
    bench.examine(body)
    [event] = bench.events
    assert event.coding == coding
    history = History(bench.events, {event.cause: 1}, bench.tally)
    [finding] = judge(history)
    place = f"seen in the body, {coding}: " if coding else "seen in the body: "
    assert finding.story[1].startswith(place)


@pytest.mark.parametrize(
    ("mine", "body", "coding"),
    [
        ("O'Neil {n}", "Dear O&#39;Neil 2,", "HTML-escaped"),
        ("R&D {n}", '{"of": "R\\u0026D 2"}', "JSON-escaped"),
        ("R&D {n}", "/next?of=R%26D%202", "percent-encoded"),
        ("R&D {n}", "/next?of=R%26D+2", "form-encoded"),
        ("R&D {n}", "R&D 2", ""),
    ],
)
def test_how_a_name_is_coded_is_told(mine, body, coding):
    bench = Bench(step("GET /", mine=(mine,)))
    bench.examine(body)
    assert [event.coding for event in bench.events] == [coding]


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("text", [FOREIGN, "user2"])
@pytest.mark.parametrize("quoted", ["{}", '"{}"'])
def test_a_session_cookie_is_read(text, compress, quoted):
    """Signed as itsdangerous does, plain or compressed: what it holds is found, once."""
    bench = Bench()
    cookie = quoted.format(signed({"name": text, "pad": "x" * 200}, compress=compress))
    bench.examine("", ("Set-Cookie", f"session={cookie}; HttpOnly; Path=/"))
    [event] = bench.events
    assert (event.place, event.coding) == ("session cookie session", "as base64")
    assert event.source.user == 2


@pytest.mark.parametrize("name", ["session", "PHPSESSID", "sessionid", "my_sess"])
@pytest.mark.parametrize(
    "value", [f"id-{FOREIGN}", f"userid-{FOREIGN}", FOREIGN, "user2", "for.user2"]
)
def test_a_session_cookie_that_is_not_signed_is_read_as_it_stands(name, value):
    """Also where its text happens to be valid base64, of nonsense."""
    bench = Bench()
    bench.examine("", ("Set-Cookie", f"{name}={value}; Path=/"))
    [event] = bench.events
    assert (event.place, event.coding) == (f"session cookie {name}", "")
    assert event.source.user == 2


@pytest.mark.parametrize(
    ("header", "place"),
    [
        (("X-User", FOREIGN), "header X-User"),
        (("Location", f"/next?c={FOREIGN}"), "header Location"),
        (("ETag", f'W/"{FOREIGN}"'), "header ETag"),
        (("Set-Cookie", f"last={FOREIGN}; Path=/"), "cookie last"),
        (("Set-Cookie", f"a=b; Path=/{FOREIGN}"), "cookie a"),
        (("Set-Cookie", f"session=b; Path=/{FOREIGN}"), "session cookie session"),
        (("X-Latin", f"\xe9 {FOREIGN} \xfc"), "header X-Latin"),
        (("X-Name", "\xe9 user2 \xfc"), "header X-Name"),
        (("Content-Type", f"text/plain; boundary={FOREIGN}"), "header Content-Type"),
        (("content-disposition", f"attachment; filename={FOREIGN}.csv"),
         "header content-disposition"),
    ],
)  # fmt: skip
def test_every_header_is_looked_at(header, place):
    """Whatever a response carries may carry another's value."""
    bench = Bench()
    bench.examine("", header)
    assert [event.place for event in bench.events] == [place]


def test_binary_bodies_are_looked_at():
    """An image with another user's canary in its metadata is a leak as well."""
    bench = Bench()
    bench.examine(b"\x89PNG\xff\x00" + FOREIGN.encode() + b"\x00\xfe" + b"user2\xff")
    # 0xff may be a letter in many codings, so that user2 is no whole word here.
    assert bench.seen == [("answer.foreign", "body", "request")]


def test_an_expectation_of_the_request_s_own_canary_is_filled():
    """`contains: {canary}` is of this request, not of any."""
    bench = Bench(step("GET /", expect=Expect(contains=("id={canary};",))))
    assert bench.examine(f"id={bench.request.canary};")
    assert not bench.examine(f"id={of(1, 99)};")


def test_a_missing_member_is_not_null():
    """What is not there does not equal an expected null."""
    bench = Bench(step("GET /", expect=Expect(json=(("error", None),))))
    assert not bench.examine('{"other": 1}')


def test_true_is_not_one():
    """JSON knows booleans from numbers, though Python does not."""
    bench = Bench(step("GET /", expect=Expect(json=(("paid", True),))))
    assert not bench.examine('{"paid": 1}')


def test_a_kept_expectation_of_its_own_text_counts_as_compared():
    """`contains: {user.name}` compared something; `contains: hello` did not."""
    for text, body, compared in (("{user.name}", "user1", 1), ("hello", "hello", 0)):
        bench = Bench(step("GET /", expect=Expect(contains=(text,))))
        bench.examine(body)
        assert bench.tally.compared == compared


@pytest.mark.parametrize("keys", [{"complete": False}, {"faulted": True}, {"visitor": True}])
def test_expectations_bind_whole_answers_to_users_alone(keys):
    """Neither a visitor nor a request that a fault befell is bound by them."""
    asked = step("GET /", expect=Expect(status=(200,), contains=("{user.name}",)))
    bench = Bench(asked, visitor=keys.get("visitor", False))
    bench.request.faulted = keys.get("faulted", False)
    assert bench.examine("", status=503, complete=keys.get("complete", True))
    assert bench.events == []


@pytest.mark.parametrize("keys", [{"complete": False}, {"faulted": True}])
def test_what_a_fault_or_an_abort_left_is_still_looked_at(keys):
    """The error page of a request that was made to fail may show another's value."""
    bench = Bench()
    bench.request.faulted = keys.get("faulted", False)
    bench.examine(FOREIGN, status=500, complete=keys.get("complete", True))
    assert bench.seen == [("answer.foreign", "body", "request")]


@pytest.mark.parametrize(
    ("status", "keys", "expected", "failure"),
    [
        (200, {}, (), ""),
        (302, {}, (), ""),
        (404, {}, (), "404"),
        (401, {"visitor": True}, (), ""),
        (404, {"visitor": True}, (), ""),
        (500, {"visitor": True}, (), "500"),
        (500, {}, (), "500"),
        (403, {}, (403,), ""),
        (500, {}, (500,), ""),
        (500, {"faulted": True}, (), ""),
        (500, {"error": LookupError("x")}, (), "LookupError"),
        (500, {"error": LookupError("x"), "faulted": True}, (), ""),
    ],
)
def test_what_counts_as_failed(status, keys, expected, failure):
    """5xx and 4xx that nobody expected; a visitor may be turned away; faults are ours."""
    asked = step("GET /", expect=Expect(status=expected))
    bench = Bench(asked, visitor=keys.get("visitor", False))
    bench.request.faulted = keys.get("faulted", False)
    error = keys.get("error")
    bench.examine("", status=status, error=error, complete=error is None)
    assert bench.tally.failed == bool(failure)
    assert bench.tally.failures == ({failure: 1} if failure else {})
