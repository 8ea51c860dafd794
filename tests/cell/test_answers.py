"""Each response is compared with its request: own values count, foreign ones are told."""

from __future__ import annotations

import base64
import gzip
import json
import threading
import zlib
from dataclasses import replace

import pytest
from driving import RUN, plan_of, step

from ctxsim.cell import canaries
from ctxsim.cell.checks.verdict import judge
from ctxsim.cell.history import Event, History, Tally
from ctxsim.cell.plan import Expect, Shared, Users
from ctxsim.cell.targets.importing import resolve
from ctxsim.cell.visits import Response, Traffic
from ctxsim.cell.witness.answers import Answers, Owner
from ctxsim.cell.witness.marks import Marks
from ctxsim.cell.witness.record import Record

PUBLIC: list[str] = []


class Bench:
    """One request of user 1 (or of a visitor) in the hands of what examines its answer."""

    def __init__(self, asked=None, *, visitor=False, **keys):
        asked = asked or step("GET /wall/today?{canary}", mine=("{user.name}",))
        users = Users(vars=(("name", "user{n}"),))
        plan = plan_of(asked, users=users, **keys)
        traffic = Traffic(plan, clock=int)
        marks = Marks(plan, len(traffic.users))
        self.events: list[Event] = []
        record = Record(
            lambda message: self.events.append(Event.from_json(message["event"])),
            threading.Lock(),
        )
        owner = Owner(plan, traffic, marks, resolve)
        self._answers = Answers(marks, owner, record, "session")
        wanted = 0 if visitor else 1
        self.request = traffic.take()
        while self.request.user.number != wanted:
            self.request = traffic.take()
        self.tally = Tally()

    def examine(self, body="", *headers, status=200, **keys):
        data = body if isinstance(body, bytes) else body.encode()
        response = Response(status, list(headers), data, **keys)
        return self._answers.examine(self.request, response, self.tally)

    @property
    def doubts(self):
        return list(self._answers.expected.doubts())

    @property
    def seen(self):
        return [(event.kind, event.place, event.relation) for event in self.events]


def of(user, request, process=1):
    return canaries.canary(canaries.user_prefix(RUN, process, user), request)


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


EXPECTATIONS = [
    ({"status": (200,)}, "ok", 200, "no", 404, "status", ""),
    ({"status": (200, 302)}, "ok", 302, "no", 500, "status", "failed"),
    ({"status": (200,), "contains": ("ok",)}, "ok", 200, "no", 500, "status", "failed"),
    ({"contains": ("{user.name}",)}, "user1", 200, "no", 500, "contains '{user.name}'", "failed"),
    ({"status": (500,), "contains": ("{user.name}",)}, "user1", 500, "no", 500,
     "contains '{user.name}'", "own"),
    ({"contains": ("hello",)}, "hello you", 200, "good bye", 200, "contains 'hello'", ""),
    ({"contains": ("{user.name}",)}, "user1", 200, "nobody", 200, "contains '{user.name}'", "own"),
    ({"absent": ("error",)}, "fine", 200, "an error", 200, "absent 'error'", ""),
    ({"json": (("a.b", 1),)}, '{"a":{"b":1}}', 200, '{"a":{"b":2}}', 200, "json member a.b", ""),
    ({"json": (("a.1", "x"),)}, '{"a":[0,"x"]}', 200, '{"a":["x"]}', 200, "json member a.1", ""),
    ({"json": (("a.b", 1),)}, '{"a.b":1}', 200, "[]", 200, "json member a.b", ""),
    ({"json": (("a", None),)}, '{"a":null}', 200, '{"a":0}', 200, "json member a", ""),
    ({"json": (("a", 1),)}, '{"a":1}', 200, "<html>", 200, "json", ""),
    ({"json": (("me", "{user.name}"),)}, '{"me":"user1"}', 200, '{"me":""}', 200,
     "json member me", "own"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("expect", "kept", "kept_status", "broken", "broken_status", "place", "relation"), EXPECTATIONS
)
def test_each_kind_of_expectation_is_kept_or_broken(
    expect, kept, kept_status, broken, broken_status, place, relation
):
    """Kept, it is silent; broken, it says which, and ends the visit."""
    asked = step("GET /", expect=Expect(**expect))
    bench = Bench(asked)
    assert bench.examine(kept, status=kept_status)
    assert bench.events == []
    assert not bench.examine(broken, status=broken_status)
    assert bench.seen == [("expectation.broken", place, relation)]


@pytest.mark.parametrize(
    ("coding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress), ("identity", bytes)]
)
def test_what_is_expected_is_looked_for_in_an_unpacked_body(coding, pack):
    """As browsers unpack it: what is compared is what the user reads."""
    bench = Bench(step("GET /", expect=Expect(contains=("{user.name}",), json=(("me", "user1"),))))
    headers = ("Content-Encoding", coding)
    assert bench.examine(pack(b'{"me":"user1"}'), headers)
    assert bench.tally.compared == 1
    assert not bench.examine(pack(b'{"me":"nobody"}'), headers)


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, br"])
def test_a_body_that_is_not_unpacked_keeps_and_breaks_no_expectation(coding):
    """Nothing is known of it, which is a doubt; its status is plain to see."""
    bench = Bench(step("GET /", expect=Expect(status=(200,), contains=("{user.name}",))))
    assert bench.examine(b"\x0b\x02\x80", ("Content-Encoding", coding))
    assert (bench.events, bench.tally.compared) == ([], 0)
    [doubt] = bench.doubts
    assert doubt.startswith(f"1 answers came as {coding.split()[-1]}")
    assert not bench.examine(b"\x0b", ("Content-Encoding", coding), status=404)


@pytest.mark.parametrize(("status", "headers"), [(429, ()), (503, (("retry-after", "3"),))])
def test_who_is_asked_to_come_back_later_lost_nothing(status, headers):
    """The load is to blame, which is a doubt; who expects it is answered as expected."""
    asked = Expect(status=(200,), contains=("{user.name}",))
    bench = Bench(step("GET /", expect=asked))
    assert not bench.examine("slow down", *headers, status=status)
    assert bench.events == []
    assert [each.partition(":")[0] for each in bench.doubts] == [
        "1 answers were a 429, or a 503 with Retry-After, in place of what is expected"
    ]
    bench = Bench(step("GET /", expect=replace(asked, status=(200, status))))
    assert bench.examine("slow down", *headers, status=status)
    assert (bench.events, bench.doubts, bench.tally.compared) == ([], [], 0)


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
