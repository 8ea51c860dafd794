"""The commands that run scenarios: what was asked for, each scenario in turn, and the result."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import TextIO

from ctxsim.cells import CellOutcome, Halt, Limits
from ctxsim.cli import failures, files, progress, signals
from ctxsim.cli.streams import ColorWord, complain, has_color, result, shows_unicode, width_of
from ctxsim.errors import ExitCode, TargetError, UsageError
from ctxsim.jobs import Options
from ctxsim.report import matrix, text
from ctxsim.report.cases import keep_case, kept_cases
from ctxsim.report.conclusion import most_severe
from ctxsim.report.document import Document, ScenarioFacts, as_text, of_error
from ctxsim.report.kept import LAST, keep
from ctxsim.report.lines import Page
from ctxsim.report.masks import mask
from ctxsim.scenario import Scenario
from ctxsim.scenario.words import WordError, duration_s
from ctxsim.simulation import Outcome, simulate


def _as_junit(documents: Sequence[Document]) -> bytes:
    from ctxsim.report import junit  # noqa: PLC0415 - most runs write no report, and it brings XML

    return junit.render(documents)


def _as_page(documents: Sequence[Document]) -> bytes:
    from ctxsim.report import page  # noqa: PLC0415 - most runs write no report, and it brings Jinja2

    return page.render(documents)


REPORTS: dict[str, Callable[[Sequence[Document]], bytes]] = {"junit": _as_junit, "html": _as_page}

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(MB|MiB|GB|GiB)", re.IGNORECASE)
_UNIT_BYTES = {"mb": 1000**2, "mib": 1024**2, "gb": 1000**3, "gib": 1024**3}
_PATIENCE = 2


@dataclass(frozen=True, slots=True)
class Words:
    """What the command line said."""

    scenarios: Sequence[str]
    form: str
    reports: Sequence[str]
    seed: int | None
    workers: Sequence[str]
    requests: int | None
    python: str | None
    fail_fast: bool
    jobs: int | None
    timeout: str
    memory: str | None
    color: ColorWord
    quiet: bool
    verbose: bool
    no_cases: bool = False
    as_matrix: bool = False
    schedule: str | None = None
    budget: str | None = None
    allowed_hosts: Sequence[str] = ()


def run(words: Words) -> int:
    """Run all scenarios and return the exit code; nothing is run if anything named is wrong."""
    reports = [report_of(each) for each in words.reports]
    scenarios = [_with_options(each, words) for each in files.load(words.scenarios)]
    halt = Halt()
    with stopped_by_signals(halt):
        return carry_out(words, scenarios, options_of(words, halt), reports)


def carry_out(
    words: Words,
    scenarios: Sequence[Scenario],
    options: Options,
    reports: Sequence[tuple[str, Path]],
) -> int:
    """Run scenarios as they are and return the exit code; their results are shown and kept."""
    documents = []
    halt = options.halt
    for scenario in scenarios:
        documents.append(_run_one(scenario, words, options))
        if halt.interrupted or (words.fail_fast and documents[-1].exit_code):
            break
    # Interrupted between two scenarios, no document says so.
    interrupted = [ExitCode.INTERRUPTED] if halt.interrupted else []
    exit_code = most_severe([*interrupted, *(document.exit_code for document in documents)])
    whole = as_text(documents, exit_code)
    if words.form == "json":
        result(whole)
    elif len(documents) > 1:
        result(_together(documents, exit_code))
    _write(whole, reports, documents)
    return exit_code


def _run_one(scenario: Scenario, words: Words, options: Options) -> Document:
    try:
        with progress.shown(quiet=words.quiet, color=_has_color(words, sys.stderr)) as tell:
            outcome = simulate(scenario, options=options, progress=tell)
    except TargetError as error:
        failures.show(error, verbose=words.verbose)
        facts = ScenarioFacts(scenario.name, scenario.file, scenario.sha256)
        return of_error(error, error.exit_code, facts)
    _keep_cases(outcome)
    if words.verbose:
        _tell_tails(outcome)
    if words.form == "text":
        color, unicode = _has_color(words, sys.stdout), shows_unicode(sys.stdout)
        if words.as_matrix:
            result(matrix.render(outcome.document, color=color, unicode=unicode))
        else:
            width = width_of(sys.stdout)
            result(text.render(outcome.document, color=color, unicode=unicode, width=width))
    return outcome.document


def _keep_cases(outcome: Outcome) -> None:
    try:
        for case in outcome.cases:
            keep_case(case)
    except OSError as error:
        complain(f"warning: cases were not kept for `ctxsim replay`: {error.strerror}")


def _has_color(words: Words, stream: TextIO | None) -> bool:
    return has_color(words.color, stream, os.environ)


def _with_options(scenario: Scenario, words: Words) -> Scenario:
    return scenario.with_options(
        seed=words.seed,
        workers=list(words.workers) or None,
        requests=words.requests,
        python=words.python,
        schedule=words.schedule,
        budget=words.budget,
    )


def options_of(words: Words, halt: Halt) -> Options:
    """How the command line wants scenarios to be carried out."""
    requests = ["--requests", str(words.requests)] if words.requests is not None else []
    python = ["--python", words.python] if words.python is not None else []
    schedule = ["--schedule", words.schedule] if words.schedule is not None else []
    budget = ["--budget", words.budget] if words.budget is not None else []
    limits = Limits()
    if words.memory is not None:
        limits = replace(limits, memory_bytes=size_bytes(words.memory))
    hosts = [word for host in words.allowed_hosts for word in ("--allow-host", host)]
    return Options(
        jobs=words.jobs,
        stall_s=seconds_of("--timeout", words.timeout),
        limits=limits,
        fail_fast=words.fail_fast,
        halt=halt,
        again=(*requests, *python, *schedule, *budget, *hosts),
        workers=tuple(words.workers),
        allowed_hosts=tuple(words.allowed_hosts),
        cases=() if words.no_cases else kept_cases(),
    )


def seconds_of(option: str, word: str) -> float:
    """The seconds that a word such as `30s` means; raises UsageError."""
    try:
        return duration_s(word)
    except WordError as error:
        hint = f"\n  {error.suggestion}" if error.suggestion else ""
        raise UsageError(f"{option} {error.message}{hint}") from error


def size_bytes(word: str) -> int:
    size = _SIZE.fullmatch(word.strip())
    if size is None or not float(size[1]):
        raise UsageError(
            f"--memory must be a size, not '{word}'\n  write for example 512MiB or 2GiB"
        )
    return int(float(size[1]) * _UNIT_BYTES[size[2].lower()])


def report_of(word: str) -> tuple[str, Path]:
    """Kind and place of a report that is to be written; raises UsageError where it cannot be."""
    kind, equals, path = word.partition("=")
    if kind not in REPORTS:
        raise UsageError(f"--report knows no kind '{kind}'\n  there is: {', '.join(REPORTS)}")
    if not equals or not path:
        raise UsageError(f"--report '{word}' names no file\n  write {kind}=PATH")
    folder = Path(path).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--report {word}: {folder} cannot be made: {error.strerror}") from error
    if Path(path).is_dir() or not os.access(folder, os.W_OK):
        raise UsageError(f"--report {word}: {path} cannot be written")
    return kind, Path(path)


def _write(whole: str, reports: Sequence[tuple[str, Path]], documents: Sequence[Document]) -> None:
    try:
        keep(LAST, whole)
    except OSError as error:
        complain(f"warning: the result was not kept in {LAST}: {error.strerror}")
    write_reports(reports, documents)


def write_reports(reports: Sequence[tuple[str, Path]], documents: Sequence[Document]) -> None:
    """Write each report to its file; raises UsageError."""
    for kind, path in reports:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(REPORTS[kind](documents))
        except OSError as error:
            raise UsageError(
                f"--report {kind}={path} cannot be written: {error.strerror}"
            ) from error


def _together(documents: Sequence[Document], exit_code: ExitCode) -> str:
    page = Page()
    page.add()
    for document in documents:
        line = f"{document.scenario.file}: {document.verdict}, exit {document.exit_code}"
        page.add(line, hanging=2)
    page.add(f"{len(documents)} scenarios, exit {int(exit_code)}")
    return page.text


def _tell_tails(outcome: Outcome) -> None:
    for cell in outcome.carried:
        for name, tail in _tails(cell):
            complain(f"--- {cell.cell.name}: the last of {name}")
            complain(mask(tail.rstrip("\n")))


def _tails(cell: CellOutcome) -> Iterator[tuple[str, str]]:
    if cell.stdout_tail.strip():
        yield "stdout", cell.stdout_tail
    if cell.stderr_tail.strip():
        yield "stderr", cell.stderr_tail


def stopped_by_signals(halt: Halt) -> AbstractContextManager[None]:
    """Let Ctrl-C and SIGTERM end the cells, so that what is known can still be reported.

    The first asks them for a last word, the second ends them at once, the third ends us.
    """

    def stop(_number: int, _frame: FrameType | None) -> None:
        halt.interrupt()
        if halt.asked > _PATIENCE:
            raise KeyboardInterrupt

    return signals.answered(stop)
