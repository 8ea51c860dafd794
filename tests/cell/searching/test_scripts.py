"""Scripts as values: their JSON, and what is left of a window without some of its requests."""

import json

from hypothesis import given
from hypothesis import strategies as st

from ctxsim.cell.schedule.points import Points, Switch
from ctxsim.cell.searching.scripts import Script, Window

LANES = st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=3), min_size=1, max_size=4)
SWITCHES = st.builds(Switch, st.integers(0, 3), st.integers(1, 50), st.integers(0, 3))
POINTS = st.builds(
    lambda order, switches: Points(tuple(order), tuple(switches)),
    st.permutations(range(4)),
    st.lists(SWITCHES, max_size=4, unique_by=lambda each: each.key),
)


@st.composite
def windows(draw):
    lanes = tuple(map(tuple, draw(LANES)))
    return Window(lanes, draw(st.integers(0, 2**48)), draw(st.none() | POINTS))


@given(st.integers(0), st.lists(windows(), min_size=1, max_size=4), st.sets(st.integers(0, 3)))
def test_a_script_is_the_same_after_its_way_through_json(variation, carried, passed_over):
    script = Script(variation, tuple(carried), frozenset(passed_over))
    assert Script.from_json(json.loads(json.dumps(script.as_json()))) == script


@given(windows(), st.data())
def test_a_window_keeps_the_requests_that_it_is_told_to_in_their_order(window, data):
    kept = tuple(sorted(data.draw(st.sets(st.integers(0, window.requests - 1), min_size=1))))
    left = window.of(kept, Points(()))
    before = [lane for worker in window.lanes for lane in worker]
    assert [lane for worker in left.lanes for lane in worker] == [before[n] for n in kept]


@given(windows())
def test_in_turn_each_request_has_a_window_of_its_own(window):
    alone = list(window.in_turn)
    assert all(each.requests == 1 for each in alone)
    assert [each.lanes[0][0] for each in alone] == [
        lane for worker in window.lanes for lane in worker
    ]


def test_workers_that_carry_nothing_more_are_gone():
    """A point names a worker among those that are left."""
    window = Window(((1, 2), (3,)), 0)
    assert window.of((0, 1), Points(())).lanes == ((1, 2),)
    assert window.of((1, 2), Points(())).lanes == ((2,), (3,))
    assert Window(((1,), (3,)), 0).of((1,), Points(())).lanes == ((3,),)
