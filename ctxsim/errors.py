"""What can go wrong, as one tree.

CtxsimError                     70  a fault of ctxsim's own
|-- UsageError                   2  the command line asks for what cannot be
|   |-- ScenarioError            2  a scenario file is wrong; carries every problem
|   `-- UnsuitedError            2  the workers that were named cannot carry the application
|-- TargetError                  3  the target could not be imported, started or reached
|-- EntryUnavailableError        4  an entry of the gallery needs what is not here
|-- DivergedError                4  an execution could not follow its schedule
|-- SearchEndedError             4  the application ended a search, or cannot be controlled
|-- InterruptedRun             130  Ctrl-C or SIGTERM
|-- OutsideContextError             a proxy was used where its context is missing
`-- ContextOrderError               a context was popped that is not the current one

Each error knows the exit code that the command line ends with (DESIGN section 6). The last two
are raised inside applications that run on the runtime; they are RuntimeErrors there.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class ExitCode(IntEnum):
    """What a pipeline may rely on."""

    OK = 0
    FINDINGS = 1
    USAGE = 2
    TARGET = 3
    INCONCLUSIVE = 4
    THRESHOLDS = 5
    FAULT = 70
    INTERRUPTED = 130


class CtxsimError(Exception):
    """The root: anything that ctxsim itself raises."""

    exit_code = ExitCode.FAULT


class UsageError(CtxsimError):
    """The command line, or a call of the Python API, asks for something that cannot be done."""

    exit_code = ExitCode.USAGE


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a scenario file; lines and columns count from 1."""

    line: int
    column: int
    message: str
    width: int = 1
    suggestion: str | None = None


class ScenarioError(UsageError):
    """A scenario file is wrong; `str()` shows each problem with its line, caret and suggestion."""

    def __init__(self, file: str, problems: list[Problem], lines: list[str]) -> None:
        super().__init__(file, problems)
        self.file = file
        self.problems = problems
        self.lines = lines

    def __str__(self) -> str:
        shown = [self._show(problem) for problem in self.problems]
        count = len(self.problems)
        shown.append(f"{count} problem{'s' if count > 1 else ''} in {self.file}. Nothing was run.")
        return "\n".join(shown)

    def _show(self, problem: Problem) -> str:
        text = f"{self.file}:{problem.line}:{problem.column}: error: {problem.message}"
        hint = f"  {problem.suggestion}" if problem.suggestion else ""
        if not 0 < problem.line <= len(self.lines):
            return text + hint
        source = self.lines[problem.line - 1].expandtabs(1)
        caret = " " * (problem.column - 1) + "^" * max(1, problem.width)
        return f"{text}\n{problem.line:5} | {source}\n      | {caret}{hint}"


class UnsuitedError(UsageError):
    """The workers cannot carry an application of this kind, which shows once it is imported."""


class TargetError(CtxsimError):
    """The target could not be imported, started or reached."""

    exit_code = ExitCode.TARGET


class EntryUnavailableError(CtxsimError):
    """An entry of the gallery needs packages, an interpreter or a program that cannot be had."""

    exit_code = ExitCode.INCONCLUSIVE


class DivergedError(CtxsimError):
    """A schedule could not be followed: at `step`, counted from 0, the execution went otherwise."""

    exit_code = ExitCode.INCONCLUSIVE

    def __init__(self, step: int, why: str) -> None:
        super().__init__(f"the schedule could not be followed at step {step}: {why}")
        self.step = step


class SearchEndedError(CtxsimError):
    """A search cannot go on; `kind` is how its cell ended, as `history.Ending` names it."""

    exit_code = ExitCode.INCONCLUSIVE

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(kind, message)
        self.kind = kind

    def __str__(self) -> str:
        return str(self.args[1])


class InterruptedRun(CtxsimError):  # noqa: N818 - it is an event, not an error
    """The run was ended from outside before it was complete."""

    exit_code = ExitCode.INTERRUPTED


class OutsideContextError(CtxsimError, RuntimeError):
    """`request`, `g`, `session` or `current_app` was used where no context is pushed."""


class ContextOrderError(CtxsimError, RuntimeError):
    """A context was popped that is not the innermost one of this worker."""
