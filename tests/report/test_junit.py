"""JUnit XML is always well-formed, and its names are the same in every run."""

import re
from dataclasses import replace
from xml.etree import ElementTree

from hypothesis import given, settings
from sample_documents import CELL, DOCUMENT, FINDING, SYNC, documents

from ctxsim.cell.history import Ending
from ctxsim.report import junit
from ctxsim.report.document import Expectation, ScenarioFacts, of_error


def cases(*given_documents):
    root = ElementTree.fromstring(junit.render(given_documents))
    return {(each.get("classname"), each.get("name")): each for each in root.iter("testcase")}


def parts(case):
    return [part.tag for part in case]


def test_there_is_a_case_for_each_cell_and_check():
    found = cases(DOCUMENT)
    assert ("shop[contextvar/sync]", "CTX201") in found
    assert ("shop[contextvar/threads:8]", "requests answered") in found
    assert ("shop", "expected findings show") in found
    assert ("shop[contextvar/sync]", "CTX901") not in found


def test_an_unexpected_finding_is_a_failure_with_its_story_in_the_text():
    case = cases(DOCUMENT)["shop[contextvar/threads:8]", "CTX201"]
    [failure] = case
    assert failure.tag == "failure"
    assert "seen in the body: bob" in failure.text
    assert "at shop.py:17 in whoami" in failure.text
    assert FINDING.replay in failure.text


def test_a_check_that_found_nothing_passes():
    assert parts(cases(DOCUMENT)["shop[contextvar/sync]", "CTX201"]) == []


def test_an_expected_finding_passes_and_keeps_its_story():
    document = replace(DOCUMENT, cells=(replace(CELL, unexpected=()),))
    [output] = cases(document)["shop[contextvar/threads:8]", "CTX201"]
    assert output.tag == "system-out"
    assert "seen in the body: bob" in output.text


def test_an_expected_finding_that_does_not_show_is_a_failure():
    document = replace(DOCUMENT, expect=Expectation("CTX204", (), ("CTX204",)))
    [failure] = cases(document)["shop", "expected findings show"]
    assert failure.text == "CTX204"


def test_what_a_cell_had_to_show_and_did_not_is_a_failure_of_its_check():
    document = replace(DOCUMENT, cells=(replace(SYNC, missing=("CTX204",)),))
    assert parts(cases(document)["shop[contextvar/sync]", "CTX204"]) == ["failure"]


def test_a_cell_that_ended_early_is_an_error_with_its_stacks_and_its_checks_are_skipped():
    ending = Ending("crash", "SIGSEGV", ("Thread 1:\n  here",), "a hint")
    found = cases(replace(DOCUMENT, cells=(replace(SYNC, ending=ending),)))
    [error] = found["shop[contextvar/sync]", "requests answered"]
    assert error.tag == "error"
    assert "crash: SIGSEGV\na hint\nThread 1:\n  here" in error.text
    assert parts(found["shop[contextvar/sync]", "CTX201"]) == ["skipped"]


def test_an_inconclusive_cell_is_an_error_with_the_reason():
    cell = replace(SYNC, verdict="inconclusive")
    document = replace(DOCUMENT, cells=(cell,), reasons=("nothing was compared",))
    [error] = cases(document)["shop[contextvar/sync]", "requests answered"]
    assert (error.tag, error.text) == ("error", "nothing was compared")


def test_a_target_that_does_not_start_is_an_error():
    document = of_error(ValueError("no module\n  a hint"), 3, ScenarioFacts("shop", "s.yaml", ""))
    [error] = cases(document)["shop", "target starts"]
    assert "no module\n  a hint" in error.text


def test_every_case_names_the_scenario_file():
    assert {case.get("file") for case in cases(DOCUMENT).values()} == {"shop.ctxsim.yaml"}


def test_names_have_no_seeds_counts_or_ids():
    other = replace(FINDING, id="ZZZZZZ", count=3)
    cell = replace(CELL, findings=("ZZZZZZ",), requests=77)
    changed = replace(DOCUMENT, seed=1, findings=(other,), cells=(SYNC, cell))
    assert cases(changed).keys() == cases(DOCUMENT).keys()


def test_names_are_unique():
    root = ElementTree.fromstring(junit.render([DOCUMENT]))
    assert len(list(root.iter("testcase"))) == len(cases(DOCUMENT))


def test_several_scenarios_are_several_suites():
    other = replace(DOCUMENT, scenario=ScenarioFacts("bank", "bank.ctxsim.yaml", ""))
    root = ElementTree.fromstring(junit.render([DOCUMENT, other]))
    assert [suite.get("name") for suite in root] == ["shop", "bank"]


@given(documents)
@settings(deadline=None, max_examples=25)
def test_any_result_is_well_formed(document):
    root = ElementTree.fromstring(junit.render([document]))
    assert root.tag == "testsuites"


def test_characters_that_xml_cannot_hold_are_replaced():
    assert junit.legal("a\x00b\x1bc\ud800d\ufffee") == "a\ufffdb\ufffdc\ufffdd\ufffde"
    assert not re.search("\x00", junit.legal("\x00"))
