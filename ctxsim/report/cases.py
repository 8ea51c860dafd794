"""Case files: a schedule that showed a finding, with all that is needed to carry it again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ctxsim.cell.history import Case
from ctxsim.errors import UsageError
from ctxsim.report.kept import FOLDER, keep

FORMAT = "ctxsim-case"
VERSION = 1
_CASES = FOLDER / "cases"
_MOST_KEPT = 100


@dataclass(frozen=True, slots=True)
class CaseFile:
    """One finding: the scenario's text, the cell, and the script that showed it there.

    `scenario` has the file's name, its folder and its text; `search` how switch points were chosen.
    `recorded` is what was chosen, the lines at which it switched, and digests of their files; None
    in a file of an earlier ctxsim. `python` is the interpreter, '' for the one that the scenario
    names; `learnt` tells how requests are answered alone, where the finding is that one was not.
    """

    id: str
    code: str
    title: str
    scenario: Mapping[str, str]
    seed: int
    run: str
    process: int
    workers: str
    storage: str
    python: str
    search: Mapping[str, Any]
    cause: tuple[str, ...]
    selection: int
    script: Mapping[str, Any]
    story: tuple[str, ...]
    environment: Mapping[str, Any] = field(default_factory=dict)
    learnt: Mapping[str, Any] | None = None
    recorded: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, case: Case, cause: tuple[str, ...], **known: Any) -> CaseFile:
        """The file of a case; `known` are the other fields."""
        return cls(
            cause=cause,
            selection=case.selection,
            script=case.script,
            recorded=case.recorded,
            story=case.story,
            **known,
        )

    def as_text(self) -> str:
        """The file's content: JSON with a line for each of its parts."""
        members = {"format": FORMAT, "version": VERSION, **asdict(self)}
        return json.dumps(members, indent=1, allow_nan=False) + "\n"


def keep_case(case: CaseFile) -> None:
    """Write it where `read_case` finds it by its id; the oldest give way. Raises OSError."""
    keep(_path(case.id), case.as_text())
    kept = sorted(_CASES.glob("*.json"), key=lambda each: each.stat().st_mtime)
    for each in kept[:-_MOST_KEPT]:
        each.unlink(missing_ok=True)


def read_case(name: str) -> CaseFile:
    """The case of that id, or in the file of that name; raises UsageError."""
    path = Path(name)
    if not path.is_file():
        path = _path(name)
    try:
        members = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UsageError(
            f"there is no case '{name}': neither a file, nor an id in {_CASES}\n"
            "  ids stand beside the findings of `ctxsim run --schedule auto`"
        ) from error
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read as a case: {error}") from error
    return _case_of(members, str(path))


def kept_cases() -> tuple[CaseFile, ...]:
    """Those that were kept here, the newest first; what cannot be read is none of them."""
    kept = sorted(_CASES.glob("*.json"), key=lambda each: each.stat().st_mtime, reverse=True)
    cases = []
    for path in kept:
        with suppress(UsageError):
            cases.append(read_case(str(path)))
    return tuple(cases)


def parse_case(text: str) -> CaseFile:
    """The case that `CaseFile.as_text` gave; raises UsageError."""
    try:
        members = json.loads(text)
    except ValueError as error:
        raise UsageError(f"the text cannot be read as a case: {error}") from error
    return _case_of(members, "the text")


def _case_of(members: Any, path: str) -> CaseFile:
    if not isinstance(members, dict) or members.pop("format", None) != FORMAT:
        raise UsageError(f"{path} is no case file of ctxsim")
    if (version := members.pop("version", None)) != VERSION:
        raise UsageError(f"{path} is a case file of version {version}; this ctxsim reads {VERSION}")
    try:
        case = CaseFile(**members)
        lists = {"cause": tuple(case.cause), "story": tuple(case.story)}
        return CaseFile(**{**members, **lists})
    except TypeError as error:
        raise UsageError(f"{path} is not a whole case file: {error}") from error


def _path(name: str) -> Path:
    return _CASES / f"{Path(name).name}.json"
