"""How a command line ends that cannot be carried out: what happened, on stderr, and the exit code.

With `--format json` stdout gets a document all the same, because whoever reads it must never meet
text that does not parse.
"""

from __future__ import annotations

import difflib
import itertools
import traceback
from collections.abc import Sequence
from pathlib import Path

import click

from ctxsim.cli.streams import complain, result
from ctxsim.errors import CtxsimError, ExitCode, InterruptedRun, ScenarioError, UsageError


def usage(error: click.ClickException, given: Sequence[str]) -> int:
    """The command line itself is wrong."""
    message = _sentence(error)
    hint = _hint(error)
    return ours(UsageError(f"{message}\n  {hint}" if hint else message), given)


def _sentence(error: click.ClickException) -> str:
    if isinstance(error, click.NoSuchOption):
        return f"no such option: {error.option_name}"
    if isinstance(error, click.MissingParameter) and error.param is not None and error.ctx:
        return f"{error.param.make_metavar(error.ctx)} is missing"
    message = error.format_message()
    return message[:1].lower() + message[1:].removesuffix(".")


def _hint(error: click.ClickException) -> str:
    near = _near(error)
    if near:
        return f"did you mean {near}?"
    context = error.ctx if isinstance(error, click.UsageError) else None
    command = context.command_path if context is not None else "ctxsim"
    return "" if "\n" in error.format_message() else f"see {command} --help"


def _near(error: click.ClickException) -> str:
    if isinstance(error, click.NoSuchOption):
        return next(iter(error.possibilities or ()), "")
    return _near_choice(error) if isinstance(error, click.BadParameter) else ""


def _near_choice(error: click.BadParameter) -> str:
    kind = error.param.type if error.param is not None else None
    if not isinstance(kind, click.Choice):
        return ""
    written = error.message.partition("'")[2].partition("'")[0]
    near = difflib.get_close_matches(written, [str(each) for each in kind.choices], 1)
    return near[0] if near else ""


def ours(error: CtxsimError, given: Sequence[str]) -> int:
    """Something that ctxsim itself refused or could not do."""
    show(error, verbose="-v" in given or "--verbose" in given)
    _document(error, error.exit_code, given)
    return error.exit_code


def show(error: CtxsimError, *, verbose: bool) -> None:
    """Tell an error to the reader at the terminal."""
    # A scenario's problems each begin with their own file, line and column.
    complain(str(error) if isinstance(error, ScenarioError) else f"error: {error}")
    notes = [note for note in getattr(error, "__notes__", []) if note.strip()]
    if verbose:
        for note in notes:
            complain(note.rstrip())
    elif notes:
        complain("  full traceback: --verbose")


def interrupted(given: Sequence[str]) -> int:
    """Ctrl-C where there was nothing yet to report."""
    complain("interrupted")
    _document(InterruptedRun("interrupted"), ExitCode.INTERRUPTED, given)
    return ExitCode.INTERRUPTED


def fault(error: Exception, given: Sequence[str]) -> int:
    """A fault of ctxsim's own: the traceback goes to a file, for the report of the bug."""
    from ctxsim.report.kept import CRASH, keep  # noqa: PLC0415 - needed for a fault alone

    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    complain(f"internal error in ctxsim (this is our bug): {type(error).__name__}: {error}{where}")
    told = "".join(traceback.format_exception(error))
    try:
        keep(CRASH, told)
    except OSError:
        complain(told)
    else:
        complain(f"  please report it, with {CRASH}")
    _document(error, ExitCode.FAULT, given)
    return ExitCode.FAULT


def _document(error: Exception, exit_code: int, given: Sequence[str]) -> None:
    if not _wants_json(given):
        return
    from ctxsim.report import document  # noqa: PLC0415 - needed with --format json alone

    failed = document.of_error(error, exit_code)
    result(document.as_text([failed], exit_code))


def _wants_json(given: Sequence[str]) -> bool:
    return "--format=json" in given or ("--format", "json") in itertools.pairwise(given)
