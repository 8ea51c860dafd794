"""The command `replay`: a case that was found before, carried again."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from ctxsim.cells import Halt
from ctxsim.cli import running
from ctxsim.cli.streams import complain, result, shows_unicode, width_of
from ctxsim.confirming import Confirmed, confirm, native_word
from ctxsim.errors import ExitCode, UsageError
from ctxsim.jobs import Options
from ctxsim.replaying import GONE, Replayed, replay
from ctxsim.report.cases import CaseFile, read_case
from ctxsim.report.emitted import as_test
from ctxsim.report.lines import Page
from ctxsim.report.masks import mask
from ctxsim.report.text import show_story
from ctxsim.scenario.loading import IN_MEMORY


def replay_case(
    name: str, *, times: int, emit_test: str | None = None, on_threads: bool = False
) -> int:
    """Replay the case and return the exit code: 1 if it shows each time, 0 if it never does.

    `emit_test` names a file that is written as a test for pytest. With `on_threads` it is carried
    on native threads besides, whose word counts where it shows at all. Raises UsageError.
    """
    case = read_case(name)
    if on_threads:
        native_word(case)
    if emit_test is not None:
        _emit(case, Path(emit_test))
    halt = Halt()
    with running.stopped_by_signals(halt):
        options, confirmed = Options(halt=halt), None
        if on_threads:
            replayed, confirmed = confirm(case, times, options)
        else:
            replayed = replay(case, times, options)
    if halt.interrupted:
        return ExitCode.INTERRUPTED
    result(_told(case, replayed, confirmed))
    if confirmed is not None:
        return ExitCode.FINDINGS if confirmed.times else ExitCode.INCONCLUSIVE
    if replayed.times == replayed.of:
        return ExitCode.FINDINGS
    is_mended = replayed.times == 0 and replayed.tells
    return ExitCode.OK if is_mended else ExitCode.INCONCLUSIVE


def _emit(case: CaseFile, path: Path) -> None:
    if path.exists():
        raise UsageError(f"{path} is there already\n  name another file with --emit-test")
    try:
        path.write_text(as_test(case, path), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
    complain(f"{path}: written; it fails as long as this shows")


def _told(case: CaseFile, replayed: Replayed, confirmed: Confirmed | None) -> str:
    page = Page(unicode=shows_unicode(sys.stdout), width=width_of(sys.stdout))
    page.add(f"{case.code}  {case.title}", hanging=8)
    page.add(f"{_named(case)}, {case.workers}, seed {case.seed}; {case.id}", indent=2)
    show_story(page, map(mask, _lines(replayed.story)))
    for remark in map(mask, replayed.remarks):
        page.add(remark)
    page.add(f"shown by {replayed.times} of {replayed.of} replays{_meaning(replayed)}")
    if replayed.rung:
        page.add(f"carried {replayed.rung}")
    if confirmed is not None:
        page.add(mask(_confirmation(case, confirmed)))
    return page.text


def _confirmation(case: CaseFile, confirmed: Confirmed) -> str:
    found = f"found under {case.workers}"
    if confirmed.times:
        shown = f"shown by {confirmed.times} of {confirmed.of} executions"
        return f"{found}, confirmed on native threads ({confirmed.on}): {shown}"
    return f"{found}, not confirmed on native threads ({confirmed.on}): {confirmed.reason}"


def _named(case: CaseFile) -> str:
    """The scenario's file; where `check` drafted it, the target that it was drafted for."""
    return case.scenario["name" if case.scenario["file"] == IN_MEMORY else "file"]


def _lines(story: Sequence[str]) -> Sequence[str]:
    return story or ("it did not show",)


def _meaning(replayed: Replayed) -> str:
    if replayed.times == replayed.of:
        return ""
    if replayed.times:
        return ": not all that happens is controlled"
    if not replayed.tells:
        return f"; {GONE}"
    return ": either it is fixed, or the lines that it needs have moved"
