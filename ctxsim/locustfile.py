"""Locust with a scenario's users: the only module that imports Locust, which patches its process.

It is the program of `ctxsim locust`, and a locustfile for plain `locust -f`. No request is carried
here: a harness in a process of its own has cells carry them, as in `ctxsim run`. Locust says how
many users there are, and is told of each request that has ended.
"""

from __future__ import annotations

import logging
import sys
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import gevent
import gevent.event
import locust
from locust import argument_parser, events, main
from locust.env import Environment
from locust.exception import RPCError
from locust.runners import MasterRunner, WorkerRunner

from ctxsim.errors import CtxsimError, ExitCode, UsageError
from ctxsim.live.ending import reports, shown, written
from ctxsim.live.master import Master
from ctxsim.live.orders import Order
from ctxsim.live.parts import Run
from ctxsim.live.process import Carrying
from ctxsim.live.tasks import steps, tasks_of
from ctxsim.live.usage import is_worker, refuse
from ctxsim.live.web import add_pages, count_time_from
from ctxsim.live.worker import Deeds, Worker
from ctxsim.report.document import Document

logger = logging.getLogger("ctxsim")

# How long a stop waits for requests in flight, so that Locust's totals have them.
_DRAIN_S = 10.0
# Before the last word, what was found is confirmed alone.
_LAST_WORD_S = 300.0
# What Locust has for --autoquit where it was not given.
_NEVER = -1
_HINTS = {
    "seed": "the seed, instead of the scenario's",
    "workers": "workers instead of the scenario's, such as sync,threads:8",
    "storage": "storages instead of the scenario's (runtime targets)",
    "faults": "faults instead of the scenario's, such as none, or error: 2%, abort: 0%",
}


class ScenarioUser(locust.User):
    """One user of the scenario; what it does, it does in a cell."""

    host = "in-process"
    # The scenario's flows, once it is known.
    tasks: list[Any] = [steps]  # noqa: RUF012 - Locust wants a list of the class

    def on_start(self) -> None:
        # Locust may end it at any moment, as it may one that waits between two tasks; it has none.
        self._state = "waiting"
        carrying.count(1)
        gevent.event.Event().wait()

    def on_stop(self) -> None:
        carrying.count(-1)


def _give_way() -> None:
    # Not for zero seconds, which lets no timers and sockets have their turn.
    gevent.sleep(0.001)


carrying = Carrying(_give_way)


def add_arguments(parser: Any) -> None:
    # On the parser itself: Locust's form knows no arguments of groups. Empty texts, since the form
    # sends texts, and Locust keeps the type of what was there.
    parser.add_argument(
        "--scenario",
        env_var="CTXSIM_SCENARIO",
        default="",
        include_in_web_ui=False,
        help="ctxsim: the scenario file",
    )
    for name, hint in _HINTS.items():
        parser.add_argument(f"--{name}", default="", help=f"ctxsim: {hint}")
    parser.add_argument(
        "--python", default="", include_in_web_ui=False, help="ctxsim: the application's Python"
    )
    parser.add_argument(
        "--report",
        action="append",
        default=[],
        include_in_web_ui=False,
        help="ctxsim: also write a report, as html=PATH or junit=PATH",
    )
    parser.add_argument(
        "--format",
        choices=["text", "json"],
        default="text",
        include_in_web_ui=False,
        help="ctxsim: what is written to stdout",
    )


def on_init(environment: Environment, runner: Any, web_ui: Any, **_: object) -> None:
    carrying.environment = environment
    options = _options(environment)
    if isinstance(runner, WorkerRunner):
        # Locust builds its whole parser anew for each option of each spawn message, a hundred times
        # a second while users come; meanwhile no heartbeat is sent, and the worker passes for dead.
        argument_parser.default_args_dict = cache(argument_parser.default_args_dict)
        deeds = Deeds(carrying.begin_part, carrying.finish, carrying.abandon)
        carrying.worker = Worker(runner, options.scenario, deeds)
        carrying.worker.start()
        return
    try:
        refuse(options, is_web=web_ui is not None)
        reports(options.report)
        order = _order(options)
        scenario = order.scenario()
        order.options(scenario)
    except CtxsimError as error:
        _refuse(error)
    ScenarioUser.tasks = tasks_of(scenario)
    if web_ui is not None:
        add_pages(web_ui, lambda: carrying.board, _objection, options)
    if isinstance(runner, MasterRunner):
        _lead(runner, options)
    if options.headless or options.autostart:
        # Before users come, because what requests are answered alone takes a while to learn.
        carrying.begin(order)
        if carrying.master is None:
            _await_ready()


def _lead(runner: MasterRunner, options: Namespace) -> None:
    """Have a master wait for its workers, before users come and before it ends."""
    is_headless = options.headless

    def on_end() -> None:
        carrying.has_ended = True
        if is_headless:
            gevent.spawn(runner.quit)

    carrying.master = Master(runner, on_end)
    end_at_once = runner.quit

    def end_after_last_words() -> None:
        # Whoever ends a master, Locust has it end its runner before anybody else hears of it.
        _note_interruption(runner, options)
        _await_last_words(runner)
        end_at_once()

    runner.quit = end_after_last_words  # type: ignore[method-assign] # Locust has no such hook
    if is_headless or options.autostart:
        # It counts from when all are ready, and Locust would count from now on.
        carrying.run_time_s, options.run_time = options.run_time, None


def _end_in_time(environment: Environment, run: Run) -> None:
    """The run time of a master that started by itself is over: what Locust does then."""
    runner, options = environment.runner, _options(environment)
    assert runner is not None
    carrying.has_ended = True
    if options.headless:
        runner.quit()
        return
    # Someone may have stopped it before, and have started another.
    if carrying.run is run and _is_carried(run):
        logger.info("the run time of %s s is over", carrying.run_time_s)
        runner.stop()
    if options.autoquit != _NEVER:
        gevent.sleep(options.autoquit)
        runner.quit()
        if environment.web_ui is not None:
            environment.web_ui.stop()


def _note_interruption(runner: Any, options: Namespace) -> None:
    """Take up whether the run is ended from outside, before its time."""
    # Without a time limit, that is how a load ends.
    limited = options.run_time or carrying.run_time_s
    is_under_way = runner.state in ("spawning", "running") and not carrying.has_ended
    if carrying.run is not None and limited and is_under_way:
        carrying.run.is_interrupted = True


def _await_last_words(runner: Any) -> None:
    run = carrying.run
    if run is None or run.is_over:
        return
    if isinstance(runner, MasterRunner):
        runner.stop(send_stop_to_client=True)
    carrying.finish()
    if not run.wait("last", _LAST_WORD_S):
        logger.error("no last word came in %g s", _LAST_WORD_S)
        run.give_up(f"no last word came in {_LAST_WORD_S:g} s")


def _objection(form: Mapping[str, str]) -> str:
    """Why what the form asks for cannot be carried; '' where it can."""
    options = _options(carrying.environment)
    asked = {name: form.get(name, getattr(options, name)) for name in _HINTS}
    count = form.get("user_count", "")
    users = int(count) if count.isdecimal() else 1
    try:
        order = replace(_order(options), users=max(1, users), **asked)
        order.options(order.scenario())
    except CtxsimError as error:
        return str(error)
    return ""


def on_test_start(environment: Environment, **_: object) -> None:
    if carrying.worker is not None:
        return
    run = carrying.run
    if run is None or not _is_carried(run):
        run = _begun(_order(_options(environment)))
        count_time_from(
            lambda: run.wait("ready"), environment.web_ui, _options(environment).run_time
        )
        return
    if carrying.master is None:
        return
    carrying.master.await_ready()
    if carrying.run_time_s and environment.runner is not None:
        logger.info("all workers are ready; the run ends after %s s", carrying.run_time_s)
        gevent.spawn_later(carrying.run_time_s, _end_in_time, environment, run)


def _begun(order: Order) -> Run:
    """Begin a run as a whole: who stops it at once has Locust kill the greenlet that starts it."""
    beginning = gevent.spawn(carrying.begin, order)
    try:
        run: Run = beginning.get()
    except gevent.GreenletExit:
        beginning.join()
        carrying.finish()
        raise
    return run


def on_test_stopping(environment: Environment, **_: object) -> None:
    if carrying.master is not None:
        carrying.master.end()


def on_test_stop(environment: Environment, **_: object) -> None:
    run = carrying.run
    if run is None or carrying.node is None:
        return
    carrying.finish()
    run.wait("drained", _DRAIN_S)
    if isinstance(environment.runner, WorkerRunner):
        # What has ended since the last report, which Locust would send at its next one.
        environment.runner._send_stats()


def on_quitting(environment: Environment, **_: object) -> None:
    run = carrying.run
    if run is None or carrying.exit_code is not None:
        return
    runner: Any = environment.runner
    _note_interruption(runner, _options(environment))
    _await_last_words(runner)
    if carrying.worker is None:
        environment.process_exit_code = _tell(run.document(), _options(environment))
    else:
        # The verdict is the master's, once it has the last word.
        has_told = not any(part.lost for part in run.parts.values())
        carrying.exit_code = ExitCode.OK if has_told else ExitCode.INCONCLUSIVE
        environment.process_exit_code = int(carrying.exit_code)
    carrying.close()


def _is_carried(run: Run) -> bool:
    """Whether users can come to it."""
    return not run.parts or any(not p.is_over and not p.drained for p in run.parts.values())


def _await_ready() -> None:
    run = carrying.run
    assert run is not None
    run.wait("ready")
    if run.is_over:
        code = _tell(run.document(), _options(carrying.environment))
        carrying.close()
        sys.exit(code)


def _tell(document: Document, options: Namespace) -> int:
    """Show a document and keep it; returns the exit code."""
    if document.error is not None:
        _complain(f"error: {document.error.message}\n{document.error.hint}".rstrip())
    sys.stdout.write(shown(document, options.format))
    sys.stdout.flush()
    for line in written(document, reports(options.report)):
        _complain(line)
    carrying.exit_code = document.exit_code
    return document.exit_code


def _options(environment: Environment | None) -> Namespace:
    assert environment is not None
    assert environment.parsed_options is not None
    options: Namespace = environment.parsed_options
    return options


def _order(options: Namespace) -> Order:
    if not options.scenario:
        raise UsageError("no scenario was named\n  write --scenario FILE, or set CTXSIM_SCENARIO")
    chosen = {name: getattr(options, name) for name in _HINTS}
    users = options.num_users or 1
    return Order(file=options.scenario, python=options.python, users=users, **chosen)


def _refuse(error: CtxsimError) -> None:
    _complain(f"error: {error}")
    carrying.exit_code = int(error.exit_code)
    sys.exit(carrying.exit_code)


def _complain(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def listen() -> None:
    events.init_command_line_parser.add_listener(add_arguments)
    events.init.add_listener(on_init)
    events.test_start.add_listener(on_test_start)
    events.test_stopping.add_listener(on_test_stopping)
    events.test_stop.add_listener(on_test_stop)
    events.quitting.add_listener(on_quitting)


def _ignore_files_here() -> None:
    """Let Locust read no configuration of the working directory, which is the application's."""
    for function in (argument_parser.get_empty_argument_parser, argument_parser.get_parser):
        given = function.__defaults__ or ()
        function.__defaults__ = tuple(
            () if each is argument_parser.DEFAULT_CONFIG_FILES else each for each in given
        )


def program(arguments: list[str]) -> int:
    """`ctxsim locust`: Locust's own program, with this file, on loopback; returns the exit code."""
    scenario, *options = arguments
    here = ["--web-host", "127.0.0.1", "--master-bind-host", "127.0.0.1"]
    # Locust's web UI parses these again, so they stay for the process's life.
    sys.argv = ["locust", "-f", __file__, "--scenario", scenario, *here, *options]
    _ignore_files_here()
    try:
        main.main()
    except SystemExit as error:
        return _exit_code(error.code)
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except (RPCError, OSError) as error:
        # It may end so, as where a report cannot be written, before it asks for what was found.
        _complain(f"error: Locust ended early: {error}")
        if (loaded := sys.modules.get("locustfile")) is not None:
            loaded.on_quitting(loaded.carrying.environment)
        return _exit_code(str(error))
    return ExitCode.OK


def _exit_code(code: object) -> int:
    """What a pipeline may rely on, of the code, or the words, that Locust ends with."""
    loaded = sys.modules.get("locustfile")
    told = None if loaded is None else loaded.carrying.exit_code
    if told is not None:
        return int(told)
    if code in (None, ExitCode.OK):
        return ExitCode.OK
    if code == ExitCode.USAGE:
        return ExitCode.USAGE
    has_begun = loaded is not None and loaded.carrying.environment is not None
    if not has_begun and not is_worker(sys.argv):
        # It had all that it needs but options that can be.
        _complain(f"error: Locust cannot start with these options ({code})")
        return ExitCode.USAGE
    _complain(f"error: Locust ended with {code} before there was a result")
    return ExitCode.INCONCLUSIVE


if __name__ == "__main__":
    sys.exit(program(sys.argv[1:]))
else:
    listen()
