"""The commands `show` and `report`: a result that is there already, looked at in another way."""

from __future__ import annotations

import sys
import webbrowser
from collections.abc import Iterator, Mapping
from pathlib import Path

from ctxsim.cli.running import REPORTS, report_of, write_reports
from ctxsim.cli.streams import complain, result, shows_unicode, width_of
from ctxsim.errors import ExitCode, UsageError
from ctxsim.report import page as pages
from ctxsim.report.cases import CaseFile, read_case
from ctxsim.report.document import Document, FindingResult, documents_of
from ctxsim.report.kept import FOLDER, LAST, keep
from ctxsim.report.lines import Page
from ctxsim.report.masks import mask
from ctxsim.report.text import show_finding, show_story

PAGE = FOLDER / "page.html"


def show(name: str, *, web: bool) -> int:
    """Print the finding of that id with its story, or open the page of its result.

    It is looked for in the last result, then among the cases. Raises UsageError.
    """
    documents = _last()
    found = next(_findings(documents, name), None)
    if web:
        if found is None:
            raise UsageError(
                f"the last result has no finding {name}, and a page shows a whole result\n"
                f"  run it again, or write ctxsim show {name}"
            )
        return _open(documents, found)
    page = Page(unicode=shows_unicode(sys.stdout), width=width_of(sys.stdout))
    if found is None:
        _add_case(page, _case(name))
    else:
        show_finding(page, found)
        page.add_command("again:", found.replay)
    result(page.text)
    return ExitCode.OK


def _last() -> list[Document]:
    return _read(LAST) if LAST.is_file() else []


def _read(path: Path) -> list[Document]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read as a result: {error}") from error
    return documents_of(text, str(path))


def _findings(documents: list[Document], name: str) -> Iterator[FindingResult]:
    wanted = name.upper()
    for document in documents:
        yield from (each for each in document.findings if each.id == wanted)


def _case(name: str) -> CaseFile:
    try:
        return read_case(name)
    except UsageError as error:
        raise UsageError(f"the last result has no finding {name}, and {error}") from error


def _add_case(page: Page, case: CaseFile) -> None:
    page.add(f"{case.code}  {case.title}", hanging=8)
    page.add(f"{case.scenario['name']}, {case.workers}, seed {case.seed}; {case.id}", indent=2)
    show_story(page, map(mask, case.story))
    page.add()
    page.add_command("again:", f"ctxsim replay {case.id}")


def _open(documents: list[Document], found: FindingResult) -> int:
    try:
        keep(PAGE, pages.render(documents).decode())
    except OSError as error:
        raise UsageError(f"{PAGE} cannot be written: {error.strerror}") from error
    place = PAGE.resolve()
    if not webbrowser.open(f"{place.as_uri()}#{found.id}"):
        complain("no browser was found that could open it")
    result(f"{place}\n")
    return ExitCode.OK


def report(name: str, wanted: Mapping[str, str | None]) -> int:
    """Write reports of a result that was kept; `wanted` says by kind to which file.

    They are what the run would have written. Raises UsageError.
    """
    reports = [report_of(f"{kind}={path}") for kind, path in wanted.items() if path is not None]
    if not reports:
        kinds = " or ".join(f"--{kind} PATH" for kind in REPORTS)
        raise UsageError(f"no report was asked for\n  write {kinds}")
    write_reports(reports, _read(Path(name)))
    for _, path in reports:
        complain(f"{path}: written")
    return ExitCode.OK
