"""What is left of a found script: as few requests as it takes, and those before it in turn."""

from ctxsim.cell.history import Event, Who
from ctxsim.cell.schedule.choices import Schedule
from ctxsim.cell.schedule.points import Points, Switch, points_of
from ctxsim.cell.searching.scripts import Script, Window
from ctxsim.cell.searching.settling import settle
from ctxsim.cell.searching.shown import Player, Shown

EVENT = Event("answer.foreign", "body", Who(1, 1, "GET /me"), Who(2, 1, "GET /me"), "request")


def play(shows):
    """Carries scripts in which a window shows the finding by the windows that were sent before."""

    def carry(script, _):
        sent = []
        for number, window in enumerate(script.windows, 1):
            if number - 1 in script.passed_over:
                continue
            if shows(sent, window):
                steps = tuple(worker for worker in range(len(window.lanes)) for _ in "ab")
                schedule = Schedule(steps, (len(window.lanes),) * len(steps))
                return Shown(EVENT, number, schedule, points_of(schedule))
            sent.append(window)
        return None

    return carry


def test_where_it_matters_how_many_came_before_these_come_one_by_one():
    def shows(sent, window):
        uses = sum(window.requests for window in sent)
        # As after each 20th use of a pool; or later, if the last ones before have met.
        return window.requests > 1 and (uses == 20 or (uses > 30 and sent[-1].requests > 1))

    lanes = iter(range(100))
    counts = [3] + [2] * 15
    windows = [
        Window(tuple((next(lanes),) for _ in range(count)), 1, Points(tuple(range(count))))
        for count in counts
    ]
    settled = settle(
        Script(0, tuple(windows)), EVENT.cause, Player(play(shows)), 300, lambda: False
    )
    sent = [
        window
        for number, window in enumerate(settled.script.windows)
        if number not in settled.script.passed_over
    ]
    assert [window.requests for window in sent] == [1] * 20 + [2]


def test_who_has_to_meet_before_the_last_window_does_so_with_as_few_preemptions_as_it_takes():
    torn = Switch(0, 7, 1)

    def shows(sent, window):
        met = [each.points for each in sent if each.points is not None]
        return window.requests == 1 and any(torn in points.preemptions for points in met)

    switches = [
        switch for step in range(1, 12) for switch in (Switch(0, step, 1), Switch(1, step, 0))
    ]
    met = Window(((0,), (1,)), 1, Points((0, 1), tuple(switches)))
    script = Script(0, (met, Window(((2,),), 1)))
    settled = settle(script, EVENT.cause, Player(play(shows)), 300, lambda: False)
    first, _ = settled.script.windows
    assert first.points.preemptions == (torn,)
