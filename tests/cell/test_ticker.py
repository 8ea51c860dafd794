"""When the ticker says that nothing ends any more."""

from ctxsim.cell.ticker import Standstill


def test_a_standstill_takes_its_time_from_the_begin_of_the_load():
    """The first look may come right after the load's begin, when nothing can have ended."""
    standstill = Standstill(0.25, 100.0)
    assert not standstill.begins(0, 100.0)
    assert not standstill.begins(0, 100.2)
    assert standstill.begins(0, 100.25)


def test_a_standstill_is_told_once_and_again_after_a_request_has_ended():
    standstill = Standstill(1.0, 0.0)
    assert standstill.begins(0, 1.0)
    assert not standstill.begins(0, 5.0)
    assert not standstill.begins(1, 9.0)
    assert not standstill.begins(1, 9.9)
    assert standstill.begins(1, 10.0)
