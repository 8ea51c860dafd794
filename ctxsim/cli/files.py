"""Scenario files as the command line names them: found, read, checked."""

from __future__ import annotations

import glob
import json
from collections.abc import Sequence
from pathlib import Path

from ctxsim.cli.streams import result
from ctxsim.errors import ExitCode, ScenarioError, UsageError
from ctxsim.report.lines import harmless
from ctxsim.scenario import Scenario, json_schema

PATTERN = "*.ctxsim.yaml"


def find(names: Sequence[str]) -> list[str]:
    """The files that names, globs and folders mean, each once; raises UsageError where none is."""
    return list(dict.fromkeys(file for name in names for file in _meant(name)))


def _meant(name: str) -> list[str]:
    path = Path(name)
    if path.is_dir():
        found = sorted(str(each) for each in path.rglob(PATTERN) if not _is_hidden(each, path))
        if not found:
            raise UsageError(f"no scenario in the folder {name}\n  they are named {PATTERN}")
        return found
    if path.exists() or not glob.has_magic(name):
        return [name]
    found = sorted(glob.glob(name, recursive=True))
    if not found:
        raise UsageError(f"no file matches {name}")
    return found


def _is_hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(folder).parts)


def load(names: Sequence[str]) -> list[Scenario]:
    """Read every scenario; raises one ScenarioError with the problems of all of them."""
    scenarios, errors = _read(find(names))
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise UsageError("\n".join(["several scenarios are wrong", *map(str, errors)]))
    return scenarios


def _read(files: Sequence[str]) -> tuple[list[Scenario], list[ScenarioError]]:
    scenarios, errors = [], []
    for file in files:
        try:
            scenarios.append(Scenario.load(file))
        except ScenarioError as error:
            errors.append(error)
    return scenarios, errors


def validate(names: Sequence[str]) -> int:
    """Print what is wrong in scenario files, on stdout, since it is the result."""
    scenarios, errors = _read(find(names))
    lines = [*map(str, errors), *(f"{scenario.file}: ok" for scenario in scenarios)]
    result("".join(f"{harmless(line)}\n" for line in lines))
    return ExitCode.USAGE if errors else ExitCode.OK


def print_schema() -> int:
    result(json.dumps(json_schema(), indent=2) + "\n")
    return ExitCode.OK
