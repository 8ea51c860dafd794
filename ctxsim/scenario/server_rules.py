"""What must hold where the target is a server: what cannot be said of one, and what must be."""

from __future__ import annotations

from collections.abc import Iterator

from ctxsim.errors import Problem
from ctxsim.scenario import words
from ctxsim.scenario.nodes import Mapping, Node, Place, Scalar, child, items_of
from ctxsim.scenario.problems import at

_OF_SERVER = ("url", "ca", "start", "wait")
_OF_APPLICATION = ("app", "python", "path")
_NO_FAULT = ("0", "0%")


def is_http(root: Mapping) -> bool:
    """Whether the file says that the target is a server."""
    kind = child(root, "target", "kind")
    return isinstance(kind, Scalar) and kind.value == "http"


def broken(root: Mapping) -> Iterator[Problem]:
    """The problems of a whole file that come of what its target is."""
    target = root.values.get("target")
    if not isinstance(target, Mapping):
        return
    if is_http(root):
        yield from _of_server(root, target)
    else:
        yield from _of_application(root, target)
    yield from _rate(root)


def _of_application(root: Mapping, target: Mapping) -> Iterator[Problem]:
    told = [key for key in _OF_SERVER if key in target.values]
    for key in told:
        yield at(target.keys[key], f"'target.{key}' is for servers", "write beside it  kind: http")
    if not told and "app" not in target.values:
        yield at(root.keys["target"], "'target.app' is missing", "add  app: shop.wsgi:app")
    if "connections" in root.values:
        hint = "remove it, or name a server: {kind: http, url: http://127.0.0.1:8000}"
        yield at(root.keys["connections"], "'connections' is for servers", hint)


def _of_server(root: Mapping, target: Mapping) -> Iterator[Problem]:
    if "url" not in target.values and "app" not in target.values:
        yield at(root.keys["target"], "'target.url' is missing", "add  url: http://127.0.0.1:8000")
    for key in _OF_APPLICATION:
        if key in target.values:
            hint = (
                "write it into  start: ..." if key != "app" else "write  url: http://127.0.0.1:8000"
            )
            yield at(
                target.keys[key],
                f"'target.{key}' is for what ctxsim imports",
                hint,
            )
    if "env" in target.values and "start" not in target.values:
        yield at(
            target.keys["env"],
            "'target.env' is for what ctxsim starts; this server runs already",
            "remove it, or add  start: ...",
        )
    url = target.values.get("url")
    if "ca" in target.values and not (isinstance(url, Scalar) and url.text.startswith("https:")):
        message = "'target.ca' is for servers that encrypt"
        yield at(target.keys["ca"], message, "write  url: https://127.0.0.1:8443")
    for key in ("probes", "keeps"):
        if key in root.values:
            message = f"'{key}' is for what ctxsim imports: a server cannot be looked into"
            yield at(root.keys[key], message, "remove it")
    yield from _workers(root)
    yield from _schedule(root)
    yield from _faults(root)
    for each in items_of(root.values.get("shared")):
        if isinstance(each, Scalar) and not each.text.startswith("/"):
            yield at(each.place, "a server's objects cannot be seen", 'name a route: "/wall"')


def _workers(root: Mapping) -> Iterator[Problem]:
    for item in items_of(root.values.get("workers")):
        try:
            found = words.workers(item.value if isinstance(item, Scalar) else item)
        except words.WordError:
            # Told by the model.
            continue
        if not found.suits_http:
            yield at(
                item.place,
                f"'{found.word}' cannot be clients of a server in this version",
                "write sync, threads:N or greenlets:N: which workers serve is the server's matter",
            )


def _schedule(root: Mapping) -> Iterator[Problem]:
    schedule = root.values.get("schedule")
    kind = child(schedule, "kind") if isinstance(schedule, Mapping) else schedule
    if isinstance(kind, Scalar) and kind.value in words.SCHEDULES[1:]:
        yield at(kind.place, "a schedule cannot control another process", "remove 'schedule'")


def _faults(root: Mapping) -> Iterator[Problem]:
    for key in ("error", "cancel"):
        share = child(root, "faults", key)
        if isinstance(share, Scalar) and share.text.strip() not in _NO_FAULT:
            message = f"'faults.{key}' befalls what ctxsim imports: a client can only leave"
            yield at(_key_of(root.values["faults"], key), message, "write  faults: {abort: 2%}")


def _key_of(node: Node, key: str) -> Place:
    assert isinstance(node, Mapping)
    return node.keys[key]


def _rate(root: Mapping) -> Iterator[Problem]:
    load = root.values.get("load")
    if not isinstance(load, Mapping) or "rate" not in load.values:
        return
    place = load.keys["rate"]
    if not is_http(root):
        yield at(place, "'load.rate' is for servers in this version", "remove it")
    elif "duration" not in load.values:
        yield at(place, "'load.rate' says how fast, not how long", "add  duration: 30s")
