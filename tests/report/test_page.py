"""The page: all that a reader needs, in one file; nothing that an application wrote acts in it."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from sample_documents import DOCUMENT, FINDING, documents

from ctxsim.report import page
from ctxsim.report.lanes import hanging, meaning, parts

HOSTILE = [
    "<script>alert(1)</script>",
    "</pre></article><img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)" x=\'',
    "{{ 7 * 7 }}{% raw %}",
    "javascript:alert(1)",
    "--></style><svg/onload=alert(1)>",
    "\u202egnp.exe\x00\x1b[2J\ud800",
]
STORY = (
    "user 1 was answered with a value of user 2",
    "found by execution 6, shown by 20 of 20 replays:",
    "  user 2 wrote shop.current at shop.py:3 and had ended when user 1 read it at shop.py:9",
    "  A  user 2, request 1 (GET /)",
    "  A  W writes and R reads what is shared; < has to stop",
    "  >  starts, to its end",
    "  W  shop.py:3: current = user",
)
EMPTY = {"meta", "br", "link", "img", "input", "hr", "base"}
OURS = {
    "html", "head", "meta", "title", "style", "body", "main", "section", "h1", "h2", "h3", "span",
    "p", "pre", "div", "table", "thead", "tbody", "tr", "th", "td", "article", "strong", "code",
    "ul", "li", "dl", "dt", "dd",
}  # fmt: skip
ATTRIBUTES = {"lang", "charset", "http-equiv", "content", "name", "class", "id", "scope"}


class Parsed(HTMLParser):
    """What a browser would make of it, as far as it matters here."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.text = [], set(), [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def parsed(document):
    return Parsed(page.render([document]).decode())


def hostile(text):
    finding = replace(FINDING, title=text, story=(text, f"  {text}", f"  W  {text}"), replay=text)
    finding = replace(
        finding, id=text, cells=(text,), where=(replace(FINDING.where[0], file=text),)
    )
    return replace(
        DOCUMENT,
        scenario=replace(DOCUMENT.scenario, name=text, file=text),
        findings=(finding,),
        cells=tuple(replace(each, workers=text, storage=text) for each in DOCUMENT.cells),
        reasons=(text,),
        notes=(text,),
        not_covered=(text,),
        environment={text: text, "target": {"app": text}},
        replay=text,
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_stay_text_wherever_they_stand(text):
    found = parsed(hostile(text))
    assert found.tags <= OURS
    assert {name for name, _ in found.attributes} <= ATTRIBUTES
    assert found.open == []
    shown = "".join(found.text)
    assert not re.search("[\u202e\x00\x1b]", shown)
    if text.isprintable():
        assert shown.count(text) >= 10


@settings(max_examples=30, deadline=None)
@given(documents)
def test_any_document_gives_a_page_that_is_whole(document):
    found = parsed(document)
    assert found.tags <= OURS
    assert found.open == []


def test_the_page_has_no_script_and_asks_no_network():
    text = page.render([DOCUMENT]).decode()
    assert "default-src 'none'" in text
    assert not re.search(r"<script|\son\w+=|https?:|url\(|@import|<link|src=|href=", text)


def test_the_page_shows_verdict_matrix_findings_lanes_and_what_is_not_covered():
    finding = replace(FINDING, story=STORY)
    shown = "".join(parsed(replace(DOCUMENT, findings=(finding,), not_covered=("latencies",))).text)
    for text in ("shop: findings", "threads:8", "CTX201", STORY[2].strip(), STORY[-1][2:],
                 "latencies", "flask", "exit 1", FINDING.replay):  # fmt: skip
        assert text in shown, text


def test_several_scenarios_are_one_page():
    other = replace(DOCUMENT, scenario=replace(DOCUMENT.scenario, name="other"), verdict="clean")
    shown = "".join(Parsed(page.render([DOCUMENT, other]).decode()).text)
    assert "shop: findings" in shown
    assert "other: clean" in shown


def test_it_fits_a_phone_and_the_dark():
    text = page.render([DOCUMENT]).decode()
    assert 'name="viewport" content="width=device-width' in text
    assert "prefers-color-scheme: dark" in text


def test_a_story_is_taken_apart_into_what_is_said_and_its_lanes():
    told = parts(STORY)
    assert told.about == STORY[:2]
    assert told.sentence == STORY[2].strip()
    assert [meaning(row) for row in told.rows] == ["", "", "", "writes"]
    assert parts(STORY[:1]).rows == ()
    # Beneath the text of a row, not beneath its lanes.
    assert hanging("  |  W  shop.py:3: x") == len("  |  W  ")
    assert hanging("seen in the body: x") == 4
