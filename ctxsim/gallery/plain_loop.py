"""A plain loop of requests, in the application's process: plan in, the first violation out.

Run as a program, by the command that measures the gallery. Nothing looks inside the application
here; only answers are compared, and the interpreter switches threads as it likes, or as often as it
is told to.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
import time
from contextvars import copy_context
from pathlib import Path
from typing import Any

CELL = Path(__file__).resolve().parents[1] / "cell" / "__main__.py"


class _Unwatched:
    """In the place of all that looks inside a cell: a load test does not look there."""

    wanted = False
    traced: tuple[()] = ()

    def before(self, request: object, baseline: object) -> None:
        """Nothing is looked at."""

    def after(self, request: object) -> None:
        """Nothing is looked at."""


def loop(asked: dict[str, Any]) -> dict[str, Any]:
    """Carry a plan's requests until the first violation; gives when it came."""
    from ctxsim import switchpoint  # noqa: PLC0415 - the program makes it importable first
    from ctxsim.cell import lending, patching  # noqa: PLC0415 - as just said
    from ctxsim.cell.plan import Plan  # noqa: PLC0415 - as just said
    from ctxsim.cell.workers import models  # noqa: PLC0415 - as just said

    plan = Plan.from_json(asked["plan"])
    native = patching.Native()
    sys.path[:0] = plan.target.path
    lending.lend(plan.lent, plan.lent_from)
    patching.patch_before(plan.workers)
    model = models.of(plan.workers)
    switchpoint.drive(blocking=model.pause(native))
    first: dict[str, Any] = {}
    crew = _crew(plan, native, first)
    patching.patch_after(plan.workers)
    if asked["switch_interval_s"] is not None:
        sys.setswitchinterval(asked["switch_interval_s"])
    crew.traffic.begin()
    started = time.perf_counter()
    models.carry_all(crew, model)
    told = {"requests": crew.record.ended}
    if first:
        told |= {"at_request": first["request"], "after_s": first["clock"] - started}
    return told


def _crew(plan: Any, native: Any, first: dict[str, Any]) -> Any:
    from ctxsim.cell.targets import opening  # noqa: PLC0415 - as just said
    from ctxsim.cell.targets.asgi import Asgi  # noqa: PLC0415 - as just said
    from ctxsim.cell.visits import Traffic  # noqa: PLC0415 - as just said
    from ctxsim.cell.witness.answers import Answers, Owner  # noqa: PLC0415 - as just said
    from ctxsim.cell.witness.marks import Marks  # noqa: PLC0415 - as just said
    from ctxsim.cell.witness.record import Current, Record  # noqa: PLC0415 - as just said
    from ctxsim.cell.workers.carry import Crew  # noqa: PLC0415 - as just said

    current = Current(native.thread_local())
    opening.select_storage(plan.target)
    target = opening.open_target(plan.target, current)
    current.settle(by_context=isinstance(target, Asgi))
    if isinstance(target, Asgi):
        target.start()
    traffic = Traffic(plan, time.perf_counter)
    marks = Marks(plan, len(traffic.users))

    def violated(message: dict[str, Any]) -> None:
        at_request = message.get("event", {}).get("at_request")
        if at_request and not first:
            first.update(request=at_request, clock=time.perf_counter())
            traffic.stop()

    record = Record(violated, native.allocate_lock())
    answers = Answers(
        marks, Owner(plan, traffic, marks, lambda _: None), record, target.session_cookie
    )
    members = {
        "plan": plan,
        "target": target,
        "traffic": traffic,
        "answers": answers,
        "residue": _Unwatched(),
        "origins": _Unwatched(),
        "census": _Unwatched(),
        "background": _Unwatched(),
        "inside": None,
        "probes": None,
        "record": record,
        "current": current,
        "clock": time.perf_counter,
        "imported_in": copy_context(),
        "live": {},
        "tallies": [],
    }
    # What other parts of a cell look at stays away.
    return Crew(**members)


if __name__ == "__main__":
    runpy.run_path(str(CELL), run_name="cell")["_make_ctxsim_importable"]()
    told = loop(json.loads(sys.stdin.read()))
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()
    # Threads of the application's may still run.
    os._exit(0)
