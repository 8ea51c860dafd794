"""What master and workers say to each other about a run, without Locust."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from ctxsim.live import master as masters
from ctxsim.live import worker as workers
from ctxsim.live.master import HELLO, NEWS, ORDER, Master
from ctxsim.live.orders import Order
from ctxsim.live.worker import Deeds, Worker

TEXT = """
version: 1
name: shop
target: {app: shop:app, kind: runtime}
steps: [{get: /a}]
workers: [sync]
"""
ORDERED = Order("shop.yaml", text=TEXT)


@dataclass
class Message:
    node_id: str
    data: Any = None


@dataclass
class Runner:
    """Locust's, as far as it is asked; what is sent is kept."""

    clients: dict[str, Any] = field(default_factory=dict)
    state: str = "ready"
    sent: list[tuple[str, Any]] = field(default_factory=list)
    listeners: dict[str, Any] = field(default_factory=dict)
    last_heartbeat_timestamp: float | None = None

    def register_message(self, kind: str, listener: Any, **_options: object) -> None:
        self.listeners[kind] = listener

    def send_message(self, kind: str, data: Any = None, _client: str | None = None) -> None:
        self.sent.append((kind, data))

    def stop(self, **_options: object) -> None:
        self.state = "stopped"

    def hears(self, kind: str, message: Message) -> None:
        self.listeners[kind](environment=None, msg=message)


@pytest.fixture(autouse=True)
def nobody_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each message is given by the test; threads would go on after it."""
    monkeypatch.setattr(Master, "_watch", lambda _self: None)
    monkeypatch.setattr(workers, "_AGAIN_S", 0.01)


def told(runner: Runner, kind: str) -> list[Any]:
    return [data for each, data in runner.sent if each == kind]


def test_what_an_earlier_run_says_late_is_not_said_of_the_next_one() -> None:
    """As that its harness has ended, which is so when the next run begins."""
    runner, begun = Runner(), []
    deeds = Deeds(lambda order, tell: begun.append((order, tell)), lambda: None, lambda _why: None)
    worker = Worker(runner, "", deeds)
    for run in ("aaaaaaaa", "bbbbbbbb"):
        order = json.dumps(replace(ORDERED, run=run).to_json())
        worker._on_order(None, Message("master", {"order": order}))
    (first, tell), (second, tell_of_second) = begun
    tell({"say": "gone"})
    tell_of_second({"say": "ready"})
    assert [each.run for each in (first, second)] == ["aaaaaaaa", "bbbbbbbb"]
    assert [data["run"] for data in told(runner, NEWS)] == ["aaaaaaaa", "bbbbbbbb"]


def test_who_comes_while_a_run_ends_has_no_part_of_it() -> None:
    """It would be told to finish no more, and keep the verdict waiting for minutes."""
    runner = Runner(clients={"one": None, "two": None})
    master = Master(runner, lambda: None)
    run = master.begin(ORDERED)
    runner.hears(HELLO, Message("one"))
    runner.clients["one"] = type("Client", (), {"state": "running"})
    master.end()
    runner.hears(HELLO, Message("two"))
    assert set(run.parts) == {"one"}
    following = master.begin(ORDERED)
    assert set(following.parts) == {"one", "two"}
    assert len(told(runner, ORDER)) == 3


@pytest.mark.timeout(10)
def test_a_worker_that_never_says_that_it_carries_scenarios_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As one of Locust's that was started with a locustfile of its own."""
    monkeypatch.setattr(masters, "_HELLO_S", 0.1)
    client = type("Client", (), {"state": "ready"})
    runner = Runner(clients={"ours": client, "another": client})
    master = Master(runner, lambda: None)
    runner.hears(HELLO, Message("ours"))
    run = master.begin(ORDERED)
    run.parts["ours"].ready = True
    master.await_ready()
    assert run.parts["ours"].lost == ""
    assert "carries scenarios" in run.parts["another"].lost
    assert len(told(runner, ORDER)) == 1
    # It may have been held up: the next run has a part for it.
    runner.hears(HELLO, Message("another"))
    assert "carries scenarios" in run.parts["another"].lost
    assert set(master.begin(ORDERED).parts) == {"ours", "another"}
