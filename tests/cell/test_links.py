"""Pages lead to others of the same application: by links, forms and redirects."""

from __future__ import annotations

import pytest

from ctxsim.cell.looking.links import Links
from ctxsim.cell.sights import Read, Route
from ctxsim.cell.visits import Response

OWN = {"cx01": "{canary}", "cx00": "{user.canary}"}


def led_to(body, *, path="/shop/", headers=(), status=200, unsafe=True, known=()):
    response = Response(status, list(headers), body.encode())
    return list(Links(known).followed(path, response, OWN, unsafe=unsafe))


def names(*args, **keys):
    return [each.name for each in led_to(*args, **keys)]


@pytest.mark.parametrize(
    ("link", "name"),
    [
        ("/about", "GET /about"),
        ("cart", "GET /shop/cart"),
        ("../home", "GET /home"),
        ("http://localhost/told", "GET /told"),
        ("/of/cx00/all", "GET /of/{user.canary}/all"),
        ("/of/cx01", "GET /of/{canary}"),
        ("/a#part", "GET /a"),
    ],
)
def test_a_link_leads_to_a_page_of_the_application(link, name):
    assert names(f'<p><a class=x href="{link}">there</a>') == [name]


@pytest.mark.parametrize(
    "link",
    [
        "http://example.org/",
        "//example.org/x",
        "mailto:a@example.org",
        "javascript:go()",
        "/style.css",
        "/{braces}",
        "/a b",
        "http://[bad",
        "",
    ],
)
def test_what_is_no_page_of_the_application_is_left_out(link):
    assert not names(f'<a href="{link}">there</a>')


def test_a_form_tells_its_fields():
    page = """
        <form action=/search><input name=q><input type=submit name=go></form>
        <form method=post><textarea name=text></textarea><input type=file name=f></form>
        <input name=of_none>
    """
    search, sent = led_to(page)
    assert (search.name, search.reads) == ("GET /search", (Read("query", "q"),))
    assert (sent.name, sent.reads) == ("POST /shop/", (Read("form", "text"),))
    assert names(page, unsafe=False) == ["GET /search"]


def test_what_a_link_asks_for_is_a_word_unless_it_is_the_users_own():
    [route] = led_to('<a href="/list?sort=name&amp;of=cx00&amp;tag=cx01">')
    assert route.reads == (Read("query", "sort", words=("name",)), Read("query", "of"))


def test_a_redirect_leads_there():
    assert names("", status=302, headers=[("Location", "/next")]) == ["GET /next"]


def test_nothing_else_than_html_is_read():
    assert not names('<a href="/x">', headers=[("Content-Type", "text/plain")])


def test_an_error_leads_nowhere():
    assert not names('<a href="/x">', status=404)


def test_what_is_known_or_told_already_is_no_news():
    known = [Route("GET", "/x")]
    assert names('<a href="/x"><a href="/y"><a href="/y?b=1">', known=known) == ["GET /y"]


def test_of_many_that_are_alike_a_few_are_tried():
    page = "".join(f'<a href="/item/{n}">' for n in range(100))
    assert names(page) == ["GET /item/0", "GET /item/1"]


def test_there_is_an_end_to_what_is_tried():
    pages = "".join(f'<a href="/{chr(97 + n % 26)}{chr(97 + n // 26)}">' for n in range(200))
    assert len(names(pages)) == 30
