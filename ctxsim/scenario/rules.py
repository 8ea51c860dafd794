"""What must hold between several keys of a scenario; the shape of each value is the model's matter.

Rules read the tree of the file, not the model, so that they speak even where other values are
wrong: all problems are told in one go.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from collections.abc import Mapping as AnyMapping
from dataclasses import replace
from itertools import chain
from typing import TypeVar

from ctxsim.errors import Problem
from ctxsim.scenario import nodes, placeholders, server_rules, words
from ctxsim.scenario.model import BODIES, DEFAULT_WORKERS, METHODS, Step
from ctxsim.scenario.nodes import Mapping, Node, Scalar, Sequence, child, items_of
from ctxsim.scenario.placeholders import Known, Lines
from ctxsim.scenario.problems import at

T = TypeVar("T")
# Values below these keys are the application's own JSON, in which null and numbers are meant.
_JSON = "json"
_SENT = ("headers", "form", "json", "body", "auth", "mine")
_STEP_KEYS = tuple(field.alias or name for name, field in Step.model_fields.items())
_RESERVED = ("user", "canary", "n")


def broken(root: Mapping, text: str) -> Iterator[Problem]:
    """The problems of a whole file."""
    source = Lines(text)
    yield from _empty_values(root)
    yield from _steps_or_flows(root)
    yield from _load(root)
    yield from _faults(root)
    yield from _storage(root)
    yield from _twice(root, "workers")
    yield from _unsuited(root)
    yield from _uncontrolled(root)
    yield from _patterns(root)
    yield from server_rules.broken(root)
    variables = _variables(root)
    for value in variables.values():
        yield from placeholders.in_variables(value, source)
    known = Known({name: value.text for name, value in variables.items()})
    for steps in _flows(root):
        yield from _flow(steps, known, source)


def _read(reader: Callable[[object], T], value: object) -> T | None:
    """What `reader` makes of a value, None where it is wrong: then the model reports it."""
    try:
        return reader(value.value if isinstance(value, Scalar) else value)
    except words.WordError:
        return None


def _empty_values(node: Node, name: str = "") -> Iterator[Problem]:
    if isinstance(node, Mapping):
        for key, value in node.values.items():
            if isinstance(value, Scalar) and value.value is None and key != _JSON:
                message = f"'{key}' has no value"
                yield at(node.keys[key], message, "write one after the ':', or remove the key")
            elif key != _JSON:
                yield from _empty_values(value, key)
            else:
                yield from _not_json(value)
    elif isinstance(node, Sequence):
        for item in node.items:
            if isinstance(item, Scalar) and item.value is None:
                yield at(item.place, f"'{name}' has an empty item", "write one, or remove it")
            yield from _empty_values(item, name)


def _not_json(node: Node) -> Iterator[Problem]:
    if isinstance(node, Scalar):
        if isinstance(node.value, float) and not math.isfinite(node.value):
            yield at(node.place, f"JSON has no {node.text}", "write a number, or null")
        return
    inner = node.items if isinstance(node, Sequence) else tuple(node.values.values())
    for each in inner:
        yield from _not_json(each)


def _steps_or_flows(root: Mapping) -> Iterator[Problem]:
    flows = root.values.get("flows")
    has_flows = flows is not None and not (isinstance(flows, Mapping) and not flows.values)
    if "steps" in root.values and has_flows:
        yield at(
            root.keys["flows"],
            f"'flows' stands beside 'steps' (line {root.keys['steps'].line}); there can be one",
            "move the steps into a flow",
        )
    elif "steps" not in root.values and not has_flows:
        place = nodes.Place(root.place.line, root.place.column, 1, 0, 0)
        yield at(place, "nothing is sent: 'steps' is missing", "add  steps: [{get: /}]")


def _load(root: Mapping) -> Iterator[Problem]:
    load = root.values.get("load")
    if not isinstance(load, Mapping):
        return
    if "requests" in load.values and "duration" in load.values:
        yield at(
            load.keys["duration"],
            "'load' has both 'requests' and 'duration'; it can have one",
            "remove one of the two",
        )
    elif not load.values:
        yield at(load.place, "'load' is empty", "write {requests: 1000} or {duration: 30s}")


def _faults(root: Mapping) -> Iterator[Problem]:
    faults = root.values.get("faults")
    if not isinstance(faults, Mapping):
        return
    shares = [_read(words.share, node) for node in faults.values.values()]
    if sum(share for share in shares if share is not None) > 1:
        yield at(root.keys["faults"], "'faults' add up to more than all requests", "write less")


def _storage(root: Mapping) -> Iterator[Problem]:
    target = root.values.get("target")
    yield from _twice(target, "storage")
    kind = child(target, "kind")
    if (
        isinstance(target, Mapping)
        and "storage" in target.keys
        and isinstance(kind, Scalar)
        and kind.value in ("wsgi", "asgi", "http")
    ):
        yield at(
            target.keys["storage"],
            "'target.storage' is for runtime targets; other applications bring their own",
            "remove it",
        )


def _unsuited(root: Mapping) -> Iterator[Problem]:
    if not _is_asgi(root):
        return
    for item in items_of(child(root, "workers")):
        workers = _read(words.workers, item)
        if workers is not None and not workers.suits_asgi:
            yield at(
                item.place,
                f"'{workers.word}' cannot carry an ASGI application, whose requests are tasks",
                "write sync, tasks:N or tasks:N:empty, or leave 'workers' out",
            )


def _uncontrolled(root: Mapping) -> Iterator[Problem]:
    schedule = child(root, "schedule")
    kind = child(schedule, "kind") if isinstance(schedule, Mapping) else schedule
    if not isinstance(kind, Scalar) or kind.value not in words.SCHEDULES[1:]:
        return
    for item in items_of(child(root, "workers")):
        workers = _read(words.workers, item)
        if workers is not None and not workers.can_be_controlled:
            yield at(
                item.place,
                f"'{workers.word}' cannot be controlled by a schedule in this version",
                "write sync, threads:N, greenlets:N or tasks:N, or leave 'workers' out",
            )


def _is_asgi(root: Mapping) -> bool:
    kind = child(root, "target", "kind")
    return isinstance(kind, Scalar) and kind.value == "asgi"


def _twice(parent: Node | None, key: str) -> Iterator[Problem]:
    seen: set[str] = set()
    for item in items_of(child(parent, key)):
        if isinstance(item, Scalar):
            word = " ".join(item.text.split())
            if word in seen:
                yield at(item.place, f"'{word}' stands twice in '{key}'", "remove one of the two")
            seen.add(word)


def _patterns(root: Mapping) -> Iterator[Problem]:
    expect = root.values.get("expect")
    if not isinstance(expect, Mapping):
        return
    carried = _words_of(child(root, "workers"), _default_workers(root), words.workers)
    kept = _storages(root)
    for pattern, place in expect.keys.items():
        known = _read(words.cell_pattern, pattern)
        # A pattern that is none, and `*`, are no matter of which cells there are.
        where, _, who = ("*", "", "*") if known in (None, "*") else known.partition("/")
        if kept and where != "*" and where not in kept:
            yield _no_cell(place, pattern, [f"{each}/{who}" for each in kept])
        elif carried and who not in ("*", *carried):
            yield _no_cell(place, pattern, [f"{where}/{each}" for each in carried])


def _default_workers(root: Mapping) -> tuple[str, ...]:
    if server_rules.is_http(root):
        return tuple(word for word in DEFAULT_WORKERS if words.workers(word).needs_gevent)
    if not _is_asgi(root):
        return DEFAULT_WORKERS
    return tuple(word for word in DEFAULT_WORKERS if words.workers(word).suits_asgi)


def _storages(root: Mapping) -> list[str]:
    kind = child(root, "target", "kind")
    word = kind.value if isinstance(kind, Scalar) else "auto"
    if word in ("wsgi", "asgi", "http"):
        return ["app"]
    # What an application is that says `auto` is known only once it was imported.
    default = ("contextvar",) if word == "runtime" else (*words.STORAGES, "app")
    found = _words_of(child(root, "target", "storage"), default, words.storage)
    return [*found, "app"] if word == "auto" and found else found


def _words_of(
    node: Node | None, default: tuple[str, ...], reader: Callable[[object], object]
) -> list[str]:
    """The words of a list; none where one of them is wrong, since the others prove nothing then."""
    found = [each for each in items_of(node) if isinstance(each, Scalar)]
    if any(_read(reader, each) is None for each in found):
        return []
    return [" ".join(each.text.split()) for each in found] or list(default)


def _no_cell(place: nodes.Place, pattern: str, cells: list[str]) -> Problem:
    hint = words.did_you_mean(pattern, cells) or f"there are for example {', '.join(cells[:4])}"
    return at(place, f"'{pattern}' matches no cell of this scenario", hint)


def _variables(root: Mapping) -> dict[str, Scalar]:
    declared = child(root, "users", "vars")
    if not isinstance(declared, Mapping):
        return {}
    return {name: each for name, each in declared.values.items() if isinstance(each, Scalar)}


def _flows(root: Mapping) -> Iterator[Sequence]:
    flows = root.values.get("flows")
    named = flows.values.values() if isinstance(flows, Mapping) else ()
    for steps in chain([root.values.get("steps")], (child(flow, "steps") for flow in named)):
        if isinstance(steps, Sequence):
            yield steps


def _flow(steps: Sequence, known: Known, source: Lines) -> Iterator[Problem]:
    yield from _more_than_once(steps)
    for step in steps.items:
        if not isinstance(step, Mapping):
            continue
        yield from _one_method(step)
        yield from _one_body(step)
        yield from _texts(step, known, source)
        name, captures = step.values.get("as"), step.values.get("captures")
        given = captures.keys if isinstance(captures, Mapping) else {}
        yield from _captures(step, given)
        if isinstance(name, Scalar):
            yield from _step_name(name, known)
            captured = (f"{name.text}.{each}" for each in given)
            known = replace(
                known, steps=known.steps | {name.text}, captured=known.captured.union(captured)
            )


def _more_than_once(steps: Sequence) -> Iterator[Problem]:
    once = [
        each
        for each in steps.items
        if isinstance(each, Mapping)
        and isinstance(said := each.values.get("once"), Scalar)
        and said.value is True
    ]
    if once and len(once) == len(steps.items):
        yield at(
            once[-1].keys["once"],
            "later visits would send nothing, since each step is sent once",
            "add a step that is sent in every visit, or remove  once",
        )


def _captures(step: Mapping, given: AnyMapping[str, nodes.Place]) -> Iterator[Problem]:
    if given and "as" not in step.values:
        first = next(iter(given))
        yield at(
            step.keys["captures"],
            "what is captured has no name to be called by, since the step has none",
            f"name the step, as with  as: first  and write {{first.{first}}} in later steps",
        )
    for name, place in given.items():
        if name == "canary":
            yield at(place, "'canary' is the step's own canary", "write another name")


def _one_method(step: Mapping) -> Iterator[Problem]:
    methods = [key for key in step.values if key in METHODS]
    # A mistyped method is told as an unknown key; its suggestion is all there is to say.
    if not methods and not any(_like_method(key) for key in step.values):
        start = step.place
        place = nodes.Place(start.line, start.column, 1, start.start, start.end)
        message = "this step sends nothing: it has no method"
        yield at(place, message, "add for example  get: /cart")
    for extra in methods[1:]:
        yield at(
            step.keys[extra],
            f"this step has both '{methods[0]}' and '{extra}'; it can send one request",
            "begin a new step with '- '",
        )


def _like_method(key: str) -> bool:
    hint = words.did_you_mean(key, _STEP_KEYS)
    return key not in _STEP_KEYS and hint in [f"did you mean '{each}'?" for each in METHODS]


def _one_body(step: Mapping) -> Iterator[Problem]:
    bodies = [key for key in step.values if key in BODIES]
    for extra in bodies[1:]:
        yield at(
            step.keys[extra],
            f"this step has both '{bodies[0]}' and '{extra}'; a request has one body",
            "remove one of the two",
        )


def _texts(step: Mapping, known: Known, source: Lines) -> Iterator[Problem]:
    for key in (*METHODS, *_SENT):
        if key in step.values:
            yield from placeholders.in_value(step.values[key], known, source)
    for key in ("contains", "absent", "json"):
        expected = child(step, "expect", key)
        if expected is not None:
            yield from placeholders.in_value(expected, known, source)
    if "auth" in step.values:
        yield from _login_name(step.values["auth"])
    for text in items_of(step.values.get("mine")):
        yield from _mine(text, known)


def _login_name(auth: Node) -> Iterator[Problem]:
    first = items_of(auth)[:1]
    if first and isinstance(first[0], Scalar) and ":" in first[0].text:
        yield at(first[0].place, "a login name for Basic cannot hold ':'", "remove the ':'")


def _mine(text: Node, known: Known) -> Iterator[Problem]:
    if not isinstance(text, Scalar):
        return
    if not all(word in known.words for word in placeholders.SHAPE.findall(text.text)):
        # What is wrong with the text is told already, and hides whether users differ in it.
        return
    captured = [word for word in placeholders.SHAPE.findall(text.text) if word in known.captured]
    if captured:
        yield at(
            text.place,
            f"'mine' holds {{{captured[0]}}}, which is another in each visit",
            "write it under  expect: {contains: ...}  instead",
        )
    elif not known.tell_users_apart(text.text):
        yield _same_for_all(text)
    elif known.is_number(text.text):
        yield at(
            text.place,
            f"'mine' is no more than a number: any number on a page would be taken for "
            f"'{text.text[:40]}'",
            'write letters beside it, as with  users: {vars: {name: "user{n}"}}',
        )


def _same_for_all(text: Scalar) -> Problem:
    return at(
        text.place,
        f"'mine' is the same for every user: '{text.text[:40]}' can belong to nobody",
        'write a text with {user.canary}, or a variable with {n}: "{user.name}"',
    )


def _step_name(name: Scalar, known: Known) -> Iterator[Problem]:
    if name.text in _RESERVED:
        yield at(name.place, f"a step cannot be named '{name.text}'", "write another name")
    elif name.text in known.steps:
        yield at(name.place, f"an earlier step is named '{name.text}' too", "write another name")
