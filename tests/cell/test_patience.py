"""How long the answers of a server are waited for, and which routes are given up."""

from __future__ import annotations

import pytest

from ctxsim.cell.targets.patience import Patience


class Server:
    """A server of which routes answer at once, or never; its clock passes while they are asked."""

    def __init__(self, clients: int = 1) -> None:
        self.patience = Patience(20.0, clients)
        self.given_up: list[str] = []
        self.patience.on_give_up = self.given_up.append
        self.now = 0.0

    def hangs(self, route: str) -> float:
        """How long an answer was waited for in vain."""
        waited_s, since = self.patience.seconds(route), self.now
        self.now += waited_s
        self.patience.waited(route, since, self.now)
        return waited_s

    def answers(self, route: str, after_s: float = 0.01) -> None:
        self.now += after_s
        self.patience.answered_at[route] = self.now
        self.patience.slowest_s = max(self.patience.slowest_s, after_s)


def test_a_route_that_never_answers_is_waited_for_less_and_less_and_given_up() -> None:
    server = Server()
    waited = []
    while not server.given_up:
        waited.append(server.hangs("/stuck"))
        server.answers("/well")
    assert waited == [20, 10, 5, 2.5]
    assert server.given_up == ["/stuck"]
    assert server.patience.seconds("/well") == 20


def test_an_answer_may_take_ten_times_what_the_slowest_one_took() -> None:
    server = Server()
    server.answers("/slow", 1.5)
    waited = [server.hangs("/slow") for _ in range(4)]
    assert waited == [20, 15, 15, 15]


def test_a_route_that_answers_now_and_then_is_given_up_when_it_has_cost_too_much() -> None:
    server = Server(clients=2)
    waited = []
    while not server.given_up:
        waited.append(server.hangs("/flaky"))
        server.answers("/flaky")
    assert waited[:5] == [20, 10, 5, 2.5, 2]
    assert 120 <= sum(waited) < 122


def test_requests_that_hang_at_the_same_time_give_up_no_route_that_has_answered_meanwhile() -> None:
    server = Server(clients=100)
    server.now = 10.0
    server.answers("/now and then")
    for _ in range(50):
        server.patience.waited("/now and then", 0.0, 20.0)
    assert not server.given_up
    for _ in range(4):
        server.patience.waited("/now and then", 11.0, 31.0)
    assert server.given_up == ["/now and then"]


@pytest.mark.parametrize("routes", [1, 3, 30])
def test_a_server_that_answers_nothing_costs_little_for_each_of_its_routes(routes: int) -> None:
    server = Server()
    server.answers("/0")
    for route in range(routes):
        while f"/{route}" not in server.given_up:
            server.hangs(f"/{route}")
    assert server.now < 40 + 16 + 2 * routes


def test_a_server_that_answers_again_is_waited_for_as_before() -> None:
    server = Server()
    for _ in range(4):
        server.hangs("/stuck")
    assert server.patience.seconds("/other") < 3
    server.answers("/well")
    assert server.patience.seconds("/other") == 20
