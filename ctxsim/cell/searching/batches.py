"""One batch of a search: in a copy of the process, requests one by one, then windows of a few.

What goes wrong may need a state that is rare, such as a cache that is warm, a pool's last
connection or a number that has come round. So batches differ in how many requests come first, and
each window begins where those before it have left the application.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from random import Random

from ctxsim.cell.history import Event, Tally
from ctxsim.cell.schedule.choices import Lengths
from ctxsim.cell.schedule.choosing import Strategy
from ctxsim.cell.schedule.strategies import strategy
from ctxsim.cell.schedule.strategies.portfolio import Portfolio
from ctxsim.cell.searching.scripts import Script, Window
from ctxsim.cell.searching.stage import Stage
from ctxsim.errors import DivergedError

# How many requests come first, one by one, and how many windows then follow; batches take turns.
# Few begin with none: the very first requests do what later ones do not, and switch elsewhere.
_FIRST = (2, 3, 0, 12, 1, 40)
_WINDOWS = (40, 40, 80, 40, 160, 80)
# How many requests a window has, and how many each of its workers carries: by these shares.
_AT_ONCE = (2, 2, 2, 3)
_EACH = (1, 1, 1, 2)
_IN_ORDER = (4, 6, 10, 16)
# Of the others in a window, so many are about to send the same as its first one.
_ALIKE = 0.5
_SEED_BITS = 48
# A batch that is long ends after so many, since nothing is heard of it before.
_MOST_STEPS = 30_000
# So does one that carries many requests in order, because what an application keeps of them may
# make each one slower.
_MOST_IN_ORDER = 200


@dataclass(slots=True)
class Scene:
    """What is known of windows that send the same steps: how long they were, what was tried."""

    strategy: Strategy
    measured: Lengths = field(default_factory=Lengths)
    executions: int = 0


Scenes = dict[tuple[int, ...], Scene]


@dataclass(frozen=True, slots=True)
class Wish:
    """What a batch is to do: the one of that `number` in the search with that `seed`.

    It ends after so many `executions`, and with the first event of a cause that is not `known`.
    `at_once` is how many requests a window may have at most; 1 for one worker that carries them one
    after the other. Where `one_each`, no worker carries two; where `in_tasks`, workers are tasks.
    """

    number: int
    seed: int
    kind: str
    depth: int | None
    at_once: int
    one_each: bool
    in_tasks: bool
    executions: int
    known: frozenset[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Batch:
    """What came of one batch: what it carried, and the events of its last window.

    `executions` counts the windows that had a schedule; `is_seen` tells whether any request came to
    a switch point in the selected files.
    """

    script: Script
    events: tuple[Event, ...]
    executions: int
    steps: int
    is_seen: bool
    tally: Tally
    sent: frozenset[int]
    # The steps of requests that came to their ends, and of those that were cut off.
    ended: frozenset[int]
    cut_off: frozenset[int]
    # As the stage knows them.
    has_lost_threads: bool
    waits_in_vain: bool
    scenes: Scenes


def carry_batch(stage: Stage, wish: Wish, scenes: Scenes) -> Batch:
    """Carry a batch; to be called in a copy of the process, on a stage that is entered."""
    carried: list[Window] = []
    executions = steps = 0
    is_seen = False
    for window in _windows(stage, wish):
        is_first = window.requests == 1
        if not is_first and executions >= wish.executions:
            break
        stage.events.clear()
        scene = _scene(wish, scenes, stage, window)
        chooser = scene.strategy.begin(scene.executions, wish.seed, scene.measured)
        try:
            execution = stage.carry(window, chooser).execution
        except DivergedError:
            # The state is another one than when these steps were carried before.
            scene.strategy = Portfolio(systematic=False)
            break
        scene.executions += 1
        scene.strategy.ended(execution.schedule)
        scene.measured = scene.measured.including(execution.schedule)
        if scene.strategy.exhausted:
            scene.strategy = Portfolio(systematic=False)
        carried.append(replace(window, points=execution.points))
        executions += not is_first
        is_seen = is_seen or stage.is_seen(execution)
        steps += len(execution.schedule.steps)
        if (
            execution.stopped
            or steps > _MOST_STEPS
            or (wish.at_once == 1 and stage.tally.requests > _MOST_IN_ORDER)
            or any(each.cause not in wish.known for each in stage.events)
        ):
            break
    return Batch(
        Script(wish.number, tuple(carried)),
        tuple(stage.events),
        executions,
        steps,
        is_seen,
        stage.tally,
        stage.sent,
        frozenset(stage.ended),
        frozenset(stage.cut_off),
        stage.has_lost_threads,
        stage.waits_in_vain,
        scenes,
    )


def _scene(wish: Wish, scenes: Scenes, stage: Stage, window: Window) -> Scene:
    steps = stage.next_steps(tuple(lane for each in window.lanes for lane in each))
    if steps not in scenes:
        is_portfolio = wish.in_tasks and wish.kind == "auto"
        scenes[steps] = Scene(
            Portfolio(orders_first=False) if is_portfolio else strategy(wish.kind, wish.depth)
        )
    return scenes[steps]


def _windows(stage: Stage, wish: Wish) -> Iterator[Window]:
    """Each is chosen when the one before was carried, by what its users are about to send."""
    chance = Random(wish.seed << _SEED_BITS | wish.number)
    turn = wish.number % len(_FIRST)
    for _ in range(_FIRST[turn]):
        yield Window(((chance.randrange(stage.lanes),),), chance.getrandbits(_SEED_BITS))
    for _ in range(_WINDOWS[turn]):
        lanes = _in_order(stage, chance) if wish.at_once == 1 else _at_once(stage, wish, chance)
        yield Window(lanes, chance.getrandbits(_SEED_BITS))


def _in_order(stage: Stage, chance: Random) -> tuple[tuple[int, ...], ...]:
    count = _IN_ORDER[chance.randrange(len(_IN_ORDER))]
    return (tuple(chance.randrange(stage.lanes) for _ in range(count)),)


def _at_once(stage: Stage, wish: Wish, chance: Random) -> tuple[tuple[int, ...], ...]:
    left = list(range(stage.lanes))
    first = left.pop(chance.randrange(len(left)))
    step = stage.next_steps((first,))
    workers = [[first]]
    count = min(wish.at_once, _AT_ONCE[chance.randrange(len(_AT_ONCE))], stage.lanes)
    while len(workers) < count:
        alike = [each for each in left if stage.next_steps((each,)) == step]
        among = alike if alike and chance.random() < _ALIKE else left
        workers.append([among[chance.randrange(len(among))]])
        left.remove(workers[-1][0])
    for worker in workers:
        if left and not wish.one_each and _EACH[chance.randrange(len(_EACH))] > 1:
            worker.append(left.pop(chance.randrange(len(left))))
    return tuple(map(tuple, workers))
