"""What harness and cell say to each other: one JSON object a line, over one pair of sockets.

    harness -> cell    {"say": "plan", "plan": {...}}           first, once
                       {"say": "stop"}                          finish what is in flight, then end
                       {"say": "users", "count": n}             of a live load: so many are there
                       {"say": "finish"}                        of a live load: all have gone
    cell -> harness    {"say": "ready", "target": {...}}        the application is imported
                       {"say": "event", "event": {...}}         the first of a cause, at once
                       {"say": "origin", "cause": [...], "origin": {...}}
                                                                where the value of a cause came from
                       {"say": "case", "cause": [...], "case": {...}}
                                                                a schedule that shows a cause
                       {"say": "doubt", "text": "..."}          why it is not to be called clean;
                                                                "is_sure" of what a search saw
                       {"say": "remark", "text": "..."}         what else is to be known of it
                       {"say": "selected", "modules": [...], "packages": [...]}
                                                                in whose lines a search switched
                       {"say": "tally", "tally": {...}, "counts": [[cause, n], ...]}
                                                                from time to time, and last
                       {"say": "requests", "rows": [[step, us, why it failed], ...]}
                                                                of a live load: each that ended
                       {"say": "stacks", "stacks": [...]}       where everything stands
                       {"say": "learnt", "lesson": {...}}       how requests are answered alone
                       {"say": "trying", "route": "GET /x"}     in a look or a replay: what is sent
                       {"say": "sight", "sight": {...}}         what a look saw
                       {"say": "end", "ending": null | {...}}   the last word

Everything that was said before a cell dies counts; an event is sent before the request that showed
it goes on, so that nothing found is lost by a crash.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from typing import Any

Message = dict[str, Any]


def encode(message: Message) -> bytes:
    return json.dumps(message, separators=(",", ":"), ensure_ascii=True).encode() + b"\n"


class Lines:
    """Bytes in, whole messages out; what is no message of ours is refused, never guessed at."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[Message]:
        """Yield each message that `data` completes; raises ValueError on a line that is none."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            message = json.loads(line)
            if not isinstance(message, dict) or "say" not in message:
                raise ValueError(f"not a message: {line[:80]!r}")
            yield message


class Channel:
    """The cell's end of the pair.

    It is built from what the caller kept before anything was monkey-patched: `send` must neither
    switch greenlets (it is called in the middle of requests) nor be interleaved by native threads.
    """

    def __init__(self, end: socket.socket, lock: Any, send: Callable[[bytes], object]) -> None:
        self.end = end
        self._lock = lock
        self._send = send
        self._open = True

    def say(self, message: Message) -> None:
        data = encode(message)
        with self._lock:
            if self._open:
                self._send(data)

    def close(self) -> None:
        """Say nothing any more; in a forked child this is not our conversation."""
        self._open = False
