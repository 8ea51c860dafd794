"""Locust with a scenario's users: the only module that imports Locust, which patches its process.

It is the program of `ctxsim locust`, and a locustfile for plain `locust -f`. No request is carried
here: a harness in a process of its own has cells carry them, as in `ctxsim run`. Locust says how
many users there are, and is told of each request that has ended.
"""

from __future__ import annotations

import logging
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import gevent
import gevent.event
import locust
from locust import argument_parser, events, main
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from ctxsim.errors import CtxsimError, ExitCode, UsageError
from ctxsim.live.ending import KINDS, shown, written
from ctxsim.live.node import Node
from ctxsim.live.orders import Order
from ctxsim.live.parts import Run
from ctxsim.live.web import add_pages
from ctxsim.report.document import Document
from ctxsim.scenario import Scenario

logger = logging.getLogger("ctxsim")

# How long a stop waits for requests in flight, so that Locust's totals have them.
_DRAIN_S = 10.0
# Before the last word, what was found is confirmed alone.
_LAST_WORD_S = 300.0
_HINTS = {
    "seed": "the seed, instead of the scenario's",
    "workers": "workers instead of the scenario's, such as sync,threads:8",
    "storage": "storages instead of the scenario's (runtime targets)",
    "faults": "faults instead of the scenario's, such as none, or error: 2%, abort: 0%",
}


class Ended(Exception):  # noqa: N818 - what Locust lists as the reason of a failure
    """Why a request failed. Its text is one of a few: Locust counts by it."""

    def __repr__(self) -> str:
        return str(self)


class ScenarioUser(locust.User):
    """One user of the scenario; what it does, it does in a cell."""

    host = "in-process"

    def on_start(self) -> None:
        # Locust may end it at any moment, as it may one that waits between two tasks; it has none.
        self._state = "waiting"
        carrying.count(1)
        gevent.event.Event().wait()

    def on_stop(self) -> None:
        carrying.count(-1)


class Carrying:
    """What this process of Locust carries: at most one run at a time."""

    def __init__(self) -> None:
        self.environment: Environment | None = None
        self.scenario: Scenario | None = None
        self.run: Run | None = None
        self.node: Node | None = None
        self.users = 0
        # What the process ends with, once that is known.
        self.exit_code: int | None = None

    def count(self, change: int) -> None:
        self.users += change
        if self.node is not None:
            self.node.harness.count(change)

    def begin(self, order: Order, scenario: Scenario) -> None:
        """Start a harness, in place of one that has ended."""
        self.close()
        self.run = Run(scenario)
        self.node = Node(order, self.run, self.fire)
        self.node.harness.count(self.users)

    def fire(self, method: str, path: str, us: int, why: str) -> None:
        """Have Locust count a request."""
        assert self.environment is not None
        self.environment.events.request.fire(
            request_type=method,
            name=path,
            response_time=us / 1000,
            response_length=0,
            exception=Ended(why) if why else None,
            context={},
        )

    def drain(self) -> None:
        if self.node is not None and self.run is not None:
            self.node.harness.finish()
            self.run.wait("drained", _DRAIN_S)

    def close(self) -> None:
        if self.node is not None:
            self.node.harness.close()
        self.node = None


carrying = Carrying()


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
        help="ctxsim: also write a report, as junit=PATH",
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
        return
    try:
        _reports(options)
        order = _order(options)
        carrying.scenario = scenario = order.scenario()
        order.options(scenario)
    except CtxsimError as error:
        _refuse(error)
    ScenarioUser.tasks = _tasks(scenario)
    if web_ui is not None:
        add_pages(web_ui, lambda: carrying.run, options.web_host, options.web_base_path)
    if isinstance(runner, MasterRunner):
        return
    if options.headless or options.autostart:
        # Before users come, because what requests are answered alone takes a while to learn.
        carrying.begin(order, scenario)
        _await_ready()


def on_test_start(environment: Environment, **_: object) -> None:
    options = _options(environment)
    if carrying.scenario is None or _is_prepared():
        return
    order = _order(options)
    carrying.begin(order, order.scenario())


def on_test_stop(environment: Environment, **_: object) -> None:
    carrying.drain()


def on_quitting(environment: Environment, **_: object) -> None:
    run = carrying.run
    if run is None:
        return
    carrying.drain()
    if not run.wait("last", _LAST_WORD_S):
        logger.error("ctxsim: no last word came")
    environment.process_exit_code = _tell(run.document(), _options(environment))
    carrying.close()


def _is_prepared() -> bool:
    """Whether a harness waits for the users that are about to come."""
    run = carrying.run
    return run is not None and not run.is_over and not any(p.drained for p in run.parts.values())


def _await_ready() -> None:
    assert carrying.run is not None
    carrying.run.wait("ready")
    if carrying.run.is_over:
        code = _tell(carrying.run.document(), _options(carrying.environment))
        carrying.close()
        sys.exit(code)


def _tell(document: Document, options: Namespace) -> int:
    """Show a document and keep it; returns the exit code."""
    sys.stdout.write(shown(document, options.format))
    sys.stdout.flush()
    for line in written(document, _reports(options)):
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


def _reports(options: Namespace) -> list[tuple[str, Path]]:
    found = []
    for word in options.report:
        kind, _, path = word.partition("=")
        if kind not in KINDS or not path:
            raise UsageError(f"--report '{word}' cannot be written\n  write junit=PATH")
        found.append((kind, Path(path)))
    return found


def _tasks(scenario: Scenario) -> list[Any]:
    """The flows, each as often as it weighs, for Locust's table of tasks; no user runs them."""
    weights = {name: flow.weight for name, flow in scenario.flows.items()} or {"steps": 1.0}
    least = min(weights.values())

    def named(name: str) -> Any:
        def task(_user: object) -> None:
            """What is carried in a cell."""

        task.__name__ = name
        return task

    counts = {name: max(1, round(weight / least)) for name, weight in weights.items()}
    return [each for name, count in counts.items() for each in [named(name)] * count]


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
    return ExitCode.OK


def _exit_code(code: object) -> int:
    """What a pipeline may rely on, of the code that Locust ends with."""
    loaded = sys.modules.get("locustfile")
    told = None if loaded is None else loaded.carrying.exit_code
    if told is not None:
        return int(told)
    if code in (None, ExitCode.OK):
        return ExitCode.OK
    if code == ExitCode.USAGE:
        return ExitCode.USAGE
    _complain(f"error: Locust ended with {code} before there was a result")
    return ExitCode.INCONCLUSIVE


if __name__ == "__main__":
    sys.exit(program(sys.argv[1:]))
else:
    listen()
