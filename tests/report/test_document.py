"""The result document: finite numbers, stable ids, percentiles of whole cells."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_documents import CELL, DOCUMENT, documents

from ctxsim.report.document import Latency, Timing, as_text, finding_id, of_error


@given(st.dictionaries(st.integers(0, 10**7), st.integers(1, 10**5), min_size=1))
@settings(deadline=None, max_examples=25)
def test_percentiles_are_ordered_and_as_exact_as_three_digits(latency_us):
    latency = Latency.of(latency_us)
    assert latency.p50 <= latency.p95 <= latency.p99 <= latency.max
    assert latency.max == pytest.approx(max(max(latency_us), 1) / 1e6, rel=0.002)


def test_where_there_were_no_requests_there_is_no_latency():
    assert Latency.of({}) is None


def test_a_latency_beyond_an_hour_counts_as_an_hour():
    assert Latency.of({10**12: 1}).max == pytest.approx(3600, rel=0.002)


@given(documents)
@settings(deadline=None, max_examples=25)
def test_any_document_is_json_that_parses(document):
    parsed = json.loads(as_text([document], 0))
    assert parsed == document.to_json()
    assert parsed["format"] == "ctxsim-result"


def test_several_documents_are_a_list_in_one():
    parsed = json.loads(as_text([DOCUMENT, DOCUMENT], 1))
    assert parsed["format"] == "ctxsim-results"
    assert parsed["exit_code"] == 1
    assert parsed["results"] == [DOCUMENT.to_json()] * 2


def test_a_number_that_json_has_not_is_refused():
    cell = replace(CELL, timing=Timing(float("nan")))
    with pytest.raises(ValueError, match="JSON"):
        replace(DOCUMENT, cells=(cell,)).to_json()


def test_whose_value_it_was_that_came_is_no_other_cause():
    cause = ("CTX201", "GET /", "body")
    assert finding_id("shop", (*cause, "user")) == finding_id("shop", (*cause, "request"))


def test_an_id_depends_on_the_scenario_and_on_every_part_of_the_cause():
    cause = ("CTX201", "GET /", "body", "user")
    changed = [
        ("CTX202", *cause[1:]),
        (*cause[:-1], "visitor"),
        ("CTX201", "GET /body", "", "user"),
    ]
    ids = {finding_id("shop", cause), finding_id("bank", cause)}
    ids.update(finding_id("shop", each) for each in changed)
    assert len(ids) == 5


@given(st.text(st.characters()))
def test_an_id_is_six_characters_of_crockford_s_alphabet(name):
    assert set(finding_id(name, ("CTX201",))) <= set("0123456789ABCDEFGHJKMNPQRSTVWXYZ")
    assert len(finding_id(name, ("CTX201",))) == 6


def test_an_error_is_a_document_too():
    document = of_error(ValueError("what\n  hint"), 3)
    assert (document.verdict, document.exit_code) == ("error", 3)
    assert (document.error.kind, document.error.message) == ("ValueError", "what")
