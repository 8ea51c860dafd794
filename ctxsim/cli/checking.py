"""The commands that start from an application, not from a scenario: `check` and `init`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ctxsim import checking
from ctxsim.cells import Halt
from ctxsim.cli import running
from ctxsim.cli.streams import complain, result
from ctxsim.errors import ExitCode, UsageError
from ctxsim.jobs import Options
from ctxsim.looks import Wish
from ctxsim.scenario import Scenario

_STDOUT = "-"
_OWN = ("budget", "unsafe", "path", "shared", "keeps", "openapi", "rate", "ca")
# Where no file is named: a name that `ctxsim run FOLDER` and pytest find.
_DEFAULT_NAME = "{}.ctxsim.yaml"


def check(target: str, given: Mapping[str, Any]) -> int:
    """Look at the application, draft a scenario, run it, and return the exit code."""
    own = {name: given[name] for name in _OWN}
    words = running.Words(
        scenarios=[], **{name: each for name, each in given.items() if name not in _OWN}
    )
    wish = Wish(
        target,
        path=own["path"],
        python=words.python,
        unsafe=own["unsafe"],
        workers=tuple(words.workers) or None,
        requests=words.requests,
        seed=words.seed,
        budget_s=running.seconds_of("--budget", own["budget"]),
        shared=own["shared"],
        keeps=own["keeps"],
        openapi=own["openapi"],
        rate=own["rate"],
        ca=own["ca"],
    )
    reports = [running.report_of(each) for each in words.reports]
    halt = Halt()
    with running.stopped_by_signals(halt):
        scenario, options = checking.prepared(wish, running.options_of(words, halt))
        return running.carry_out(words, [scenario], options, reports)


def init(
    target: str,
    *,
    output: str | None,
    force: bool,
    allowed_hosts: Sequence[str],
    **given: Any,
) -> int:
    """Write a scenario for the target; a file that is there is left alone."""
    file = Path(output or _DEFAULT_NAME.format(_stem(target)))
    to_stdout = output == _STDOUT
    if not to_stdout:
        _refuse(file, force=force)
    options = Options(allowed_hosts=tuple(allowed_hosts))
    draft = checking.drafted(Wish(target, **given), Path() if to_stdout else file.parent, options)
    # What is written must load: better to fail here than in the hands of whoever runs it.
    Scenario.parse(draft.text, str(file))
    for line in (draft.sent, *draft.notes, *draft.not_covered):
        complain(line)
    if to_stdout:
        result(draft.text)
        return ExitCode.OK
    try:
        file.write_text(draft.text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}") from error
    result(f"{file}: written; now: ctxsim run {file}\n")
    return ExitCode.OK


def _stem(target: str) -> str:
    if "://" in target:
        return urlsplit(target).hostname or "server"
    place = target.partition(":")[0] if not target.endswith(".py") else target
    return Path(place).stem if ".py" in place else place.partition(".")[0] or "ctxsim"


def _refuse(file: Path, *, force: bool) -> None:
    if file.is_dir():
        raise UsageError(f"{file} is a folder\n  write -o {file / 'shop.ctxsim.yaml'}")
    if file.exists() and not force:
        raise UsageError(f"{file} is there already\n  write --force, or another name with -o FILE")
