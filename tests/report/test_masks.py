"""Cookies and credentials are masked wherever they stand; canaries are no secrets."""

import pytest
from sample_documents import DOCUMENT, FINDING

from ctxsim.report.masks import mask, masked

CANARY = "cx0badcafe0010001000002a7"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Cookie: session=eyJ1Ijox; theme=dark", "Cookie: ***"),
        ("set-cookie: session=eyJ1Ijox; Path=/", "set-cookie: ***"),
        ("Authorization: Basic YW5uOnB3", "Authorization: ***"),
        ("{'Authorization': 'Bearer x.y.z'}", "{'Authorization': ***"),
        ("proxy-authorization = Basic x", "proxy-authorization = ***"),
        (f"Cookie: session={CANARY}.sig", f"Cookie: *** {CANARY}"),
        ("no cookie here", "no cookie here"),
        ("Cookie:", "Cookie:"),
    ],
)
def test_values_of_cookie_and_credential_headers_are_masked(text, shown):
    assert mask(text) == shown


def test_lines_around_a_header_stay():
    assert mask("GET /\nCookie: a=b\nHost: x") == "GET /\nCookie: ***\nHost: x"


def test_every_text_of_a_document_is_masked():
    story = masked({"deep": (FINDING.story, ["Cookie: a=b"])})
    assert story == {"deep": (FINDING.story, ["Cookie: ***"])}
    assert masked(DOCUMENT) == DOCUMENT
