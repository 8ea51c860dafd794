"""Whether turns are the reason, which no order of the same requests one by one may be."""

from math import factorial, prod

from hypothesis import given
from hypothesis import strategies as st

from ctxsim.cell.searching.orders import is_by_turns, one_by_one, orders_of
from ctxsim.cell.searching.scripts import Script, Window

CAUSE = ("answer.otherwise", "GET /who", "body", "")


@given(st.lists(st.integers(1, 3), min_size=2, max_size=4))
def test_each_order_comes_once_and_leaves_those_of_a_worker_in_theirs(counts):
    lanes = iter(range(sum(counts)))
    workers = tuple(tuple(next(lanes) for _ in range(count)) for count in counts)
    count = factorial(sum(counts)) // prod(map(factorial, counts))
    orders = orders_of(workers)
    assert (orders is None) == (count > 30)
    found = [] if orders is None else [[lane for (lane,) in order] for order in orders]
    assert len(found) == len(set(map(tuple, found))) == (0 if orders is None else count)
    for order in found:
        assert all(sorted(worker, key=order.index) == list(worker) for worker in workers)


def by_turns(workers, *shown_in):
    """Whether turns are found to be the reason where these orders one by one show it as well."""
    script = Script(0, (Window(workers, 1),))
    alone = {one_by_one(script, order).windows for order in shown_in}
    assert all(len(each) == sum(map(len, workers)) for each in alone)

    def play(played, _):
        is_one_by_one = all(window.requests == 1 for window in played.windows)
        return not is_one_by_one or played.windows in alone

    return is_by_turns(script, CAUSE, play)


def test_turns_of_four_requests_are_the_reason_where_none_of_their_orders_is():
    workers = ((0,), (1,), (2,), (3,))
    assert by_turns(workers)
    assert not by_turns(workers, ((3,), (1,), (2,), (0,)))


def test_an_order_in_which_one_comes_between_two_of_a_worker_is_one_too():
    assert by_turns(((0, 1), (2,)))
    assert not by_turns(((0, 1), (2,)), ((0,), (2,), (1,)))


def test_what_has_too_many_orders_is_not_said_to_be_because_of_turns():
    assert not by_turns(tuple((lane,) for lane in range(5)))
    assert not by_turns(((0, 1),))
