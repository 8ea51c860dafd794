"""What a search has left out is told, and is a doubt where nothing of its kind was told."""

from ctxsim.cell.searching.coverage import left_out

LEAK = ("answer.foreign", "GET /a", "body", "request")
OTHER_LEAK = ("answer.foreign", "GET /b", "body", "request")
DEADLOCK = ("deadlock", "", "Lock.acquire at a.py:3", "")
SETTLED = {("answer.foreign", "GET /c", "body", "request"): object(), ("endless", "", "", ""): None}


def test_nothing_is_said_where_nothing_was_left_out():
    assert list(left_out((), SETTLED)) == []


def test_more_of_a_kind_that_is_told_is_a_note():
    [(text, is_doubt)] = left_out((LEAK, OTHER_LEAK), SETTLED)
    assert text.startswith("2 more causes were seen, and left out after 2 others: a response ")
    assert text.endswith("(GET /a, body), ...")
    assert not is_doubt


def test_what_may_be_a_finding_of_another_code_is_a_doubt():
    told = list(left_out((LEAK, DEADLOCK), SETTLED))
    assert [is_doubt for _, is_doubt in told] == [True, False]
    assert told[0][0].startswith("1 more cause was seen")
    assert told[0][0].endswith("none can go on (Lock.acquire at a.py:3)")
    # One that did not show again is none that was told.
    [(_, is_doubt)] = left_out((("endless", "", "x", ""),), SETTLED)
    assert is_doubt
