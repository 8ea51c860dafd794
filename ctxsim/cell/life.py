"""The life of a cell: patch, import, carry, and say how it ended."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial

from ctxsim import switchpoint
from ctxsim.cell import lending, patching
from ctxsim.cell.history import Ending
from ctxsim.cell.messages import Channel, Message
from ctxsim.cell.plan import Plan
from ctxsim.cell.ticker import Ticker
from ctxsim.cell.workers import models
from ctxsim.cell.workers.carry import Crew
from ctxsim.cell.workers.pauses import Pauses
from ctxsim.errors import SearchEndedError, TargetError, UnsuitedError


def live(channel_fd: int, stacks_fd: int) -> None:
    """Live the whole life of a cell; does not return."""
    native = patching.Native()
    faulthandler.enable(os.fdopen(stacks_fd, "w", closefd=False), all_threads=True)
    # The harness ends a cell through the channel; a Ctrl-C in its terminal is not for us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end = socket.socket(fileno=channel_fd)
    channel = Channel(end, native.allocate_lock(), end.sendall)
    os.register_at_fork(after_in_child=channel.close)
    exit_now = os._exit
    ticker = Ticker(channel, native)
    plan = _plan(ticker.first())
    # Before anything of the application runs, because it may hang in its import already.
    ticker.start()
    ending = None
    try:
        ending = _carry_out(plan, channel, ticker, native)
    except TargetError as error:
        ending = _import_ending(error)
    except UnsuitedError as error:
        ending = Ending("unsuited", error.args[0], hint=error.args[1])
    except SearchEndedError as error:
        ending = Ending(error.kind, str(error))
    except SystemExit as error:
        # In a task or callback of the application's own: it ends the loop, as it would a server's.
        ending = Ending("exit", f"the application ended its process amid the run: {error!r}")
    except BaseException as error:  # noqa: BLE001 - whatever it is, the harness must hear of it
        ending = Ending("fault", repr(error), (traceback.format_exc(),))
    _flush_outputs()
    channel.say({"say": "end", "ending": None if ending is None else asdict(ending)})
    # Not by returning: what the application registered for its exit may wait for its own threads.
    exit_now(0)


def _flush_outputs() -> None:
    for output in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        # The application may have closed them, or put anything in their place.
        with contextlib.suppress(Exception):
            output.flush()  # type: ignore[union-attr]


def _plan(message: Message) -> Plan:
    return Plan.from_json(message["plan"])


def _carry_out(
    plan: Plan, channel: Channel, ticker: Ticker, native: patching.Native
) -> Ending | None:
    sys.path[:0] = plan.target.path
    lending.lend(plan.lent, plan.lent_from)
    model = _put_in_place(plan, native)
    if plan.look is not None:
        from ctxsim.cell import looking  # noqa: PLC0415 - most cells carry, and none must be slow

        plan = plan if plan.is_remote else looking.settled(plan)
    crew = _crew(plan, channel, native, model)
    models.follow(crew)
    carry = _search(crew, channel) if plan.search else partial(models.carry_all, crew, model)
    looker = None
    if plan.look is not None:
        # Before it is ready: to read what a large application's source says takes its time.
        looker = looking.Looking(plan, crew, channel.say, model.pause(native))
        crew.traffic = looker.trials
        carry = partial(models.carry_all, crew, looking.model_for(crew))
    channel.say({"say": "ready", "target": crew.target.facts})
    _leave_last_words(ticker)
    if not plan.is_remote:
        native.use_short_switches()
    if crew.residue is not None:
        # Other threads would carry hundreds of requests while the first one searches.
        crew.residue.search()
    crew.traffic.begin()
    # Not earlier, because the load's beginning would undo a wish to stop.
    ticker.follow(crew, plan.stall_s)
    started = time.perf_counter()
    elapsed_s = None
    try:
        carry()
        elapsed_s = time.perf_counter() - started
        for remark in models.finish(crew):
            channel.say({"say": "remark", "text": remark})
        for doubt in models.doubts(crew):
            channel.say({"say": "doubt", "text": doubt})
        if not ticker.stopped:
            _look_at_what_is_left(plan, crew, model.pause(native))
    finally:
        ticker.last(elapsed_s or time.perf_counter() - started)
    models.close(crew)
    if crew.learner is not None:
        channel.say(crew.learner.learnt())
    if looker is not None:
        channel.say({"say": "sight", "sight": looker.sight()})
    return Ending("stopped", "stopped from outside") if ticker.stopped else None


def _put_in_place(plan: Plan, native: patching.Native) -> models.Model:
    """What has to be there before the application is imported, which binds names."""
    model = models.of(plan.workers)
    if plan.search is not None:
        # Before anything is patched: it binds what is native.
        from ctxsim.cell import searching  # noqa: PLC0415 - only a search needs greenlet for it

        if plan.search.legs is not None:
            searching.prepare_native(native)
        else:
            searching.prepare(plan.workers, native)
            model = replace(model, runner=searching.runner)
    patching.patch_before(plan.workers)
    return model


def _crew(plan: Plan, channel: Channel, native: patching.Native, model: models.Model) -> Crew:
    """Import the application, among the pauses and patches of its worker model."""
    pauses = Pauses()
    switchpoint.drive(blocking=models.blocking(plan, native, model, pauses))
    pauses.stand_in()
    crew = models.crew(plan, channel, native, model, pauses)
    patching.patch_after(plan.workers)
    # Once more: what was patched meanwhile, by us or by the application, is another function.
    pauses.stand_in()
    return crew


def _search(crew: Crew, channel: Channel) -> Callable[[], None]:
    from ctxsim.cell import searching  # noqa: PLC0415 - only a search needs greenlet for it

    return searching.Searching(crew, channel.say).run


def _look_at_what_is_left(plan: Plan, crew: Crew, sleep: Callable[[float], None]) -> None:
    if crew.comparison is not None:
        crew.comparison.tell_numbers()
    if plan.is_remote:
        return
    crew.background.wait(sleep)
    if crew.census is None:
        return
    if plan.has_findings and not plan.search:
        crew.census.take(sleep)


def _import_ending(error: TargetError) -> Ending:
    message, hint = (*error.args, "")[:2]
    shown = traceback.format_exception(error.__cause__) if error.__cause__ else []
    return Ending("import", message, ("".join(shown),), hint)


def _leave_last_words(ticker: Ticker) -> None:
    """Have `os._exit`, which leaves no trace otherwise, say first where everything stands."""
    exit_now, our_pid = os._exit, os.getpid()

    def exit_with_last_words(status: int) -> None:
        if os.getpid() == our_pid:
            ticker.last_words()
        exit_now(status)

    os._exit = exit_with_last_words  # type: ignore[assignment]
