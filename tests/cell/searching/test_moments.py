"""Which of many requests one by one do what none did before, and when that is tried."""

from ctxsim.cell.searching.moments import Moment, Noticing, Scouting

CODE = compile("pass", "shop.py", "exec")


def noticed(*trails):
    """The moments of requests for one step that came by these lines, with the lane 7."""
    noticing = Noticing()
    for before, lines in enumerate(trails):
        noticing.look(0, 7, before, [[(CODE, line) for line in lines]])
    return noticing.moments(3, 0)


def test_a_line_that_no_request_came_to_before_is_a_moment():
    usual = [(1, 2)] * 40
    assert noticed(*usual, (1, 9, 2), *usual, (1, 9, 2)) == (Moment(3, 0, 40, 7),)


def test_a_line_that_is_passed_far_more_often_is_a_moment_and_once_more_is_none():
    usual = [(1, 2, 2), (1, 2, 2, 2)] * 20
    assert noticed(*usual, (1, *(2,) * 8)) == (Moment(3, 0, 40, 7),)
    assert noticed(*usual, (1, 2, 2), (1, 2, 2, 2)) == ()


def test_what_the_first_requests_for_a_step_do_is_none():
    assert noticed(*((line,) for line in range(20))) == ()


def test_the_rarest_come_first_and_there_are_few():
    usual = [(1,)] * 30
    rare = [[(line,), *usual] for line in range(2, 9)]
    moments = noticed(*usual, *(trail for each in rare for trail in each))
    assert [each.requests for each in moments] == [30 + 31 * n for n in (6, 5, 4, 3)]


def test_ordinary_batches_come_between_moments():
    scouting = Scouting()
    moments = [Moment(9, 0, before, 1) for before in (50, 90)]
    scouting.noticed(moments)
    assert [scouting.next() for _ in range(5)] == [moments[0], None, moments[1], None, None]
