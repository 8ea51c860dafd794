"""Steps as one user, or a visitor, sends them: what is the same in each of its visits is filled."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import quote, quote_plus

from ctxsim.cell.plan import Flow, Json, Step

_PLACEHOLDER = re.compile(r"\{user\.([\w-]+)\}")
# What an earlier step of the visit gives: its canary, or what was captured of its answer. In
# quotes it is a whole text of a JSON document, which may turn out to be a number.
OF_VISIT = re.compile(r"\{[\w-]+\.[\w-]+\}")
_OF_VISIT_IN_JSON = re.compile(rf'"({OF_VISIT.pattern})"|{OF_VISIT.pattern}')
# What may stand in a path and query as it is: the reserved characters, `%`, and our braces.
_URL_SAFE = "/%?=&:@+,;!$'()*~{}[]#"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A step as one user sends it: only what is of the request or the visit is still to be filled.

    `needs` are the placeholders that earlier steps of the visit give.
    """

    step: Step
    index: int
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    auth: tuple[str, str] | None
    body: str
    content_type: str
    expect_contains: tuple[str, ...]
    expect_absent: tuple[str, ...]
    expect_json: tuple[tuple[str, Json], ...]
    fixed: bool
    needs: tuple[str, ...] = ()


def _without_credentials(step: Step) -> Step:
    headers = tuple(h for h in step.headers if h[0].lower() not in ("cookie", "authorization"))
    return Step(
        name=step.name,
        method=step.method,
        path=step.path,
        headers=headers,
        form=step.form,
        json=step.json,
        has_json=step.has_json,
        body=step.body,
        rule=step.rule,
        captures=step.captures,
        once=step.once,
    )


def _texts(step: Step) -> list[str]:
    """What of a step is sent without credentials, as texts that may hold placeholders."""
    headers = [v for k, v in step.headers if k.lower() not in ("cookie", "authorization")]
    form = [text for pair in step.form or () for text in pair]
    return [step.path, *headers, *form, json.dumps(step.json), step.body or ""]


def of_user(step: Step) -> bool:
    """Whether a step is not the same for all users."""
    expected = (*step.expect.contains, *step.expect.absent, *step.mine, *(step.auth or ()))
    secret = (v for _, v in step.headers)
    values = json.dumps([value for _, value in step.expect.json])
    return any("{user." in text for text in (*_texts(step), *expected, *secret, values))


def prepared(step: Step, index: int, values: dict[str, str]) -> Prepared:
    """Fill what is the user's: `values` are its variables, and `canary` its own canary."""

    def fill(text: str, encode: Callable[[str], str] = str) -> str:
        return _PLACEHOLDER.sub(lambda m: encode(values.get(m[1], m[0])), text)

    path, _, query = step.path.partition("?")
    headers = [(name, fill(value)) for name, value in step.headers]
    auth = step.auth and (fill(step.auth[0]), fill(step.auth[1]))
    content_type, body = _body(step, fill)
    made = Prepared(
        step=step,
        index=index,
        path=fill(quote(path, safe=_URL_SAFE), _in_path),
        query=fill(quote(query, safe=_URL_SAFE), quote_plus),
        headers=tuple(headers),
        auth=auth,
        body=body,
        content_type=content_type,
        expect_contains=tuple(map(fill, step.expect.contains)),
        expect_absent=tuple(map(fill, step.expect.absent)),
        expect_json=tuple((k, fill_json(v, fill)) for k, v in step.expect.json),
        fixed=False,
    )
    sent = (made.path, made.query, body, *(value for _, value in headers))
    varies = auth is not None or any("{" in text for text in sent)
    needs = (found for text in (*sent, *(auth or ())) for found in OF_VISIT.findall(text))
    return replace(made, fixed=not varies, needs=tuple(dict.fromkeys(needs)))


def _body(step: Step, fill: Callable[..., str]) -> tuple[str, str]:
    if step.form is not None:
        pairs = ("=".join(_form_text(text, fill) for text in pair) for pair in step.form)
        return "application/x-www-form-urlencoded", "&".join(pairs)
    if step.has_json:
        return "application/json", json.dumps(fill_json(step.json, fill))
    return ("text/plain; charset=utf-8", fill(step.body)) if step.body is not None else ("", "")


def _form_text(text: str, fill: Callable[..., str]) -> str:
    return fill(quote_plus(text, safe="{}"), quote_plus)


def fill_json(value: Json, fill: Callable[[str], Json]) -> Json:
    """Fill placeholders in all texts of a JSON value."""
    if isinstance(value, str):
        return fill(value)
    if isinstance(value, list):
        return [fill_json(each, fill) for each in value]
    if isinstance(value, dict):
        return {str(fill(k)): fill_json(v, fill) for k, v in value.items()}
    return value


def filled(
    step: Prepared, canary: str, visit: Mapping[str, str]
) -> tuple[str, str, tuple[tuple[str, str], ...], bytes]:
    """Path, query, headers and body as one request has them."""
    path = fill(step.path, canary, visit, _in_path) if "{" in step.path else step.path
    query = step.query.replace("{canary}", canary)
    if "{" in query:
        query = fill(query, canary, visit, quote_plus)
    headers = step.headers
    if headers:
        headers = tuple((name, fill(v, canary, visit, _in_header)) for name, v in headers)
    if step.auth is not None:
        pair = (fill(text, canary, visit) for text in step.auth)
        headers += (("Authorization", basic(*pair)),)
    body = step.body and _filled_body(step.body, step.step, canary, visit).encode()
    return path, query, headers, body or b""


def fill(
    text: str, canary: str, visit: Mapping[str, str], encode: Callable[[str], str] = str
) -> str:
    """Fill in `{canary}`, and what earlier steps of the visit gave."""
    text = text.replace("{canary}", canary)
    if visit and "{" in text:
        text = OF_VISIT.sub(lambda m: encode(visit[m[0]]) if m[0] in visit else m[0], text)
    return text


def fill_value(text: str, canary: str, visit: Mapping[str, str]) -> Json:
    """The same where a text of a JSON document may turn out to be a number."""
    as_json = visit.get(f'"{text}"')
    return fill(text, canary, visit) if as_json is None else json.loads(as_json)


def _filled_body(text: str, step: Step, canary: str, visit: Mapping[str, str]) -> str:
    if not step.has_json:
        return fill(text, canary, visit, str if step.form is None else quote_plus)
    text = text.replace("{canary}", canary)
    if not visit or "{" not in text:
        return text

    def of_visit(found: re.Match[str]) -> str:
        # A text as a whole may be a number; a part of one is written as texts are.
        if found[0] in visit and found[1] is not None:
            return visit[found[0]]
        inner = found[1] or found[0]
        value = json.dumps(visit[inner])[1:-1] if inner in visit else inner
        return value if found[1] is None else f'"{value}"'

    return _OF_VISIT_IN_JSON.sub(of_visit, text)


def _in_path(value: str) -> str:
    return quote(value, safe="")


def _in_header(value: str) -> str:
    # Headers travel as Latin-1: each byte is a character.
    return value.encode().decode("latin-1")


def basic(name: str, password: str) -> str:
    """The Authorization header of a name and a password (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def for_visitors(flow: Flow, first_index: int) -> tuple[Prepared, ...]:
    """The steps of `flow` that make sense without credentials, without what gives them.

    A step that needs a user's value, or the canary of a step that was left out, is left out.
    `first_index` is the number of the flow's first step in the plan.
    """
    kept: list[Prepared] = []
    known: set[str] = set()
    for index, step in enumerate(flow.steps, first_index):
        texts = _texts(step)
        refers = {name[1:].partition(".")[0] for t in texts for name in OF_VISIT.findall(t)}
        if any(_PLACEHOLDER.search(text) for text in texts) or refers - known:
            continue
        known.add(step.name)
        kept.append(prepared(_without_credentials(step), index, {}))
    return tuple(kept)
