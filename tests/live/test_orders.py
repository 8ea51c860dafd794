"""What a harness is told to carry in place of what the scenario says."""

import pytest

from ctxsim.errors import UsageError
from ctxsim.jobs import jobs_of
from ctxsim.live.orders import Order
from ctxsim.rehearsing import last_process

TEXT = """
version: 1
name: shop
target: {app: shop:app, kind: runtime}
steps: [{get: /a}]
seed: 40
workers: [sync, "threads:2"]
"""


def order(**more):
    return Order("shop.yaml", text=TEXT, **more)


def test_an_order_is_the_same_after_its_journey():
    sent = order(seed="7", users=3, part=2)
    assert Order.from_json(sent.to_json()) == sent


def test_each_part_has_a_seed_and_numbers_of_its_own():
    orders = [order(part=part) for part in range(3)]
    assert [each.scenario().seed for each in orders] == [40, 41, 42]
    firsts = [each.options(each.scenario()).first_process for each in orders]
    assert len(set(firsts)) == 3
    assert firsts == sorted(firsts)


@pytest.mark.parametrize("words", ["sync", "sync,threads:2,threads:4,tasks:4,greenlets:9"])
def test_no_process_of_a_part_has_a_number_of_the_next_part(words):
    """Also those that carry requests alone, however many that are at the most."""
    one, other = (order(part=part, workers=words, seed="3") for part in (1, 2))
    scenario = one.scenario()
    jobs = jobs_of(scenario, 3, one.options(scenario))
    assert last_process(jobs) < other.options(scenario).first_process


def test_what_is_said_comes_before_what_the_file_says():
    said = order(
        seed="7", workers="tasks:4", storage="thread,shared", faults="error: 5%, abort: 0%"
    )
    scenario = said.scenario()
    assert scenario.seed == 7
    assert [each.word for each in scenario.workers] == ["tasks:4"]
    assert scenario.target.storage == ("thread", "shared")
    assert (scenario.faults.error, scenario.faults.abort) == (0.05, 0.0)
    assert order(faults="none").scenario().faults.cancel == 0.0


@pytest.mark.parametrize(
    "words",
    [
        {"seed": "seven"},
        {"workers": "threads"},
        {"storage": "nowhere"},
        {"faults": "5%"},
        {"faults": "error: 60%, abort: 60%"},
        {"faults": "error: 1%, error: 1%"},
    ],
)
def test_what_cannot_be_is_refused(words):
    with pytest.raises(UsageError):
        order(**words).scenario()


def test_users_cannot_come_and_go_under_a_schedule():
    with pytest.raises(UsageError, match="schedule: auto"):
        Order("shop.yaml", text=TEXT + "schedule: auto\n").scenario()


@pytest.mark.parametrize("words", [{"users": 70_000}, {"part": 400}])
def test_more_than_canaries_can_tell_apart_is_refused(words):
    with pytest.raises(UsageError, match="too many"):
        order(**words).options(order().scenario())


@pytest.mark.parametrize(("workers", "refused"), [("sync", False), ("sync,threads:2", True)])
def test_a_server_is_sent_to_by_one_kind_of_workers_at_a_time(workers, refused):
    text = TEXT.replace("app: shop:app, kind: runtime", "kind: http, url: 'http://127.0.0.1:8000'")
    asked = Order("shop.yaml", text=text, workers=workers)
    if refused:
        with pytest.raises(UsageError, match="one kind of workers at a time"):
            asked.options(asked.scenario())
    else:
        assert asked.options(asked.scenario()).jobs == 1
