"""One batch of a search: in a copy of the process, requests one by one, then windows of a few.

What goes wrong may need a state that is rare, such as a cache that is warm, a pool's last
connection or a number that has come round. So batches differ in how many requests come first, and
each window begins where those before it have left the application. A scout is a batch with very
many requests first; what it noticed are rare moments, at which other batches begin.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice, starmap
from random import Random
from typing import Any

from ctxsim.cell.history import Event, Tally
from ctxsim.cell.schedule.choices import Lengths
from ctxsim.cell.schedule.choosing import Strategy
from ctxsim.cell.schedule.execution import Escape, Execution, Livelock, StepLimit
from ctxsim.cell.schedule.points import points_of
from ctxsim.cell.schedule.strategies import strategy
from ctxsim.cell.schedule.strategies.portfolio import Portfolio
from ctxsim.cell.searching.forks import in_fork
from ctxsim.cell.searching.moments import Moment, Noticing
from ctxsim.cell.searching.scripts import Script, Window
from ctxsim.cell.searching.stage import Carried, Stage
from ctxsim.errors import DivergedError

# How many requests come first, one by one, and how many windows then follow, and crowds; batches
# take turns. Most are no more than the very first requests: these do what later ones do not, such
# as to fill a cache, and only a new copy of the process does it again. They are short, and so take
# little time.
_SHAPES = (
    (2, 36, 4), (0, 2, 0), (0, 2, 0), (3, 36, 4), (0, 0, 2), (0, 2, 0),
    (0, 36, 4), (0, 2, 0), (0, 2, 0), (12, 36, 4), (0, 2, 0), (0, 0, 2),
    (1, 74, 6), (0, 2, 0), (0, 2, 0), (40, 74, 6), (0, 0, 2), (0, 2, 0),
)  # fmt: skip
# How many requests a window has, and how many each of its workers carries: by these shares.
_AT_ONCE = (2, 2, 2, 3)
_EACH = (1, 1, 1, 2)
_IN_ORDER = (4, 6, 10, 16)
MOST_AT_ONCE = max(_AT_ONCE)
# In a crowd: a pool may have nothing left for so many, or all may hold what all wait for.
_CROWDS = (4, 6, 8, 12, 16)
# Of the others in a window, so many are about to send the same as its first one.
_ALIKE = 0.5
_SEED_BITS = 48
# After so many requests, a user's visits have not come to a step.
_MOST_ON_THE_WAY = 60
# A batch that is long ends after so many, since nothing is heard of it before.
_MOST_STEPS = 30_000
# So does one that carries many requests in order, because what an application keeps of them may
# make each one slower.
_MOST_IN_ORDER = 200
# A scout carries so many requests one by one, and ends them earlier after so many steps, or where
# requests are so slow that the harness would take it for one that hangs; then come a few windows.
MOST_SCOUTED, MOST_SCOUTED_S, _SCOUTED_STEPS, _AFTER_SCOUTED = 2_000, 8.0, 100_000, 20
# At a moment: with so many others who come at the same time, and how many schedules with each.
_COMPANIES, _SCHEDULES = 3, 6


@dataclass(slots=True)
class Scene:
    """What is known of windows that send the same steps: how long they were, what was tried.

    Where each begins `from_one_state`, a schedule that cannot be followed is an error, and the
    strategy may come to its end.
    """

    strategy: Strategy
    from_one_state: bool = False
    measured: Lengths = field(default_factory=Lengths)
    executions: int = 0

    def carried(self, stage: Stage, window: Window, seed: int) -> Execution | None:
        """Carry a window by the strategy; None where the state was not what it had been."""
        chooser = self.strategy.begin(self.executions, seed, self.measured)
        try:
            execution = stage.carry(window, chooser).execution
        except DivergedError:
            if self.from_one_state:
                raise
            self.strategy = Portfolio(systematic=False)
            return None
        self.executions += 1
        self.strategy.ended(execution.schedule)
        self.measured = self.measured.including(execution.schedule)
        if self.strategy.exhausted and not self.from_one_state:
            self.strategy = Portfolio(systematic=False)
        return execution


# By the steps; crowds, of which hardly two send the same, by how many they are.
Scenes = dict[tuple[int, ...] | int, Scene]


@dataclass(frozen=True, slots=True)
class Wish:
    """What a batch is to do: the one of that `number` in the search with that `seed`.

    It ends after so many `executions`, and with the first event of a cause that is not `known`.
    `at_once` is how many requests a window may have at most; 1 for one worker that carries them one
    after the other. Where `one_each`, no worker carries two; where not `orders_first`, orders
    without a preemption are no likely ones.
    With a `pair` of steps it has one window, in which two users send these; what comes first is
    what brings the users there. A scout has as many requests first as it `scouts`. With a `moment`
    all windows begin there, each in a copy of the process. Visits end before the steps of
    `ends_before`.
    """

    number: int
    seed: int
    kind: str
    depth: int | None
    at_once: int
    one_each: bool
    orders_first: bool
    executions: int
    known: frozenset[tuple[str, ...]]
    pair: tuple[int, int] | None = None
    scouts: int = 0
    moment: Moment | None = None
    ends_before: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Batch:
    """What came of one batch: what it carried, and the events of its last window.

    `script` has no windows where none of these events is of a cause that is new. `executions`
    counts the windows that had a schedule; `seen` are the steps of requests that came to a switch
    point in the selected files.
    """

    script: Script
    events: tuple[Event, ...]
    executions: int
    steps: int
    seen: frozenset[int]
    tally: Tally
    sent: frozenset[int]
    # The steps of requests that came to their ends, and of those that were cut off.
    ended: frozenset[int]
    cut_off: frozenset[int]
    longest: dict[int, int]
    longest_cut_off: dict[int, int]
    # As the stage knows them.
    has_lost_threads: bool
    waits_in_vain: bool
    asked: dict[str, str]
    refused: dict[int, Escape]
    scenes: Scenes
    # What a scout noticed.
    moments: tuple[Moment, ...] = ()


@dataclass(slots=True)
class _Batch:
    """A batch while it is carried."""

    stage: Stage
    wish: Wish
    scenes: Scenes
    carried: list[tuple[Window, Execution | None]] = field(default_factory=list)
    executions: int = 0
    steps: int = 0

    @property
    def is_new(self) -> bool:
        return any(each.cause not in self.wish.known for each in self.stage.events)

    def add(self, window: Window, execution: Execution, *, is_first: bool) -> None:
        # Only how it went: what workers ended with may keep the application's objects alive.
        self.carried.append((window, replace(execution, workers=())))
        self.executions += not is_first
        self.steps += len(execution.schedule.steps)
        self.stage.look_at(execution)

    def before(self, window: Window) -> Carried:
        """Carry one of those that come before all schedules; how it goes, follows from them."""
        carried = self.stage.carry(window)
        self.steps += len(carried.execution.schedule.steps)
        self.carried.append((window, None))
        return carried

    def told(self, moments: tuple[Moment, ...] = ()) -> Batch:
        stage = self.stage
        return Batch(
            # To tell the switches and their sites takes as long as a short execution does.
            Script(
                self.wish.number,
                tuple(starmap(_told, self.carried)) if self.is_new else (),
                ends_before=self.wish.ends_before,
            ),
            tuple(stage.events),
            self.executions,
            self.steps,
            frozenset(stage.seen),
            stage.tally,
            stage.sent,
            frozenset(stage.ended),
            frozenset(stage.cut_off),
            stage.longest,
            stage.longest_cut_off,
            stage.has_lost_threads,
            stage.waits_in_vain,
            stage.asked,
            stage.refused,
            self.scenes,
            moments,
        )


def carry_batch(stage: Stage, wish: Wish, scenes: Scenes) -> Batch:
    """Carry a batch; to be called in a copy of the process, on a stage that is entered."""
    batch = _Batch(stage, wish, scenes)
    _carry_windows(batch, _windows(stage, wish))
    return batch.told()


def _carry_windows(batch: _Batch, windows: Iterator[Window]) -> None:
    stage, wish = batch.stage, batch.wish
    for window in windows:
        is_first = window.requests == 1
        if not is_first and batch.executions >= wish.executions:
            break
        stage.events.clear()
        execution = _execution(wish, batch.scenes, stage, window)
        if execution is None:
            break
        batch.add(window, execution, is_first=is_first)
        is_full = wish.at_once == 1 and stage.tally.requests > _MOST_IN_ORDER
        if execution.stopped or batch.steps > _MOST_STEPS or is_full or batch.is_new:
            break


def carry_scout(
    stage: Stage, wish: Wish, scenes: Scenes, selection: int, is_late: Callable[[], bool]
) -> Batch:
    """Carry a scout, as `carry_batch` does a batch; no more than it has when it `is_late`."""
    batch = _Batch(stage, wish, scenes)
    noticing = Noticing()
    chance = _chance(wish)
    for before, window in enumerate(islice(_one_by_one(stage, chance), wish.scouts)):
        stage.events.clear()
        carried = batch.before(window)
        if batch.is_new or carried.execution.stopped:
            return batch.told()
        ((step,),), ((lane,),) = carried.steps, window.lanes
        if not stage.has_fault:
            noticing.look(step, lane, before, carried.execution.trails)
        if batch.steps > _SCOUTED_STEPS or is_late():
            break
    batch.steps = 0
    _carry_windows(batch, islice(_together(stage, wish, chance), _AFTER_SCOUTED))
    return batch.told(noticing.moments(wish.number, selection))


def carry_moment(stage: Stage, wish: Wish, scenes: Scenes, lock: Any) -> tuple[Batch, ...]:
    """What comes first, and then windows that begin with a moment, each in a copy of its own."""
    assert wish.moment is not None
    batch = _Batch(stage, wish, scenes)
    for window in islice(_one_by_one(stage, _chance(wish)), wish.moment.requests):
        batch.before(window)
    stage.events.clear()
    batches = [batch.told()]
    for company in range(_COMPANIES):
        chance = Random(wish.seed << _SEED_BITS | wish.moment.requests * _COMPANIES + company)
        lanes = _at_once(stage, wish, chance, wish.moment.lane, _AT_ONCE)
        scene = Scene(_strategy(wish))
        for _ in range(min(_SCHEDULES, wish.executions)):
            window = Window(lanes, chance.getrandbits(_SEED_BITS))
            carried, scene = in_fork(partial(_at_moment, batch, window, scene), lock)
            batches.append(carried)
            if carried.script.windows:
                return tuple(batches)
    return tuple(batches)


def _at_moment(before: _Batch, window: Window, scene: Scene) -> tuple[Batch, Scene]:
    before.stage.go_on()
    batch = replace(before, steps=0)
    execution = scene.carried(batch.stage, window, batch.wish.seed)
    if execution is not None:
        batch.add(window, execution, is_first=False)
    return batch.told(), scene


def _told(window: Window, execution: Execution | None) -> Window:
    """The window with the switches by which it went, if there was an execution to choose them."""
    if execution is None:
        return window
    is_too_long = isinstance(execution.stopped, StepLimit | Livelock)
    # Of thousands of switches nobody reads the sites, and they take long to be counted.
    points = points_of(execution.decisive) if is_too_long else execution.points
    return replace(window, points=points)


def _execution(wish: Wish, scenes: Scenes, stage: Stage, window: Window) -> Execution | None:
    if wish.pair is not None and window.requests == 1:
        # On the way to the state from which all schedules of the pair begin.
        return stage.carry(window).execution
    if len(window.lanes) > MOST_AT_ONCE:
        scene = scenes.setdefault(len(window.lanes), Scene(_strategy_of_crowds(wish)))
        return scene.carried(stage, window, wish.seed)
    steps = stage.next_steps(tuple(lane for each in window.lanes for lane in each))
    if steps not in scenes:
        scenes[steps] = Scene(_strategy(wish), from_one_state=wish.pair is not None)
    return scenes[steps].carried(stage, window, wish.seed)


def _strategy_of_crowds(wish: Wish) -> Strategy:
    return Portfolio(systematic=False) if wish.kind == "auto" else _strategy(wish)


def _strategy(wish: Wish) -> Strategy:
    is_portfolio = not wish.orders_first and wish.kind == "auto"
    return Portfolio(orders_first=False) if is_portfolio else strategy(wish.kind, wish.depth)


def _windows(stage: Stage, wish: Wish) -> Iterator[Window]:
    """Each is chosen when the one before was carried, by what its users are about to send."""
    if wish.pair is not None:
        yield from _to_pair(stage, wish, wish.pair)
        return
    chance = _chance(wish)
    first, windows, crowds = _SHAPES[wish.number % len(_SHAPES)]
    yield from islice(_one_by_one(stage, chance), first)
    yield from islice(_together(stage, wish, chance), windows)
    yield from islice(_together(stage, wish, chance, _CROWDS), crowds)


def _chance(wish: Wish) -> Random:
    return Random(wish.seed << _SEED_BITS | wish.number)


def _one_by_one(stage: Stage, chance: Random) -> Iterator[Window]:
    while True:
        yield Window(((chance.randrange(stage.lanes),),), chance.getrandbits(_SEED_BITS))


def _together(
    stage: Stage, wish: Wish, chance: Random, counts: Sequence[int] = _AT_ONCE
) -> Iterator[Window]:
    while True:
        if wish.at_once == 1:
            lanes = _in_order(stage, chance)
        else:
            lanes = _at_once(stage, wish, chance, chance.randrange(stage.lanes), counts)
        yield Window(lanes, chance.getrandbits(_SEED_BITS))


def _to_pair(stage: Stage, wish: Wish, pair: tuple[int, int]) -> Iterator[Window]:
    """Two users, one by one, until they are about to send these steps; then both at once, or by
    one worker in this order.

    No window with both comes where one of them does not get there.
    """
    lanes = stage.first_lanes[:2]
    for lane, step in zip(lanes, pair, strict=False):
        for _ in range(_MOST_ON_THE_WAY):
            if stage.next_steps((lane,)) == (step,):
                break
            yield Window(((lane,),), wish.seed)
        else:
            return
    if len(lanes) == len(pair):
        in_order = wish.at_once == 1
        yield Window((lanes,) if in_order else tuple((each,) for each in lanes), wish.seed)


def _in_order(stage: Stage, chance: Random) -> tuple[tuple[int, ...], ...]:
    count = _IN_ORDER[chance.randrange(len(_IN_ORDER))]
    return (tuple(chance.randrange(stage.lanes) for _ in range(count)),)


def _at_once(
    stage: Stage, wish: Wish, chance: Random, first: int, counts: Sequence[int]
) -> tuple[tuple[int, ...], ...]:
    left = [each for each in range(stage.lanes) if each != first]
    step = stage.next_steps((first,))
    workers = [[first]]
    count = min(wish.at_once, counts[chance.randrange(len(counts))], stage.lanes)
    while len(workers) < count:
        alike = [each for each in left if stage.next_steps((each,)) == step]
        among = alike if alike and chance.random() < _ALIKE else left
        workers.append([among[chance.randrange(len(among))]])
        left.remove(workers[-1][0])
    for worker in workers:
        if left and not wish.one_each and _EACH[chance.randrange(len(_EACH))] > 1:
            worker.append(left.pop(chance.randrange(len(left))))
    return tuple(map(tuple, workers))
