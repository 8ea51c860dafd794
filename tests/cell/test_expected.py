"""What a step expects is held against what its user reads, and only where that can be told."""

from __future__ import annotations

import gzip
import io
import random
import zipfile
import zlib
from dataclasses import replace

import pytest
from answering import Bench
from driving import step

from ctxsim.cell.plan import Expect

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


def zipped(data: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("all.txt", data)
    return file.getvalue()


@pytest.mark.parametrize(
    ("coding", "pack"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("gzip, gzip", lambda data: gzip.compress(gzip.compress(data))),
        ("identity", gzip.compress),
        ("identity", zipped),
    ],
)
def test_of_a_body_that_unpacks_to_very_much_only_the_beginning_is_looked_at(coding, pack):
    """What is behind that is told as not looked at, and expected of nobody."""
    bench = Bench(step("GET /", expect=Expect(status=(200,), contains=("{user.name}",))))
    headers = ("Content-Encoding", coding)
    assert bench.examine(pack(bytes(10_000_000) + b"user1"), headers)
    assert (bench.events, bench.tally.compared) == ([], 0)
    [doubt] = bench.doubts
    assert doubt.startswith("1 answers unpack to more than is looked at")


def test_a_body_that_is_large_or_well_packed_is_looked_at_as_a_whole():
    bench = Bench(step("GET /", expect=Expect(contains=("{user.name}",))))
    headers = ("Content-Encoding", "gzip")
    well_packed = bytes(4 * 1024 * 1024 - 5) + b"user1"
    large = random.Random(1).randbytes(5_000_000) + b"user1"
    for body in (well_packed, large):
        assert bench.examine(gzip.compress(body), headers)
    assert (bench.events, bench.doubts, bench.tally.compared) == ([], [], 2)


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
