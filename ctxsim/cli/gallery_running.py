"""The gallery: its list, one entry as it runs, and all of them held against what they declare."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from ctxsim.cells import Halt, cores
from ctxsim.cli import gallery_table, progress
from ctxsim.cli.running import stopped_by_signals
from ctxsim.cli.streams import ColorWord, complain, has_color, result, shows_unicode
from ctxsim.errors import CtxsimError, ExitCode, UsageError
from ctxsim.gallery import Entry, entries, installs, judged, named, place, twin
from ctxsim.jobs import Options
from ctxsim.report import text
from ctxsim.report.lines import Page
from ctxsim.simulation import Outcome, simulate


@dataclass(frozen=True, slots=True)
class Words:
    """What the command line said; `name` is None for the list, or for all.

    `download` keeps only the entries that need packages, or only the others; None keeps both.
    """

    name: str | None
    fixed: bool
    all: bool
    download: bool | None
    table: bool
    workers: Sequence[str]
    seed: int | None
    jobs: int | None
    color: ColorWord
    quiet: bool


def run(words: Words) -> int:
    """Do what was asked for and return the exit code."""
    _refuse_contradictions(words)
    chosen = _chosen(words)
    if words.table:
        return gallery_table.write(chosen, seed=words.seed)
    if words.all:
        return _all(chosen, words)
    if words.name is not None:
        return _one(named(words.name), words)
    return _list(chosen)


def _refuse_contradictions(words: Words) -> None:
    together = words.all or words.table
    if words.name is not None and together:
        raise UsageError("a name goes with neither --all nor --table\n  leave one of them out")
    if words.all and words.table:
        raise UsageError("--all and --table are two things\n  run them one after the other")
    if words.name is None and (words.fixed or words.workers):
        raise UsageError(
            "--fixed and --workers are for one entry\n  write ctxsim gallery NAME --fixed"
        )


def _chosen(words: Words) -> list[Entry]:
    return [each for each in entries() if words.download in (None, each.packages is not None)]


def _list(chosen: Sequence[Entry]) -> int:
    page = Page(unicode=shows_unicode(sys.stdout))
    for entry in chosen:
        page.add(f"{entry.name}  {' '.join(entry.codes)}{_marks(entry)}", tone="title")
        page.add(entry.sentence, indent=2)
        page.add(f"shows with {', '.join(entry.shows)}", indent=2, hanging=2)
    page.add()
    page.add(f"{len(chosen)} entries; run one with its story: ctxsim gallery NAME")
    result(page.text)
    return ExitCode.OK


def _marks(entry: Entry) -> str:
    downloads = ["downloads packages"] if entry.packages is not None else []
    programs = [f"needs {each}" for each in entry.needs]
    chance = [] if entry.is_shown_by_chance else ["rare"]
    marks = ", ".join([*downloads, *programs, *chance])
    return f"  ({marks})" if marks else ""


def _one(entry: Entry, words: Words) -> int:
    halt = Halt()
    color = has_color(words.color, sys.stdout, os.environ)
    if not words.quiet and installs(entry, fixed=words.fixed):
        complain(f"installing once: {' '.join(entry.pins(fixed=words.fixed))}")
    with (
        stopped_by_signals(halt),
        progress.shown(quiet=words.quiet, color=color) as tell,
        place(entry, fixed=words.fixed) as where,
    ):
        scenario = twin(entry, where, fixed=words.fixed, workers=_words_of(words.workers))
        options = Options(jobs=words.jobs, halt=halt, confirms=False)
        outcome = simulate(scenario.with_options(seed=words.seed), options=options, progress=tell)
    document = replace(outcome.document, replay=_again(entry, words, outcome))
    result(f"{entry.sentence}\n{entry.folder}\n\n")
    result(text.render(document, color=color, unicode=shows_unicode(sys.stdout), kept=None))
    return outcome.exit_code


def _words_of(workers: Sequence[str]) -> tuple[str, ...]:
    return tuple(word.strip() for each in workers for word in each.split(","))


def _again(entry: Entry, words: Words, outcome: Outcome) -> str:
    fixed = ["--fixed"] if words.fixed else []
    workers = [each for word in words.workers for each in ("--workers", word)]
    seed = ["--seed", str(outcome.document.seed)]
    return shlex.join(["ctxsim", "gallery", entry.name, *fixed, *workers, *seed])


@dataclass(frozen=True, slots=True)
class Ran:
    """What became of an entry: each difference from what it declares, or why it was not run."""

    entry: Entry
    differences: tuple[str, ...] = ()
    skipped: str = ""

    @property
    def exit_code(self) -> ExitCode:
        if self.differences:
            return ExitCode.FINDINGS
        return ExitCode.INCONCLUSIVE if self.skipped else ExitCode.OK


def check_all(chosen: Sequence[Entry], *, seed: int | None, halt: Halt, jobs: int) -> Iterator[Ran]:
    """Run both twins of each entry that chance can show, `jobs` at a time, in order."""

    def check(entry: Entry) -> Ran:
        return _checked(entry, seed, halt)

    with ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(check, [each for each in chosen if each.is_shown_by_chance])


def _checked(entry: Entry, seed: int | None, halt: Halt) -> Ran:
    try:
        told = [
            f"{'fixed' if fixed else 'leaky'}: {each}"
            for fixed in (False, True)
            for each in _differences(entry, seed, halt, fixed=fixed)
        ]
    except CtxsimError as error:
        return Ran(entry, skipped=str(error))
    return Ran(entry, tuple(told))


def _differences(entry: Entry, seed: int | None, halt: Halt, *, fixed: bool) -> Iterator[str]:
    if halt.asked:
        return
    with place(entry, fixed=fixed) as where:
        scenario = twin(entry, where, fixed=fixed).with_options(seed=seed)
        outcome = simulate(scenario, options=Options(jobs=1, halt=halt, confirms=False))
    if outcome.exit_code == ExitCode.INTERRUPTED:
        return
    yield from judged(
        entry, {cell.workers: cell.codes for cell in outcome.cells}, fixed=fixed
    ).differences
    for cell in outcome.cells:
        if cell.ending is not None:
            yield f"{cell.workers} ended early: {cell.ending.kind}: {cell.ending.message}"


def _all(chosen: Sequence[Entry], words: Words) -> int:
    halt = Halt()
    codes = set()
    with stopped_by_signals(halt):
        for ran in check_all(chosen, seed=words.seed, halt=halt, jobs=words.jobs or cores()):
            if halt.interrupted:
                codes.add(ExitCode.INTERRUPTED)
                complain("interrupted")
                break
            result(_told(ran))
            codes.add(ran.exit_code)
    for entry in chosen:
        if not entry.is_shown_by_chance:
            result(f"{entry.name}: not run, since chance shows it too rarely\n")
    return _most_severe(codes)


def _most_severe(codes: set[ExitCode]) -> int:
    for code in (ExitCode.INTERRUPTED, ExitCode.FINDINGS, ExitCode.INCONCLUSIVE):
        if code in codes:
            return code
    return ExitCode.OK


def _told(ran: Ran) -> str:
    page = Page(unicode=shows_unicode(sys.stdout))
    if ran.skipped:
        page.add(f"{ran.entry.name}: not run: {ran.skipped}", hanging=2)
    elif not ran.differences:
        page.add(f"{ran.entry.name}: as declared", hanging=2)
    for each in ran.differences:
        page.add(f"{ran.entry.name}: {each}", hanging=2)
    return page.text
