"""Scenario files as tests: each `*.ctxsim.yaml` is collected, with one item for each of its cells.

This module is loaded in every pytest run wherever ctxsim is installed. It therefore imports nothing
but pytest and the standard library until a scenario is collected.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ctxsim.report.document import Document
    from ctxsim.scenario import Cell, Scenario

SUFFIX = ".ctxsim.yaml"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("ctxsim", "request isolation (ctxsim)")
    group.addoption("--ctxsim-seed", type=int, metavar="N", help="seed of the scenarios' chance")
    group.addoption(
        "--ctxsim-requests", type=int, metavar="N", help="how many requests each cell sends"
    )


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> ScenarioFile | None:
    if not file_path.name.endswith(SUFFIX):
        return None
    collected: ScenarioFile = ScenarioFile.from_parent(parent, path=file_path)
    return collected


class ScenarioFile(pytest.File):
    """One scenario file."""

    def collect(self) -> Iterator[CellItem]:
        # Here and not above, because it brings pydantic and a YAML parser.
        from ctxsim.errors import CtxsimError  # noqa: PLC0415 - as just said
        from ctxsim.scenario import Scenario, cells  # noqa: PLC0415 - as just said

        try:
            scenario = Scenario.load(self._shown_path()).with_options(
                seed=self.config.getoption("--ctxsim-seed"),
                requests=self.config.getoption("--ctxsim-requests"),
            )
        except CtxsimError as error:
            raise self.CollectError(str(error)) from None
        for cell in cells(scenario):
            yield CellItem.from_parent(self, name=cell.name, scenario=scenario, cell=cell)

    def _shown_path(self) -> Path:
        """The file as the user would name it, since it stands in the command to run it again."""
        here = self.config.invocation_params.dir
        return self.path.relative_to(here) if self.path.is_relative_to(here) else self.path


class Unclean(Exception):  # noqa: N818 - a failed test is no error of a program
    """A cell whose result is not what the scenario expects."""

    def __init__(self, document: Document) -> None:
        super().__init__(document.verdict)
        self.document = document


class CellItem(pytest.Item):
    """One cell of a scenario; running the item runs this cell alone."""

    def __init__(self, *, scenario: Scenario, cell: Cell, **keywords: Any) -> None:
        super().__init__(**keywords)
        self._scenario = scenario
        self._cell = cell

    def runtest(self) -> None:
        # Here and not above, because it brings all of ctxsim.
        from ctxsim.errors import UnsuitedError  # noqa: PLC0415 - as just said
        from ctxsim.jobs import Options  # noqa: PLC0415 - as just said
        from ctxsim.simulation import simulate  # noqa: PLC0415 - as just said

        options = Options(only=self._cell, workers=(self._cell.workers.word,))
        try:
            outcome = simulate(self._scenario, options=options)
        except UnsuitedError as error:
            if self._scenario.names_workers:
                raise
            # What an application is shows only when it is imported, long after the collection.
            pytest.skip(str(error).partition("\n")[0])
        if outcome.exit_code:
            raise Unclean(outcome.document)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *args: Any) -> Any:
        from ctxsim.errors import CtxsimError  # noqa: PLC0415 - only a failing item needs it
        from ctxsim.report import text  # noqa: PLC0415 - only a failing item needs it

        if isinstance(excinfo.value, Unclean):
            return text.render(excinfo.value.document, kept=None)
        if isinstance(excinfo.value, CtxsimError):
            return f"error: {excinfo.value}"
        return super().repr_failure(excinfo, *args)

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, f"{self._scenario.name}[{self.name}]"
