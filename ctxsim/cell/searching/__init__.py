"""A search: which schedule shows a finding, in batches that each begin from the same state.

The process that imported the application carries nothing itself. Each batch runs in a copy of it,
and so does each replay of what a batch found; what a copy did is told when it ends.
"""

from __future__ import annotations

import codecs
import math
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from typing import Any, cast

from ctxsim.cell.checks.alone import is_difference
from ctxsim.cell.history import Event, Tally
from ctxsim.cell.plan import Search
from ctxsim.cell.schedule import legs
from ctxsim.cell.schedule.points import Points
from ctxsim.cell.searching import endless, selecting
from ctxsim.cell.searching.batches import (
    MOST_SCOUTED,
    MOST_SCOUTED_S,
    Batch,
    Scenes,
    Wish,
    carry_batch,
    carry_moment,
    carry_scout,
)
from ctxsim.cell.searching.confirming import (
    STILL_OTHERWISE_S,
    STILL_S,
    UNENDED,
    Confirming,
    noted_in,
    windows_legs,
)
from ctxsim.cell.searching.controls import Control, control_of, prepare
from ctxsim.cell.searching.courses import Recorded
from ctxsim.cell.searching.coverage import left_out, unseen
from ctxsim.cell.searching.imports import import_ahead
from ctxsim.cell.searching.ladder import climb
from ctxsim.cell.searching.moments import Scouting
from ctxsim.cell.searching.native import NativeThreads
from ctxsim.cell.searching.native import prepare as prepare_native
from ctxsim.cell.searching.orders import is_by_turns, shows_one_by_one
from ctxsim.cell.searching.outside import Outside, refuse_threads
from ctxsim.cell.searching.pairs import Pairs
from ctxsim.cell.searching.parting import nondeterminism, parting
from ctxsim.cell.searching.plays import Asked, Plays, Say
from ctxsim.cell.searching.scripts import Script
from ctxsim.cell.searching.settling import Settled, replayed, settle
from ctxsim.cell.searching.shown import Cause
from ctxsim.cell.searching.stage import Stage
from ctxsim.cell.searching.unended import Unended
from ctxsim.cell.targets import Runner
from ctxsim.cell.visits import Traffic
from ctxsim.cell.workers.carry import Crew
from ctxsim.errors import DivergedError

_EXECUTIONS = 2_000
# How many preemptions an exhaustive search allows, unless it is told.
_BOUND = 1
# The first part of the executions switches in the application's own files alone. So do later ones,
# where those in its packages have had as many steps as all others, and so many more: they are long.
# What is torn within a line is looked for last.
_OWN_SHARE, _LINES_SHARE = 0.6, 0.85
_MORE_STEPS = 50_000
# How often a script is played to make it small: for the first cause of a kind, and for others.
_PLAYS, _PLAYS_AGAIN = 300, 60
_MOST_CAUSES = 12
# How often a cause is looked at again that turned out to be no matter of turns.
_MOST_DISMISSED = 5
# Where a search is bounded by time: of it, so much more may go to make small what was found.
_MORE_TIME = 0.25
# And so much at most is for a scout.
_SCOUTED_SHARE = 0.1
# Requests one by one take a tenth of the time of an execution, which is a window and its switches.
_SCOUTED_EACH = 10
# Where an answer is an error or a default, the reason may be that somebody waited in vain, in a
# library that waits by itself: a lock of a database is no lock that is simulated.
_MAY_BE_OUTSIDE = ("answer.otherwise", "expectation.broken")
# After so many batches in which no request ended, none is going to.
_MOST_IN_VAIN = 60
# To see whether the same choices give the same, and where they do not.
_REPLAYS, _COMPARED = 20, 6
_THREADS = "a thread that an earlier request had started"
__all__ = ["Searching", "prepare", "prepare_native"]


def runner() -> Runner:
    """What runs an asynchronous application's start and end, and has the loop for its requests."""
    # asyncio brings much with it that other cells do not need.
    from ctxsim.cell.searching import tasks  # noqa: PLC0415 - see above

    return tasks.Runner()


class Searching:
    """Carries out a plan's search; `run` is called in place of a worker model's."""

    def __init__(self, crew: Crew, say: Say) -> None:
        assert crew.plan.search is not None
        assert isinstance(crew.traffic, Traffic)
        self._crew = crew
        self._say = say
        self._search: Search = crew.plan.search
        self._traffic: Traffic = crew.traffic
        self._tally = Tally()
        crew.tallies.append(self._tally)
        self._control = self._control_of(crew)
        self._settle_process()
        self._selections = self._control.selections(self._search)
        self._plays = [Plays(crew, self._control, each, say) for each in self._selections]
        self._scenes: list[Scenes] = [{} for _ in self._selections]
        # What was answered otherwise, perhaps because of what no schedule controls.
        self._blamed: set[tuple[str, str]] = set()
        self._untried, self._left_out = set[Cause](), set[Cause]()
        self._dismissed: dict[Cause, int] = {}
        self._waits_in_vain = False
        # By cause: None where it did not show again, or was not tried.
        self._settled: dict[Cause, Settled | None] = {}
        self._known = frozenset(self._search.known)
        self._until_s = math.inf
        self._counts: dict[Cause, int] = {}
        # The last says how many batches there were in a row in which no request ended.
        self._executions = self._number = self._in_vain = 0
        self._pairs: Pairs | None = None
        if self._search.kind == "exhaustive":
            self._pairs = Pairs(len(self._traffic.plan.steps), crew.workers.in_flight == 1)
        self._scouting = Scouting()
        # Where requests asked servers, no copy is made of a process that is connected with one.
        self._outside = Outside(self._traffic)
        # With each selection.
        self._steps = [0 for _ in self._selections]
        lines = self._selections[0].granularity
        others = (each.granularity == lines for each in self._selections[1:])
        self._begin_at = [_OWN_SHARE if same else _LINES_SHARE for same in others]
        # The steps of requests that came to a switch point.
        self._seen: set[int] = set()
        self._unended = Unended(self._traffic.plan.steps)

    def _settle_process(self) -> None:
        """Before copies of this process are made."""
        refuse_threads()
        self._control.settle()
        codecs.lookup("idna")  # It takes long, and Werkzeug imports it with the first request.
        for name, reason in import_ahead(self._crew, self._control).items():
            self._remark(f"{name} is imported by requests ({reason}): its lines are atomic")
        if self._crew.residue is not None:
            self._crew.residue.search()

    def run(self) -> None:
        """Search until the budget is spent or the harness has enough; or replay."""
        if self._search.script is not None:
            script = Script.from_json(dict(self._search.script))
            if self._search.legs is None:
                self._replay(script)
            else:
                self._confirm(script)
            return
        duration_s = self._search.duration_s
        if duration_s is not None:
            self._until_s = self._crew.clock() + duration_s
        most = self._search.executions or (_EXECUTIONS if duration_s is None else None)
        while not self._traffic.is_over and (most is None or self._executions < most):
            left = None if most is None else most - self._executions
            if self._is_late() or self._in_vain >= _MOST_IN_VAIN or not self._go_on(left):
                break
        if self._pairs is not None:
            self._remark(self._pairs.told(self._search.depth or _BOUND))
        self._say_selected()
        for remark in self._outside.remarks:
            self._remark(remark)
        self._say_doubts()

    def _go_on(self, left: int | None) -> bool:
        """Carry one batch more; False where nothing is left to be tried."""
        if self._pairs is None:
            self._next(left)
            return True
        self._pairs.leave_out(self._outside.ends_before)
        chosen = self._pairs.next()
        if chosen is None:
            return False
        pair, variation = chosen
        wish = replace(self._wish(left), number=variation, depth=self._search.depth or _BOUND)
        try:
            batch = self._next_of(replace(wish, pair=pair), 0)
        except DivergedError as error:
            self._pairs.diverged(pair)
            steps = self._traffic.plan.steps
            routes = " and ".join(steps[number].route for number in pair)
            self._doubt(f"{routes}: the same choices did not give the same again: {error}")
            return True
        # What was found on the way is settled first: then the way is gone once more.
        if batch.executions or not batch.events:
            scene = self._scenes[0].get(pair)
            exhausted = scene is not None and scene.strategy.exhausted
            self._pairs.carried(pair, batch.executions, exhausted=exhausted)
        return True

    def _replay(self, script: Script) -> None:
        """Carry a case on the first rung that shows it, and say by which one it did."""
        cause, at = self._search.cause, min(self._search.selection, len(self._selections) - 1)
        kept = self._search.recorded
        recorded = None if kept is None else Recorded.from_json(kept)
        plays = self._plays[at]
        if recorded is not None:
            changed = list(recorded.changed(plays.last_course(Asked(script)).files))
            plays.has_changed = bool(changed)
            for file in changed:
                self._remark(f"{file} is another than when this was found")
        climbed = climb(script, cause, recorded, plays, self._search.times)
        self._tally.add(plays.tally)
        if climbed is not None:
            settled = endless.as_it_waits(climbed.settled, plays.last_course)
            self._tell(settled, cause, at, rung=climbed.rung)

    def _control_of(self, crew: Crew) -> Control:
        if self._search.legs is None:
            return control_of(crew)
        is_unended = self._search.cause[0] in UNENDED
        return NativeThreads(crew, STILL_S if is_unended else STILL_OTHERWISE_S)

    def _confirm(self, script: Script) -> None:
        """Carry a case on native threads, and say how often it showed."""
        assert isinstance(self._control, NativeThreads)
        cause, at = self._search.cause, min(self._search.selection, len(self._selections) - 1)
        windows = legs.from_json(cast(Any, self._search.legs))
        most_s = self._search.duration_s
        confirming = Confirming(self._crew, self._control, self._selections[at], self._say, most_s)
        times, of = confirming.confirm(script, cause, windows, self._search.times)
        case = {"script": script.as_json(), "selection": at, "story": [], "found_at": 0}
        self._say({"say": "case", "cause": list(cause), "case": {**case, "times": times, "of": of}})

    def _next(self, left: int | None) -> None:
        wish = self._wish(left)
        if wish.at_once > 1 and not self._outside.asked and self._scouting.is_due(self._number):
            budget = math.inf if left is None else self._executions + left
            scouts = int(min(MOST_SCOUTED, _SCOUTED_EACH * budget))
            self._next_of(replace(wish, scouts=scouts), 0)
        elif moment := self._scouting.next():
            wish = replace(wish, number=moment.number, moment=moment)
            self._next_of(wish, moment.selection)
        else:
            self._next_of(wish, self._turn(left))

    def _next_of(self, wish: Wish, at: int) -> Batch:
        batches = self._plays[at].in_copy(partial(self._carry, wish, at))
        self._number += 1
        for batch in batches:
            self._take(batch, at)
            self._settle_each(batch, at)
            self._outside.leave_out(batch.refused)
        return batches[-1]

    def _settle_each(self, batch: Batch, at: int) -> None:
        for event in batch.events:
            self._counts[event.cause] = self._counts.get(event.cause, 0) + 1
            if self._is_known(event):
                continue
            if len(self._settled) >= _MOST_CAUSES:
                self._left_out.add(event.cause)
                continue
            reason = _THREADS if batch.has_lost_threads else self._outside.reason
            if event.kind in _MAY_BE_OUTSIDE and reason:
                self._settled[event.cause] = None
                self._untried.add(event.cause)
                self._blamed.add((event.victim.route, reason))
            else:
                self._settle(batch.script, event.cause, at)

    def _is_known(self, event: Event) -> bool:
        known = self._known.union(self._settled)
        if event.cause in known or event.kind not in UNENDED:
            return event.cause in known
        # It is the same with somebody more who waits, where nobody can tell who has what, and with
        # somebody more who goes round in circles.
        places = set(event.place.split("; "))
        return any(
            (kind in (event.kind, "endless") and set(place.split("; ")) < places)
            or (kind == "endless" and place in places)
            for kind, _, place, _ in known
        )

    def _turn(self, left: int | None) -> int:
        """Whose turn it is of the selections: mostly the narrowest one's, which has few steps."""
        if left is None:
            others = len(self._selections) - 1
            batch, is_other = divmod(self._number, 2)
            at = 1 + batch % others if is_other and others else 0
        else:
            done = self._executions / (self._executions + left)
            at = sum(done >= share for share in self._begin_at)
        return at if self._steps[at] <= self._steps[0] + _MORE_STEPS else 0

    def _wish(self, left: int | None) -> Wish:
        workers = self._crew.workers
        return Wish(
            number=self._number,
            seed=self._crew.plan.seed % 2**64,
            kind=self._search.kind,
            depth=self._search.depth,
            at_once=workers.in_flight,
            one_each=self._control.one_each,
            orders_first=self._control.orders_first,
            executions=_EXECUTIONS if left is None else left,
            known=self._known.union(self._settled),
            ends_before=self._outside.ends_before,
        )

    def _carry(self, wish: Wish, at: int) -> tuple[Batch, ...]:
        self._traffic.vary(wish.number, wish.ends_before)
        scenes = self._scenes[at]
        with Stage(self._crew, self._control, self._selections[at], self._unended.limits) as stage:
            if wish.moment is not None:
                return carry_moment(stage, wish, scenes, self._crew.record.lock)
            if wish.scouts:
                return (carry_scout(stage, wish, scenes, at, self._until_late()),)
            return (carry_batch(stage, wish, scenes),)

    def _until_late(self) -> Callable[[], bool]:
        """Whether a scout has taken long enough, in a search that may end earlier too."""
        duration_s = self._search.duration_s
        most_s = MOST_SCOUTED_S
        if duration_s is not None:
            most_s = min(most_s, _SCOUTED_SHARE * duration_s)
        until_s = self._crew.clock() + most_s
        return lambda: self._crew.clock() >= until_s

    def _take(self, batch: Batch, at: int) -> None:
        self._scenes[at] = batch.scenes
        self._executions += batch.executions
        self._steps[at] += batch.steps
        self._seen |= batch.seen
        self._tally.add(batch.tally)
        self._in_vain = 0 if batch.tally.requests else self._in_vain + 1
        self._crew.record.ended += batch.tally.requests
        self._traffic.sent_elsewhere(batch.sent)
        self._unended.take(batch)
        self._waits_in_vain = self._waits_in_vain or batch.waits_in_vain
        self._outside.were_asked(batch.asked)
        if not self._outside.asked:
            self._scouting.noticed(batch.moments)

    def _settle(self, script: Script, cause: Cause, at: int) -> None:
        play = self._plays[at].shows
        if cause[0] in UNENDED:
            told = cause
            script, cause = endless.only_those(script, cause, self._plays[at].last_course)
            if cause != told:
                self._let_be(told)
                if cause in self._known.union(self._settled):
                    return
        by_turns = is_difference(cause) and self._crew.workers.in_flight > 1
        if by_turns and shows_one_by_one(script, cause, play):
            self._dismiss(cause)
            return
        kinds = {each[0] for each in self._settled}
        most = _PLAYS_AGAIN if cause[0] in kinds else _PLAYS
        more_s = _MORE_TIME * (self._search.duration_s or 0.0)
        late = partial(self._is_late, more_s)
        player = self._plays[at].player(stays=not self._outside.asked)
        settled = self._settled[cause] = settle(script, cause, player, most, late)
        self._plays[at].end()
        if settled is None or settled.times < settled.of:
            self._look_for_parting(script if settled is None else settled.script, cause, at)
        elif by_turns and not is_by_turns(settled.script, cause, play):
            self._dismiss(cause)
        elif cause[0] not in UNENDED:
            self._tell(settled, cause, at, is_by_turns=by_turns)
        elif (unended := self._unending(settled, cause, at)) is not None:
            self._tell(unended, cause, at)

    def _unending(self, settled: Settled, cause: Cause, at: int) -> Settled | None:
        """What is to be told of requests that wait: nothing where they wait for one to come."""
        victim, plays = settled.event.victim, self._plays[at]
        stays = endless.waits_on(settled.script, victim, plays.last_course)
        if stays or (stays is None and cause[0] == "deadlock"):
            return settled
        if stays is not None and endless.waits_by_turns(settled.script, plays.courses):
            return endless.until_another(settled)
        self._let_be(cause)
        if stays is None:
            self._doubt(f"{victim.route} waits again and again, and never ended ({cause[2]})")
        else:
            self._remark(f"{victim.route} waits until another request comes ({cause[2]})")
        return None

    def _look_for_parting(self, script: Script, cause: Cause, at: int) -> None:
        """Tell where replays of the same script part, if some show it and some do not.

        Answers that are otherwise than alone are so by chance too, which is nothing to be told.
        """
        if is_difference(cause) or cause[0] in _MAY_BE_OUTSIDE:
            return
        shown = replayed(script, cause, self._plays[at].shows, _REPLAYS)
        if shown is None or not 0 < shown.times < shown.of or self._traffic.is_over:
            return
        replays = [self._plays[at].courses(Asked(script)) for _ in range(_COMPARED)]
        event = nondeterminism(shown, cause, parting(replays))
        if event.cause not in self._known.union(self._settled):
            self._let_be(event.cause)
            self._note(event)

    def _let_be(self, cause: Cause) -> None:
        """It is told, or is nothing to be told; in neither case is it a doubt."""
        self._settled[cause] = None
        self._untried.add(cause)

    def _note(self, event: Event) -> None:
        record = self._crew.record
        record.note(replace(event, at_request=record.ended))

    def _dismiss(self, cause: Cause) -> None:
        """It is the application's own past, or chance; the same of another batch need not be."""
        self._settled.pop(cause, None)
        self._dismissed[cause] = self._dismissed.get(cause, 0) + 1
        if self._dismissed[cause] >= _MOST_DISMISSED:
            self._let_be(cause)

    def _is_late(self, more_s: float = 0.0) -> bool:
        return self._crew.clock() >= self._until_s + more_s

    def _tell(
        self, settled: Settled, cause: Cause, at: int, *, is_by_turns: bool = False, rung: str = ""
    ) -> None:
        case = {**self._case(settled, cause, at), "is_by_turns": is_by_turns, "rung": rung}
        if self._search.tells_legs:
            selection = noted_in(self._selections[at])
            case["legs"] = legs.as_json(
                windows_legs(self._crew, self._control, selection, settled.script)
            )
        self._note(settled.event)
        if self._search.script is None:
            # What the first requests of all show is found before the first execution has ended.
            case["found_at"] = max(1, self._executions)
        self._say({"say": "case", "cause": list(cause), "case": case})

    def _case(self, settled: Settled, cause: Cause, at: int) -> dict[str, Any]:
        last = self._plays[at].last_course(Asked(settled.script))
        points = settled.script.windows[-1].points or Points(())
        if cause[0] in UNENDED:
            self._unended.found(settled.event.place, last.unended_steps)
        return {
            "script": settled.script.as_json(),
            "recorded": Recorded.of(last, points).as_json(),
            "selection": at,
            "story": list(self._plays[at].story(settled.script, cause)),
            "times": settled.times,
            "of": settled.of,
            "found_at": 0,
        }

    def _say_doubts(self) -> None:
        if self._waits_in_vain:
            self._doubt(
                "requests waited for each other, but perhaps in vain for "
                f"{_THREADS}: a schedule does not keep it from one window to the next"
            )
        for route, reason in sorted(self._blamed):
            self._doubt(
                f"{route} was answered otherwise under a schedule, but {reason} is no part of it: "
                "one who waits there for another would wait for ever"
            )
        for doubt in (*self._outside.doubts, *self._unended.doubts):
            self._doubt(doubt)
        for cause, settled in self._settled.items():
            if cause not in self._untried and (settled is None or settled.times < settled.of):
                seen = "did not show again" if settled is None else "showed again in some replays"
                # Nobody is given another's value by chance, be it once.
                is_sure = bool(settled and settled.times) and not is_difference(cause)
                is_sure = is_sure or cause[0] == "answer.foreign"
                self._doubt(f"what was seen once ({cause[0]}: {cause[2]}) {seen}", is_sure=is_sure)
        for text, is_doubt in left_out(self._left_out, self._settled):
            (self._doubt if is_doubt else self._remark)(text)
        if not self._executions or self._crew.workers.in_flight == 1:
            return
        if not self._seen:
            self._doubt("no request came to a switch point; name modules in schedule.select")
        elif told := unseen(self._traffic.plan.steps, self._unended.ended, self._seen):
            self._remark(told)

    def _say_selected(self) -> None:
        used = [each for each, steps in zip(self._selections, self._steps, strict=True) if steps]
        # Nobody has switched where nobody came to any of their lines.
        if self._seen and self._control.at_lines and any(each.files for each in used):
            self._say({"say": "selected", **asdict(selecting.told(used))})

    def _remark(self, text: str) -> None:
        self._say({"say": "remark", "text": text})

    def _doubt(self, text: str, *, is_sure: bool = False) -> None:
        self._say({"say": "doubt", "text": text, "is_sure": is_sure})
