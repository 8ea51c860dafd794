"""Where an application's pages lead: all that is known of one whose routes no framework tells."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urljoin, urlsplit

from ctxsim.cell.looking.attempts import TAG
from ctxsim.cell.sights import Place, Read, Route
from ctxsim.cell.visits import Response

_HERE = "http://localhost"
_MOST = 30
# Of pages whose paths differ in a number alone, one shows what another does.
_MOST_ALIKE = 2
_LONGEST_PAGE = 200_000
_FIRST_FAILURE = 400
_PATH = re.compile(r"/[\w./~%@:+,;=-]*", re.ASCII)
_VARYING = re.compile(r"[0-9a-f]{8,}|\d+", re.IGNORECASE)
_NO_PAGE = re.compile(
    r"\.(css|js|mjs|map|png|jpe?g|gif|svg|ico|webp|woff2?|ttf|pdf|zip|gz)$", re.IGNORECASE
)
_SENT = ("text", "search", "hidden", "email", "number", "tel", "url", "password", "")


class Links:
    """The routes that pages lead to, each told once."""

    def __init__(self, known: Iterable[Route]) -> None:
        self._told = {each.name for each in known}
        self._alike: dict[str, int] = {}
        self._left = _MOST

    def followed(
        self, path: str, response: Response, own: Mapping[str, str], *, unsafe: bool
    ) -> Iterator[Route]:
        """What the page at `path` leads to; forms that change things only where `unsafe`.

        `own` are the texts by which a link may be the user's own, each with its placeholder.
        """
        if response.status >= _FIRST_FAILURE:
            return
        for route in _routes(path, response):
            if route.is_safe or unsafe:
                of_all = _of_all(route, own)
                if self._is_new(of_all):
                    yield of_all

    def _is_new(self, route: Route) -> bool:
        shape = f"{route.method} {_VARYING.sub('#', route.path)}"
        alike = self._alike.get(shape, 0)
        if route.name in self._told or alike >= _MOST_ALIKE or not self._left:
            return False
        self._told.add(route.name)
        self._alike[shape] = alike + 1
        self._left -= 1
        return True


def _of_all(route: Route, own: Mapping[str, str]) -> Route:
    """The route as it leads all users: with placeholders for what is the one's who asked."""
    path = route.path
    for text, placeholder in own.items():
        path = path.replace(text, placeholder)
    reads = (
        replace(each, words=()) if any(map("".join(each.words).count, own)) else each
        for each in route.reads
    )
    return replace(route, path=path, reads=tuple(dict.fromkeys(reads)))


def _routes(path: str, response: Response) -> Iterator[Route]:
    headers = {name.lower(): value for name, value in response.headers}
    page = _Page()
    if "html" in headers.get("content-type", "html"):
        page.feed(response.body[:_LONGEST_PAGE].decode(errors="replace"))
    if "location" in headers:
        page.links.append(("GET", headers["location"], []))
    for method, link, fields in page.links:
        try:
            parts = urlsplit(urljoin(f"{_HERE}{path}", link))
        except ValueError:
            continue
        is_here = f"{parts.scheme}://{parts.hostname}" == _HERE
        if is_here and _PATH.fullmatch(parts.path) and not _NO_PAGE.search(parts.path):
            place: Place = "query" if method == "GET" else "form"
            asked = [
                Read("query", name, words=(value,))
                for name, value in parse_qsl(parts.query)
                if name != TAG
            ]
            reads = (*asked, *(Read(place, name) for name in fields))
            yield Route(method, parts.path, tuple(dict.fromkeys(reads)), is_guess=True)


class _Page(HTMLParser):
    """The links and forms of a page: method, address as it stands there, and names of fields."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[tuple[str, str, list[str]]] = []
        self._fields: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        if tag in ("a", "area", "iframe", "frame") and (link := told.get("href", told.get("src"))):
            self.links.append(("GET", link.strip(), []))
        elif tag == "form":
            method = "POST" if told.get("method", "").upper() == "POST" else "GET"
            self._fields = []
            self.links.append((method, told.get("action", "").strip(), self._fields))
        elif tag in ("input", "textarea", "select") and self._fields is not None:
            name, kind = told.get("name"), told.get("type", "").lower()
            self._fields.extend([name] if name and kind in _SENT else [])

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._fields = None
