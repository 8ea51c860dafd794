"""What of an answer other routes take: the id of what was made, a token, a form's hidden field.

What an answer gives stands in it under some name; who takes it is told by its path, or by the names
that it reads. Whether that is right shows when it is tried.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal

from ctxsim.cell.captures import captured
from ctxsim.cell.looking.vocabulary import TOKENS
from ctxsim.cell.plan import Capture, Json, Step
from ctxsim.cell.sights import Read, Route
from ctxsim.cell.visits import Response

# What a value is called that only the application knows.
_GIVEN = re.compile(
    r"((.*[-_])?(id|uuid|guid|token|key|code|number|no|ref|reference|hash|nonce|sid|session|jwt|pk"
    r"|slug|handle)|.*(Id|Token|Key|Code|Number|Ref|Uuid))",
)
_TOKEN = re.compile(r"(.*[-_])?(token|jwt)|.*Token|token", re.IGNORECASE)
# What leads from one page of a list to the next.
_CURSOR = re.compile(
    r"(next[-_]?)?((page[-_]?)?cursor|continuation([-_]?token)?|page[-_]?token)", re.IGNORECASE
)
_NEXT = re.compile(r"next[-_]?", re.IGNORECASE)
_NO_LOGIN = re.compile(r"refresh|csrf|xsrf|reset", re.IGNORECASE)
_CSRF = re.compile(r".*(csrf|xsrf).*|_token|authenticity_token", re.IGNORECASE)
_CSRF_HEADERS = {"csrftoken": "X-CSRFToken", "xsrf-token": "X-XSRF-TOKEN"}
_ID_NAMES = ("id", "uuid", "_id", "pk", "key", "slug", "code", "number", "ref", "token", "handle")
# What a path says of what is done, which is no part of the name of what it is done to.
_DONE = frozenset({"new", "create", "add", "make", "start", "open", "submit", "upload"})
# What a page is called that finds things, and what it is asked by.
_LOOKS_UP = frozenset({"search", "find", "lookup", "query", "filter", "list", "status", "result"})
_ASKED_BY = frozenset({"q", "query", "search", "term", "text", "filter", "name", "title", "key"})
_PLACEHOLDER = re.compile(r"\{[\w.]+\}")
_CANARY, _USER = "{canary}", "{user.canary}"
_NO_COOKIES: Mapping[str, str] = MappingProxyType({})
_LONGEST_WORD = 200
_FIRST_FAILURE = 400
_INPUT = re.compile(r"<(?:input|meta)\b[^>]*>", re.IGNORECASE)
_NAME_OF = re.compile(r"\bname\s*=\s*[\"']?([^\"'\s>]+)", re.IGNORECASE)
# One number, or one word, is all that a short text tells.
_NUMBER = r"(?<![\w.])(\d+)(?!\w|\.\d)"
_WORD = r"^([\w-]+)\s*$"


@dataclass(frozen=True, slots=True)
class Use:
    """Where a route takes a value: in its path, or under a name that it reads.

    Of a path the name is the how-manieth argument it is, from 0; of a bearer of tokens, the word
    before the token, where that is another one.
    """

    place: Literal["path", "bearer", "header", "query", "form", "json", "cookie"]
    name: str = ""


@dataclass(slots=True)
class Taker:
    """A route, the names that it reads, and placeholders for what it was found to take.

    `asked` are the names in its query that may stand for any text.
    """

    route: Route
    reads: Sequence[Read]
    asked: Sequence[str] = ()
    uses: dict[Use, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Gift:
    """A value of an answer, and where another route takes it."""

    capture: Capture
    taker: Taker
    use: Use

    @property
    def before(self) -> str:
        """The path of the taker up to the argument that is used."""
        arguments = list(_PLACEHOLDER.finditer(self.taker.route.path))
        return self.taker.route.path[: arguments[int(self.use.name)].start()]


class Carrying:
    """Knows what earlier answers gave; each value is taken from the first that has it."""

    def __init__(self, takers: Sequence[Taker]) -> None:
        self._takers = takers
        # By route: the name of the step that gives, which one each.
        self._names: dict[str, str] = {}
        # By placeholder, what is sent in its place.
        self.visit: dict[str, str] = {}

    @property
    def canaries(self) -> list[str]:
        """Those of earlier requests, which may have become names of what they made."""
        return [text for name, text in self.visit.items() if name.endswith(".canary}") and text]

    def heard(
        self,
        giver: Route,
        step: Step,
        response: Response,
        cookies: Mapping[str, str],
        canary: str = "",
        user: Collection[str] = (),
    ) -> tuple[Step, list[Taker]]:
        """The step with what is captured of its answer, and those for whom that is news.

        `canary` is that of the request, which may have become the name of what was made; `user` are
        the texts by which its user is known.
        """
        if step.name or giver.name in self._names or response.status >= _FIRST_FAILURE:
            return step, []
        given = gifts(giver, response, self._takers, user)
        found = [each for each in given if each.use not in each.taker.uses]
        reads = [
            each.name for taker in self._takers if taker.route == giver for each in taker.reads
        ]
        named = [
            (taker, use, text)
            for taker in self._takers
            for use, text in _named_by(giver, reads, step, taker)
            if use not in taker.uses
        ]
        if not found and not named:
            return step, []
        step = self.take_up(giver, step, response, found, cookies)
        for taker, use, text in named:
            taker.uses[use] = text.replace(_CANARY, f"{{{step.name}.canary}}")
        self.visit[f"{{{step.name}.canary}}"] = canary
        takers = (*(taker for taker, _, _ in named), *(each.taker for each in found))
        news = {each.route.name: each for each in takers}
        return step, list(news.values())

    def take_up(
        self,
        giver: Route,
        step: Step,
        response: Response,
        found: Iterable[Gift],
        cookies: Mapping[str, str] = _NO_COOKIES,
    ) -> Step:
        """The step with what others take of its answer, which they take from now on."""
        name = self._names.get(giver.name) or name_for(giver, self._names.values())
        self._names[giver.name] = name
        captures = {each: each for each in step.captures}
        for each in found:
            if each.capture not in captures:
                captures[each.capture] = _named_apart(each.capture, captures.values())
            each.taker.uses.setdefault(each.use, f"{{{name}.{captures[each.capture].name}}}")
        step = replace(step, name=name, captures=tuple(captures.values()))
        self.visit |= captured(step, response.headers, response.body, cookies)
        return step


def _named_by(
    giver: Route, reads: Sequence[str], step: Step, taker: Taker
) -> Iterator[tuple[Use, str]]:
    """Where a route takes the name of what a request made, and the placeholder that was its name.

    `reads` are the names that the giver reads.
    """
    if giver.is_safe or giver.method in ("DELETE", taker.route.method):
        return
    path, _, query = step.path.partition("?")
    if giver.path == taker.route.path and _PLACEHOLDER.findall(path)[-1:] == [_CANARY]:
        yield Use("path", str(len(_PLACEHOLDER.findall(giver.path)) - 1)), _CANARY
    elif taker.route.is_safe and _asks_for(taker.route.path, giver.path):
        names = _names_sent(step, query, reads)
        pairs = [(a, text) for a in taker.asked for name, text in names if _alike(a, name)]
        usual = [each for each in taker.asked if each.lower() in _ASKED_BY] or taker.asked
        # Where the two have no name in common, what only this request was given tells more.
        pairs = pairs or [(usual[0], text) for text in sorted(t for _, t in names) if usual]
        yield from ((Use("query", name), text) for name, text in pairs[:1])


def _names_sent(step: Step, query: str, reads: Sequence[str]) -> list[tuple[str, str]]:
    """Under which names a request sends its canary, or its user's."""
    sent: list[tuple[str, Json]] = []
    for name, _, text in (each.partition("=") for each in query.split("&")):
        if name in reads:
            sent.append((name, text))
    sent += step.form or ()
    sent += step.json.items() if isinstance(step.json, dict) else ()
    own = (_CANARY, _USER)
    return [(name, text) for name, text in sent if isinstance(text, str) and text in own]


def _asks_for(path: str, made_at: str) -> bool:
    """Whether a page lists, or looks up, what is made at the other path."""
    *before, last = ["", *map(_singular, _things(path))]
    made = ["", *map(_singular, _things(made_at))]
    return [*before, last] == made or (last in _LOOKS_UP and before == made[: len(before)])


def _named_apart(capture: Capture, others: Iterable[Capture]) -> Capture:
    taken = {each.name for each in others}
    names = (f"{capture.name}{number or ''}" for number in [0, *range(2, 1000)])
    return replace(capture, name=next(each for each in names if each not in taken))


def gifts(
    giver: Route, response: Response, takers: Iterable[Taker], user: Collection[str] = ()
) -> list[Gift]:
    """What an answer of `giver` has for each of the `takers`; `user` are its user's own texts."""
    body = response.body[:100_000]
    members = dict(_members(body))
    # What a user has sent of himself is sent again without anybody who gives it back.
    news = {path: value for path, value in members.items() if value not in user}
    page = body.decode(errors="replace") if members == {} else ""
    fields = [each for each in _fields(page) if _CSRF.fullmatch(each)][:1]
    cookies = [each for each in _cookies(response) if each.lower() in _CSRF_HEADERS][:1]
    found: list[Gift] = []
    for taker in takers:
        route = taker.route
        if route == giver and giver.is_safe:
            found += _of_next_page(members, taker)
            continue
        for nth in range(0 if giver.is_safe else len(_PLACEHOLDER.findall(route.path))):
            capture = _of_path(giver, route, nth, response, members, page)
            if capture is not None:
                found.append(Gift(capture, taker, Use("path", str(nth))))
        found += _of_names(members, news, taker)
        if not route.is_safe:
            found += [Gift(_field(each), taker, Use("form", each)) for each in fields]
            found += [
                Gift(Capture("csrf", "cookie", each), taker, Use("header", _header_of(each)))
                for each in cookies
                if not fields
            ]
    return [each for each in found if captured(step_with(each), response.headers, body)]


def step_with(gift: Gift) -> Step:
    """A step that captures nothing else, by which to tell what it captures."""
    return Step("giver", "GET", "/", captures=(gift.capture,))


def _field(name: str) -> Capture:
    return Capture("csrf", "field", name)


def _header_of(cookie: str) -> str:
    return _CSRF_HEADERS[cookie.lower()]


def _members(body: bytes) -> Iterator[tuple[str, Any]]:
    """The texts and numbers of a JSON object by their paths, those of objects inside of it too."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return
    inside = document.items() if isinstance(document, dict) else ()
    for name, value in inside:
        nested = value.items() if isinstance(value, dict) else ()
        for path, each in ((name, value), *((f"{name}.{n}", v) for n, v in nested)):
            is_plain = isinstance(each, str | int) and not isinstance(each, bool)
            if is_plain and "." not in path.removeprefix(f"{name}."):
                yield path, each


def _fields(page: str) -> Iterator[str]:
    for found in _INPUT.finditer(page):
        name = _NAME_OF.search(found[0])
        if name is not None:
            yield name[1]


def _cookies(response: Response) -> Iterator[str]:
    for name, value in response.headers:
        if name.lower() == "set-cookie":
            yield value.partition("=")[0].strip()


def _of_path(
    giver: Route,
    taker: Route,
    nth: int,
    response: Response,
    members: Mapping[str, Any],
    page: str,
) -> Capture | None:
    """The value for an argument of a path, where the giver makes what the path leads to."""
    arguments = list(_PLACEHOLDER.finditer(taker.path))
    before = taker.path[: arguments[nth].start()]
    if not before.endswith("/"):
        return None
    argument = taker.arguments[nth] if len(taker.arguments) == len(arguments) else ""
    if argument not in _ID_NAMES and _GIVEN.fullmatch(argument):
        by_name = _member_called(argument, members)
        if by_name is not None:
            return Capture(argument, "json", by_name)
    return _linked(before, response, page) or (
        _told_by_collection(before, argument, members, page)
        if _things(giver.path) == _things(before)
        else None
    )


def may_lead(response: Response, taker: Taker) -> Iterator[Gift]:
    """Values of an answer that tell one thing from others, for the last argument of a path."""
    path = taker.route.path
    arguments = list(_PLACEHOLDER.finditer(path))
    before = path[: arguments[-1].start()] if arguments else ""
    if not before.endswith("/"):
        return
    body = response.body[:100_000]
    members = dict(_members(body))
    named = taker.route.arguments[-1] if len(taker.route.arguments) == len(arguments) else ""
    page = "" if members else body.decode(errors="replace")
    likeliest = _told_by_collection(before, named, members, page)
    thing = _things(before)[-1:]
    names = {each: each.rpartition(".")[2] for each in members}
    others = [each for each, name in names.items() if name in thing or _GIVEN.fullmatch(name)]
    found = [likeliest, *(Capture("id", "json", each) for each in others)]
    for capture in dict.fromkeys(each for each in found if each):
        yield Gift(capture, taker, Use("path", str(len(arguments) - 1)))


def _linked(before: str, response: Response, page: str) -> Capture | None:
    link = _PLACEHOLDER.sub("[^/?#]+", re.escape(before).replace(r"\{", "{").replace(r"\}", "}"))
    pattern = f"{link}([\\w-]+)"
    where = [value for name, value in response.headers if name.lower() == "location"]
    found = re.search(pattern, "\n".join([*where, page]))
    if found is None or found[1].lower() in _DONE:
        return None
    return Capture("id", "regex", pattern)


def _told_by_collection(
    before: str, argument: str, members: Mapping[str, Any], page: str
) -> Capture | None:
    """What tells the thing that was made there from others: a member, or all of a short text."""
    for name in dict.fromkeys((argument, *_ID_NAMES, *_called_after(before))):
        if (path := _member_called(name, members)) is not None:
            return Capture("id", "json", path)
    if members or not 0 < len(page) <= _LONGEST_WORD or set(page) & set("<{["):
        return None
    if len(re.findall(_NUMBER, page)) == 1:
        return Capture("id", "regex", _NUMBER)
    return Capture("id", "regex", _WORD) if re.search(_WORD, page) else None


def _member_called(name: str, members: Mapping[str, Any]) -> str | None:
    """The path of a member of that name, one of the document itself before one further inside."""
    paths = [path for path in members if name and _alike(path.rpartition(".")[2], name)]
    return min(paths, key=lambda path: path.count("."), default=None)


def _alike(one: str, other: str) -> bool:
    return _plain(one) == _plain(other)


def _plain(name: str) -> str:
    return re.sub(r"^x-|[-_ ]", "", name.lower())


def _things(path: str) -> list[str]:
    words = [each for each in path.partition("?")[0].split("/") if each]
    if words and words[-1].lower() in _DONE:
        words.pop()
    return [*words[:-1], _singular(words[-1])] if words else []


def _singular(word: str) -> str:
    if word.endswith("ies"):
        return f"{word[:-3]}y"
    return word if word.endswith(("ss", "us")) else word.removesuffix("s")


def _called_after(before: str) -> Iterator[str]:
    things = _things(before)
    if things:
        yield from (f"{things[-1]}_{each}" for each in ("id", "number", "key", "no"))


def _of_names(members: Mapping[str, Any], news: Mapping[str, Any], taker: Taker) -> Iterator[Gift]:
    """Values that a route reads under the name that they are given with, of those that are `news`;
    tokens to log in with."""
    given = {path: name for path in members if _GIVEN.fullmatch(name := path.rpartition(".")[2])}
    for read in taker.reads:
        if read.place == "auth":
            for path, name in given.items():
                is_text = isinstance(members[path], str)
                if is_text and _TOKEN.fullmatch(name) and not _NO_LOGIN.search(name):
                    use = Use("bearer", TOKENS.get(read.name, ""))
                    yield Gift(Capture("token", "json", path), taker, use)
                    break
            continue
        if read.place == "file":
            # What is uploaded was made by nobody else.
            continue
        for path, name in given.items():
            if _alike(name, read.name) and name != "id" and path in news:
                capture = Capture(re.sub(r"\W", "_", name), "json", path)
                yield Gift(capture, taker, Use(read.place, read.name))
                break


def _of_next_page(members: Mapping[str, Any], taker: Taker) -> Iterator[Gift]:
    """What a list gives to be asked for its next page: `next_cursor`, that is sent as `cursor`."""
    names = {path: path.rpartition(".")[2] for path in members if members[path] != ""}
    cursors = {path: name for path, name in names.items() if _CURSOR.fullmatch(name)}
    for read in taker.reads:
        wanted = (each for each, n in cursors.items() if _alike(_NEXT.sub("", n), read.name))
        if read.place == "query" and (path := next(wanted, None)) is not None:
            yield Gift(Capture("cursor", "json", path), taker, Use("query", read.name))


def applied(step: Step, uses: Mapping[Use, str]) -> Step:
    """A step that sends placeholders where they are taken; paths have theirs already."""
    for use, text in uses.items():
        match use.place:
            case "bearer":
                headers = _with(step.headers, "Authorization", f"{use.name or 'Bearer'} {text}")
                step = replace(step, headers=headers, auth=None)
            case "header":
                step = replace(step, headers=_with(step.headers, use.name, text))
            case "cookie":
                known = dict(step.headers).get("Cookie", "")
                pairs = [p for p in known.split("; ") if p and not p.startswith(f"{use.name}=")]
                cookie = "; ".join([*pairs, f"{use.name}={text}"])
                step = replace(step, headers=_with(step.headers, "Cookie", cookie))
            case "query":
                step = replace(step, path=_with_query(step.path, use.name, text))
            case "form" if step.form is not None:
                step = replace(step, form=_with(step.form, use.name, text))
            case "form":
                step = replace(step, headers=_with(step.headers, "X-CSRFToken", text))
            case "json" if isinstance(step.json, dict):
                inside: dict[str, Json] = {**step.json, use.name: text}
                step = replace(step, json=inside)
    return step


def _with(pairs: Iterable[tuple[str, str]], name: str, text: str) -> tuple[tuple[str, str], ...]:
    return (*((n, v) for n, v in pairs if n.lower() != name.lower()), (name, text))


def _with_query(path: str, name: str, text: str) -> str:
    plain, _, query = path.partition("?")
    pairs = [each for each in query.split("&") if each and each.partition("=")[0] != name]
    return f"{plain}?{'&'.join([*pairs, f'{name}={text}'])}"


def searches(use: Use, text: str) -> bool:
    """Whether what is used is the name by which something is looked for in a list."""
    return use.place == "query" and (text == _USER or text.endswith(".canary}"))


def takes_in_path(uses: Iterable[Use]) -> bool:
    """Whether what is used leads somewhere by its path."""
    return any(each.place == "path" for each in uses)


def with_arguments(path: str, uses: Mapping[Use, str]) -> str:
    """A path with placeholders of earlier steps for those of its arguments that take one."""
    numbers = itertools.count()
    return _PLACEHOLDER.sub(lambda m: uses.get(Use("path", str(next(numbers))), m[0]), path)


def name_for(route: Route, taken: Iterable[str]) -> str:
    """A name for the step that gives, after its path."""
    words = re.findall(r"[A-Za-z]\w*", _PLACEHOLDER.sub("", route.path))
    name = re.sub(r"\W", "_", words[-1] if words else "start").lower()
    name = f"{name}_" if name in ("user", "canary", "n") else name
    taken = set(taken)
    numbered = (f"{name}{number or ''}" for number in [0, *range(2, 1000)])
    return next(each for each in numbered if each not in taken)
