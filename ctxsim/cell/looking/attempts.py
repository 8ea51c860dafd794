"""The ways in which a route may be sent, as steps with placeholders: what is tried, and drafted."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from urllib.parse import quote_plus

from ctxsim.cell.looking.carrying import Use, applied, searches, with_arguments
from ctxsim.cell.looking.likely import HOW_MANY, likely
from ctxsim.cell.looking.vocabulary import BEARER, TOKENS
from ctxsim.cell.plan import Json, Step
from ctxsim.cell.sights import Read, Route

# The text by which a user is known: it is seen at once in another's answer.
USER, NUMBER, CANARY = "{user.canary}", "{user.number}", "{canary}"
# The variables that these steps need.
VARS = (("number", "{n}"), ("short", "ctx{n}"))
SHORT = "{user.short}"
UUID, OTHER_UUID = (f"00000000-0000-4000-8000-00000000000{nth}" for nth in (1, 2))
_OF_USER = re.compile(
    r"(^|[-_. ])(x-)?(user|username|name|login|e?mail|tenant|account|uid|owner|who|customer|member"
    r"|client|org|organi[sz]ation|company|subject|identity|principal|actor|author|team"
    r"|recipient|receiver|addressee|sender|editor|writer|reader|player|student|teacher|patient"
    r"|employee|operator|driver|buyer|seller|vendor|merchant"
    r"|api[-_]?key|(?<!csrf.)(?<!xsrf.)token)"
    r"([-_. ]?(name|id))?$",
    re.IGNORECASE,
)
_TRACE = ("X-Request-Id", CANARY)
TAG = "tag"
_SAME = (("same", "2", "two"), ("again", "3", "three"))
_OF_PAGES = ("same", "again", "bare")
_PASSWORD = re.compile(r"pass(word|wd|phrase)?|pwd|secret", re.IGNORECASE)
# Braces would be taken for a placeholder's.
_NAME, _FIELD = re.compile(r"[\w.-]+", re.ASCII), re.compile(r"[^{}]+")
# Nothing of this means anything in a header, but in those that name media types.
_CHOICE = re.compile(r"[\w.+/-]+", re.ASCII)
# The names of time zones have slashes.
_WORD = re.compile(r"[\w./-]+", re.ASCII)
_KINDS: dict[str, Json] = {"int": 2, "float": 1.5, "bool": True}
_MOST_NAMES = 16
_MOST_ALONE = 4
_MOST_WORDS = 6
_NUMBERS = ("int", "float")
_NO_WORDS: Mapping[Read, Json] = MappingProxyType({})
_BODIES = ("form", "json", "file")
# No text that is sent holds it.
_BOUNDARY = "ctxsim-boundary-7d3f0c"
_MULTIPART = ("Content-Type", f"multipart/form-data; boundary={_BOUNDARY}")
_FILE_NAME, _USUAL_NAME = re.compile(r'filename="[^"]*"'), 'filename="document.txt"'
# What most documents have some of.
_MEMBERS = (
    *(Read("json", name) for name in ("name", "title", "text", "item", "value")),
    Read("json", "quantity", "int"),
)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One way to send a route; `variant` is as `Trial.variant` has it."""

    variant: str
    step: Step


def attempts(route: Route, common: Iterable[Read], *, session: Iterable[str] = ()) -> list[Attempt]:
    """The ways to send `route`, the fullest first, each once.

    `common` is what the application reads for all its routes; the cookies that carry its own
    `session` are left to it.
    """
    reads = sendable(route, common, session=session)
    found: list[Attempt] = []
    for attempt in _variants(route, reads):
        if not any(attempt.step == each.step for each in found):
            found.append(attempt)
    return found


def as_json(route: Route, common: Iterable[Read], *, session: Iterable[str] = ()) -> Attempt:
    """How to send `route` where it takes JSON, and its source does not name what of it is read."""
    known = sendable(route, common, session=session)
    names = {each.name for each in known}
    members = tuple(each for each in _MEMBERS if each.name not in names)
    reads = [replace(each, place="json") if each.place == "form" else each for each in known]
    return Attempt("full", _step(route, (*reads, *members), "json", _credentials(known)[0]))


def carried(
    route: Route, common: Iterable[Read], uses: Mapping[Use, str], *, session: Iterable[str] = ()
) -> list[Attempt]:
    """How to send `route` with placeholders of earlier steps where it takes what these give.

    A page is asked for without the rest as well, and as all users ask for it: of a list there may
    be no second page, and a cache gives nobody what was asked for by a canary. Nor does a list that
    is searched for one's own.
    """
    route = replace(route, path=with_arguments(route.path, uses))
    of_pages = {use: text for use, text in uses.items() if not searches(use, text)}
    found: list[Attempt] = []
    for each in attempts(route, common, session=session):
        if each.variant == "full" or (route.is_safe and each.variant in _OF_PAGES):
            variant = "carried" if each.variant == "full" else each.variant
            step = applied(each.step, uses if each.variant == "full" else of_pages)
            if not any(step == other.step for other in found):
                found.append(Attempt(variant, step))
    return found


def sendable(
    route: Route, common: Iterable[Read], *, session: Iterable[str] = ()
) -> tuple[Read, ...]:
    """What is sent to `route` of what it reads, and of what all routes read."""
    left_to_it = set(session)
    together: dict[tuple[str, str], Read] = {}
    for each in (*route.reads, *common):
        together.setdefault((each.place, each.name), each)
    bodies = () if route.is_safe else _BODIES
    known = ("query", "header", "auth", *bodies)
    return tuple(
        read
        for read in together.values()
        if (read.place in known or (read.place == "cookie" and read.name not in left_to_it))
        and (_NAME if read.place in ("cookie", "header") else _FIELD).fullmatch(read.name)
    )[:_MOST_NAMES]


def _variants(route: Route, reads: tuple[Read, ...]) -> Iterator[Attempt]:
    own = tuple(read for read in reads if _tells_user(read))
    others = [read for read in reads if read not in own]
    for body in _bodies(route, reads):
        for auth in _credentials(reads):
            yield Attempt("full", _step(route, reads, body, auth))
    body, auth = _bodies(route, reads)[0], _credentials(reads)[0]
    if not route.is_safe:
        yield from _with_short(route, reads, body, auth)
    yield from _with_other_values(route, reads, body, auth)
    yield from (Attempt("word", step) for step in _with_words(route, reads, body, auth))
    yield from (Attempt("likely", step) for step in _with_likely(route, reads, body, auth))
    for read in [read for read in reads if read.kind in _NUMBERS][:_MOST_ALONE]:
        # Whoever sends no number takes another way out of the view.
        step = _step(route, reads, body or _body_of(read), auth, {read: CANARY})
        yield Attempt("no number", step)
    if others:
        body, auth = _bodies(route, own)[0], _credentials(own)[0]
        yield Attempt("own", _step(route, own, body, auth))
        for read in [read for read in others if len(others) > 1][:_MOST_ALONE]:
            yield Attempt("own", _step(route, (*own, read), _body_of(read) or body, auth))
        if route.is_safe:
            # What nobody in particular has posted is for all to see.
            yield Attempt("nobody", _step(route, tuple(others), "", ""))
    plain = replace(route, path=route.path.replace(NUMBER, "1"))
    if route.is_safe:
        # Pages that all users ask for: only there a cache can give one what it keeps of another.
        # Two, because whoever asks first may be a visitor, of whom nothing is kept. Without a tag,
        # since most caches know a page by the whole of its URL. What reads nothing is shown by the
        # session.
        for variant, number, text in _SAME:
            same = route.path.replace(NUMBER, number).replace(CANARY, text)
            asked = {read: text for read in others if is_asked_for(read)}
            for_all = replace(route, path=same, is_exact=True)
            step = _step(for_all, reads, "", _credentials(reads)[0], asked)
            yield Attempt(variant, step)
    yield Attempt("bare", _step(plain, (), _bodies(route, ())[0], ""))


def _with_short(route: Route, reads: tuple[Read, ...], body: str, auth: str) -> Iterator[Attempt]:
    """The route with short texts, since what is kept is seldom allowed to be of any length."""
    of_body = [read for read in reads if read.kind == "text" and read.place in _BODIES]
    short = {
        read: str(value).replace(USER, SHORT).replace(CANARY, SHORT)
        for read in of_body
        if "{" in str(value := value_of(read))
    }
    if short:
        step = _step(route, reads, body or _body_of(next(iter(short))), auth, short)
        yield Attempt("short", replace(step, mine=(SHORT,)))


def _with_other_values(
    route: Route, reads: tuple[Read, ...], body: str, auth: str
) -> Iterator[Attempt]:
    """The route with what is no text of anybody's, where all users would send the same.

    Where only numbers come and go, nobody could tell whose is whose; nor where each file has a name
    that no other file has.
    """
    unlike = {r: other for r in reads if (other := _other_value(r)) is not None}
    if unlike:
        step = _step(route, reads, body or _body_of(next(iter(unlike))), auth, unlike)
        yield Attempt("other values", step)
    if any(read.place == "file" for read in reads):
        yield Attempt("same", _with_usual_name(_step(route, reads, body, auth)))


def _with_words(route: Route, reads: tuple[Read, ...], body: str, auth: str) -> Iterator[Step]:
    """The route with each text that its source compares with, in a read or in its path."""
    # What users make who all say to be one user is rightly shown to all of them.
    compared = {
        read: [word for word in read.words if _is_word(read, word)]
        for read in reads
        if read.kind != "value" and (route.is_safe or not _tells_user(read))
    }
    for one, word in [(read, word) for read in compared for word in compared[read]][:_MOST_WORDS]:
        yield _step(route, reads, body or _body_of(one), auth, {one: word})
    several = [read for read in compared if compared[read]]
    for turn in range(2 if len(several) > 1 else 0):
        # Each another one where they choose from the same.
        words = {r: compared[r][(nth + turn) % len(compared[r])] for nth, r in enumerate(several)}
        yield _step(route, reads, body or _body_of(several[0]), auth, words)
    if CANARY in route.path:
        for text in filter(_NAME.fullmatch, route.words[:_MOST_WORDS]):
            path = route.path.replace(CANARY, text)
            yield _step(replace(route, path=path), reads, body, auth)


def _is_word(read: Read, word: str) -> bool:
    if read.kind == "choice":
        return _CHOICE.fullmatch(word) is not None
    is_text = read.place in ("query", *_BODIES)
    return (_WORD if is_text else _NAME).fullmatch(word) is not None


def _with_likely(route: Route, reads: tuple[Read, ...], body: str, auth: str) -> Iterator[Step]:
    """The route with all the texts that names suggest, in its reads and in its path."""
    free = [read for read in reads if read.kind != "value"]
    suggested = {read: texts for read in free if (texts := likely(read.name))}
    paths = route.likely or (route.path,) * HOW_MANY
    if suggested or route.likely:
        for nth, path in enumerate(paths):
            words = {read: texts[nth] for read, texts in suggested.items()}
            yield _step(replace(route, path=path), reads, body, auth, words)


def _bodies(route: Route, reads: tuple[Read, ...]) -> list[str]:
    if route.is_safe:
        return [""]
    if any(read.place == "file" for read in reads):
        return ["file"]
    return [each for each in _BODIES if any(read.place == each for read in reads)] or ["form"]


def _body_of(read: Read) -> str:
    return read.place if read.place in _BODIES else ""


def _credentials(reads: tuple[Read, ...]) -> list[str]:
    """How to say who one is, where the application reads that: as Basic, by a token, or not."""
    names = {read.name for read in reads if read.place == "auth"}
    tokens = [word for name, word in TOKENS.items() if name in names]
    if BEARER in names:
        return ["Bearer"]
    if "header" in names:
        return ["basic", "Bearer", *tokens]
    return tokens or (["basic"] if names else [""])


def is_asked_for(read: Read) -> bool:
    """Whether it is a text of a query, which may name what is asked for, and not who asks."""
    return (read.place, read.kind) == ("query", "text") and not _tells_user(read)


def _tells_user(read: Read) -> bool:
    # Of a query it may be a date, or a currency; what is sent to somebody has a body.
    is_addressed = read.place in _BODIES and read.name.lower() == "to"
    return read.place == "auth" or is_addressed or _OF_USER.search(read.name) is not None


def _step(
    route: Route,
    reads: tuple[Read, ...],
    body: str,
    auth: str,
    words: Mapping[Read, Json] = _NO_WORDS,
) -> Step:
    """One way to send `route`; what is in `words` is sent as that."""

    def text(read: Read) -> str:
        return _as_text(words[read]) if read in words else _text(read)

    query = [(read.name, text(read)) for read in reads if read.place == "query"]
    path = route.path.replace("{user.uuid}", UUID)
    cookies = [f"{read.name}={text(read)}" for read in reads if read.place == "cookie"]
    headers = [(read.name, text(read)) for read in reads if read.place == "header"]
    if not any(name.lower() == _TRACE[0].lower() for name, _ in headers):
        headers.append(_TRACE)
    if cookies:
        headers.append(("Cookie", "; ".join(cookies)))
    if auth not in ("", "basic"):
        headers.append(("Authorization", f"{auth} {USER}"))
    # What is uploaded comes with the fields of its form.
    places = ("form", "file") if body == "file" else (body,)
    inside = [read for read in reads if read.place in places]
    if body == "file":
        headers.append(_MULTIPART)
    fields = {read.name: text(read) for read in inside}
    members = {read.name: words.get(read, value_of(read)) for read in inside}
    holds_canary = CANARY in path or any(value == CANARY for _, value in query)
    if not (route.is_exact or holds_canary or any(value_of(each) == CANARY for each in inside)):
        query.append((TAG, CANARY))
    said = json.dumps([query, headers, list(members.values())])
    return Step(
        name="",
        method=route.method,
        path=path + _query(query),
        headers=tuple(headers),
        form=tuple(fields.items()) if body == "form" else None,
        json=members if body == "json" else None,
        has_json=body == "json",
        body=_multipart(inside, text) if body == "file" else None,
        auth=(USER, "password") if auth == "basic" else None,
        mine=(SHORT,) if SHORT in said else (),
    )


def _multipart(inside: Sequence[Read], text: Callable[[Read], str]) -> str:
    """A form with files, each a text that is the request's own, and so is its name."""
    parts = []
    for read in inside:
        head = f'Content-Disposition: form-data; name="{read.name}"'
        if read.place == "file":
            head += f'; filename="{text(read)}.txt"\r\nContent-Type: text/plain'
        parts.append(f"--{_BOUNDARY}\r\n{head}\r\n\r\n{text(read)}\r\n")
    return "".join([*parts, f"--{_BOUNDARY}--\r\n"])


def _with_usual_name(step: Step) -> Step:
    return replace(step, body=_FILE_NAME.sub(_USUAL_NAME, step.body or ""))


def _query(pairs: list[tuple[str, str]]) -> str:
    return "?" + "&".join(f"{quote_plus(name)}={value}" for name, value in pairs) if pairs else ""


def value_of(read: Read) -> Json:
    """What is sent for a name that may be anything of its kind; placeholders are still in it."""
    if read.kind == "value":
        known: Json = json.loads(read.words[0])
        return known
    if read.kind == "choice":
        return read.words[0]
    if read.kind != "text":
        return _KINDS[read.kind]
    if _PASSWORD.search(read.name):
        return "password"
    if _tells_user(read):
        return f"{USER}@example.com" if "mail" in read.name.lower() else USER
    return CANARY


def _other_value(read: Read) -> Json:
    """What another user would send for what is no text: his own number, where any may be sent.

    None where there is no other.
    """
    if read.kind in _NUMBERS:
        return None if _tells_user(read) else NUMBER
    if read.kind == "bool":
        return not _KINDS["bool"]
    other: Json = json.loads(read.words[1]) if read.kind == "value" and read.words[1:] else None
    return other


def _text(read: Read) -> str:
    if read.kind == "int" and _tells_user(read):
        return NUMBER
    return _as_text(value_of(read))


def _as_text(value: Json) -> str:
    if isinstance(value, list | dict):
        return json.dumps(value)
    return str(value).lower() if isinstance(value, bool) else str(value)
