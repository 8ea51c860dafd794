"""Cases carried on native threads: whether what a schedule shows, real threads show too."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ctxsim.cell.checks import FOUND, Finding
from ctxsim.cell.history import Case, History
from ctxsim.cell.plan import Workers
from ctxsim.cells import Job, Pace
from ctxsim.errors import CtxsimError, TargetError, UsageError
from ctxsim.jobs import Options, run
from ctxsim.replaying import Replayed, carried, replayed_with_legs, search_of
from ctxsim.report.cases import CaseFile
from ctxsim.report.document import finding_id
from ctxsim.report.judged import JudgedCell

_ASYNCHRONOUS = "asgi"
# What a search has found is carried so often on native threads; so many findings are, and none is
# begun later, nor where less is left. For so long each is tried, besides what its requests sleep.
_TIMES, _MOST, _MOST_S, _LEAST_S, _EACH_S = 3, 5, 10.0, 5.0, 4.0


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What native threads came to: it showed in `times` of `of` executions.

    Where it showed in none, `reason` says why, as far as that is known. `on` is what they are in
    words of `workers`.
    """

    times: int
    of: int
    on: str
    reason: str = ""


def confirm(
    case: CaseFile, times: int, options: Options | None = None
) -> tuple[Replayed, Confirmed | None]:
    """Replay a case, and where it shows carry it on native threads as often, at the same lines.

    Without the second where it does not show at all. Raises UsageError for a case of tasks, and
    what `replay` raises.
    """
    options = options or Options()
    native = native_word(case)
    replayed, now, shown = replayed_with_legs(case, times, options)
    if shown is None or options.halt.asked:
        return replayed, None
    return replayed, _confirmed(now, shown, native, times, options)


def native_word(case: CaseFile) -> str:
    """The workers that are native threads in place of the case's; raises UsageError for tasks."""
    workers = Workers.parse(case.workers)
    kind = case.environment.get("target", {}).get("kind")
    if workers.model == "tasks" or kind == _ASYNCHRONOUS:
        raise UsageError(
            f"{case.id} was found with tasks, which take turns on one thread at their awaits: "
            "there is nothing in it that native threads could confirm"
        )
    if workers.model == "sync":
        return workers.word
    variant = ":copied" if workers.variant == "copied" else ""
    fresh = ":fresh" if workers.variant == "fresh" else ""
    return f"threads:{workers.in_flight}{variant}{fresh}"


def _confirmed(case: CaseFile, shown: Case, native: str, times: int, options: Options) -> Confirmed:
    search = replace(
        search_of(case),
        script=dict(shown.script),
        cause=case.cause,
        selection=shown.selection,
        times=times,
        legs=shown.legs,
    )
    try:
        history = carried(replace(case, workers=native), search, options).history
    except TargetError as error:
        return Confirmed(0, 0, native, str(error.args[0]))
    return _came_to(history, case.cause, native)


def _came_to(history: History, cause: tuple[str, ...], native: str) -> Confirmed:
    found = history.cases.get(cause)
    reason = "; ".join(history.remarks)
    if found is None:
        return Confirmed(0, 0, native, reason)
    return Confirmed(found.times, found.of, native, reason)


def labelled(
    scenario: str, jobs: Sequence[Job], cells: Sequence[JudgedCell], options: Options
) -> list[JudgedCell]:
    """The cells with what native threads come to, for each finding of a search on simulated ones.

    `scenario` is its name. Findings for which there is no time are labelled as not carried.
    """
    began = time.monotonic()
    until = min(began + _MOST_S, options.until - _LEAST_S)
    left = _MOST
    told = []
    for job, cell in zip(jobs, cells, strict=True):
        findings = []
        for finding in cell.findings:
            if not _can_be_confirmed(job, finding):
                findings.append(finding)
                continue
            is_time = left > 0 and time.monotonic() < until and not options.halt.asked
            if options.confirms and is_time:
                left -= 1
                label = _label(_on_threads(job, cell, finding, options))
            else:
                again = f"ctxsim replay {finding_id(scenario, finding.cause)} --confirm threads"
                label = f"not carried on native threads: {again}"
            findings.append(_with_label(finding, label))
        told.append(replace(cell, findings=tuple(findings)))
    return told


def _can_be_confirmed(job: Job, finding: Finding) -> bool:
    is_simulated = job.plan.workers.model == "threads" and job.plan.search is not None
    return is_simulated and finding.case is not None and finding.case.legs is not None


def _on_threads(job: Job, cell: JudgedCell, finding: Finding, options: Options) -> Confirmed:
    assert finding.case is not None
    assert job.plan.search is not None
    cause = next(key for key, case in cell.history.cases.items() if case is finding.case)
    native = job.plan.workers.word
    search = replace(
        job.plan.search,
        script=dict(finding.case.script),
        cause=cause,
        selection=finding.case.selection,
        times=_TIMES,
        legs=finding.case.legs,
        duration_s=_EACH_S,
    )
    confirming = replace(job, plan=replace(job.plan, search=search))
    try:
        [outcome] = run([confirming], options, Pace(1, math.inf, options.at_latest), lambda _: None)
    except CtxsimError as error:
        return Confirmed(0, 0, native, str(error.args[0]))
    if outcome.history.ending is not None:
        return Confirmed(0, 0, native, f"that ended early: {outcome.history.ending.message}")
    return _came_to(outcome.history, cause, native)


def _label(confirmed: Confirmed) -> str:
    # Not how often: native threads are not controlled, and the same seed gives the same document.
    if confirmed.times:
        return "confirmed on native threads, held at the same lines"
    reason = f": {confirmed.reason}" if confirmed.reason else ""
    return f"not confirmed on native threads{reason}"


def _with_label(finding: Finding, label: str) -> Finding:
    at = next(n for n, line in enumerate(finding.story) if line.startswith(FOUND))
    return replace(finding, story=(*finding.story[:at], label, *finding.story[at:]))
