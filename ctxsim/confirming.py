"""Cases carried on native threads: whether what a schedule shows, real threads show too."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ctxsim.cell.history import Case
from ctxsim.cell.plan import Workers
from ctxsim.errors import TargetError, UsageError
from ctxsim.jobs import Options
from ctxsim.replaying import Replayed, carried, replayed_with_legs, search_of
from ctxsim.report.cases import CaseFile

_ASYNCHRONOUS = "asgi"


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
    found = history.cases.get(case.cause)
    reason = "; ".join(history.remarks)
    if found is None:
        return Confirmed(0, 0, native, reason)
    return Confirmed(found.times, found.of, native, reason)
