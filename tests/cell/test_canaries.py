"""A canary tells whose it is wherever it turns up, and nothing else passes for one."""

from __future__ import annotations

import base64
import html
import json
from urllib.parse import quote, quote_plus

from hypothesis import assume, given
from hypothesis import strategies as st

from ctxsim.cell.canaries import (
    LENGTH,
    MAX_PROCESS,
    MAX_REQUEST,
    MAX_USER,
    InBase64,
    Origin,
    Scanner,
    canary,
    read,
    user_prefix,
)

RUNS = st.text("0123456789abcdef", min_size=8, max_size=8)
ORIGINS = st.builds(
    Origin, st.integers(0, MAX_PROCESS), st.integers(0, MAX_USER), st.integers(0, MAX_REQUEST)
)
CODINGS = [str, html.escape, json.dumps, quote, quote_plus, lambda text: quote(text, safe="")]


def canary_of(run, origin):
    return canary(user_prefix(run, origin.process, origin.user), origin.request)


@given(RUNS, ORIGINS)
def test_a_canary_says_where_it_comes_from(run, origin):
    """Process, user and request are read back, without any table."""
    made = canary_of(run, origin)
    assert len(made) == LENGTH
    assert read(made) == origin


@given(RUNS, ORIGINS, st.integers(2, LENGTH - 1), st.sampled_from("0123456789abcdef"))
def test_one_wrong_digit_is_noticed(run, origin, at, digit):
    """The check digits refuse a canary of which any one digit was changed."""
    made = canary_of(run, origin)
    assume(made[at] != digit)
    assert read(made[:at] + digit + made[at + 1 :]) is None


@given(ORIGINS, ORIGINS, st.integers(10, LENGTH - 1))
def test_a_mixture_of_two_is_one_of_them_or_hardly_ever_read(one, other, at):
    """Where two were torn and joined, what is read is an origin made of both halves, or None."""
    first, second = canary_of("0badcafe", one), canary_of("0badcafe", other)
    torn = first[:at] + second[at:]
    assume(torn not in (first, second))
    found = read(torn)
    assert found is None or canary_of("0badcafe", found) == torn


@given(st.text(), ORIGINS, st.text(), st.sampled_from(CODINGS))
def test_a_canary_survives_every_coding_of_text(before, origin, after, coding):
    """JSON escapes, HTML entities and percent-encoding leave it unchanged and findable."""
    scanner, made = Scanner("0badcafe"), canary_of("0badcafe", origin)
    coded = coding((before + made + after).encode(errors="replace").decode())
    assert made in scanner.in_text(coded)
    assert made in scanner.in_bytes(coded.encode())


@given(st.text(), ORIGINS, st.sampled_from([str.upper, str.title, str.capitalize]))
def test_a_canary_is_known_in_capitals(before, origin, changed):
    """Templates write names in capitals, or with a capital letter in front."""
    scanner, made = Scanner("0badcafe"), canary_of("0badcafe", origin)
    text = before.encode(errors="replace").decode() + " " + changed(made)
    assert made in scanner.in_text(text)
    assert made in scanner.in_bytes(text.encode())


@given(st.binary(), ORIGINS, st.binary(), st.booleans(), st.booleans())
def test_a_canary_is_found_inside_base64(before, origin, after, urlsafe, padded):
    """In either alphabet, padded or not, at every offset."""
    made = canary_of("0badcafe", origin)
    encode = base64.urlsafe_b64encode if urlsafe else base64.b64encode
    coded = encode(before + made.encode() + after)
    found = Scanner("0badcafe").in_bytes(coded if padded else coded.rstrip(b"="))
    assert made in found


@given(st.binary(max_size=6), ORIGINS, st.from_regex(r"[A-Za-z0-9]{0,7}", fullmatch=True))
def test_a_canary_is_found_in_base64_that_follows_letters(inside, origin, glued):
    """A coded text may stand after other letters without a gap."""
    made = canary_of("0badcafe", origin)
    coded = base64.b64encode(inside + made.encode()).rstrip(b"=")
    assert made in Scanner("0badcafe").in_bytes(glued.encode() + coded)


FILLED = st.sampled_from(["and so on ", "x", "X", "cx0 ", "Y2 ", "\n", "QZ"])


@given(FILLED, FILLED, ORIGINS, st.sampled_from([str, str.upper, str.title, "base64"]))
def test_a_canary_is_found_in_a_long_page(before, after, origin, changed):
    """Whether the letters that are looked for first are everywhere in it, or nowhere."""
    made = canary_of("0badcafe", origin)
    told = base64.b64encode(made.encode()).decode() if changed == "base64" else changed(made)
    page = f"{before * 5_000} {told} {after * 5_000}"
    assert Scanner("0badcafe").in_bytes(page.encode()) == [made]


@given(st.text(), st.binary())
def test_random_text_holds_none(text, data):
    """Ordinary text and bytes are never taken for a canary."""
    scanner = Scanner("0badcafe")
    assume("cx0badcafe" not in text)
    assert scanner.in_text(text) == []
    assert scanner.in_bytes(data) == []


@given(RUNS, RUNS, ORIGINS)
def test_a_canary_of_another_run_is_none(ours, theirs, origin):
    """What another run left in a database is no finding of this one."""
    assume(ours != theirs)
    made = canary_of(theirs, origin).encode()
    assume(f"cx{ours}".encode() not in made)
    assert Scanner(ours).in_bytes(made + b" " + base64.b64encode(made)) == []


@given(st.lists(ORIGINS, max_size=5))
def test_all_canaries_are_found_in_their_order(origins):
    """None hides another, also where they stand without a gap."""
    made = [canary_of("0badcafe", origin) for origin in origins]
    scanner = Scanner("0badcafe")
    assert scanner.in_text("".join(made)) == made
    assert scanner.in_bytes(" ".join(made).encode()) == made


@given(
    st.text(),
    st.lists(st.tuples(ORIGINS, st.sampled_from(["", " ", "X", "x", "cx"])), max_size=4),
    st.randoms(use_true_random=False),
)
def test_capitals_hide_nothing_that_lower_case_would_show(before, made, chance):
    """Whatever letters are capitals, canaries are found in bytes as in the same text."""
    text = before + "".join(f"{canary_of('0badcafe', origin)}{after}" for origin, after in made)
    mixed = "".join(chance.choice([each, each.upper()]) for each in text)
    mixed = mixed.encode(errors="replace").decode()
    scanner = Scanner("0badcafe")
    assert scanner.in_bytes(mixed.encode()) == scanner.in_text(mixed)


@given(st.binary(), ORIGINS, st.binary(), st.integers(1, 80), st.sampled_from(["\n", "\r\n"]))
def test_a_canary_is_found_in_base64_that_is_broken_into_lines(before, origin, after, width, end):
    """Mails break it after 76 digits, certificates after 64."""
    made = canary_of("0badcafe", origin)
    coded = base64.b64encode(before + made.encode() + after).decode()
    lines = end.join(coded[at : at + width] for at in range(0, len(coded), width))
    assert made in Scanner("0badcafe").in_bytes(lines.encode())


@given(
    st.binary(),
    st.text("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    st.binary(),
    st.booleans(),
)
def test_a_text_that_is_coded_is_never_ruled_out(before, text, after, urlsafe):
    """The quick look into base64 may say yes in vain, but never no."""
    encode = base64.urlsafe_b64encode if urlsafe else base64.b64encode
    assert InBase64(text.encode()).may_be_in(encode(before + text.encode() + after))


def test_a_text_that_is_not_coded_is_ruled_out():
    """Also where all letters of its marks are there."""
    coded = base64.b64encode(bytes(range(256)))
    assert not InBase64(b"cx0badcafe").may_be_in(b"plain text of cx0badcafe")
    assert not InBase64(b"cx0badcafe").may_be_in(coded)
