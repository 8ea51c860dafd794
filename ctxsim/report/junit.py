"""The result as JUnit XML, for CI systems that show tests.

One test case per cell and check code, and one that says whether the requests were answered and
compared. Names carry no seeds, counts or ids, because systems compare them between branches; the
story stands in the text of an element, because GitLab shows no `message` attribute.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from ctxsim.cell.checks import SEVERITY, TITLES
from ctxsim.report.document import CellResult, Document, FindingResult
from ctxsim.report.stacks import innermost

ANSWERED = "requests answered"
EXPECTED = "expected findings show"
# What nothing compared means is told by the test case `requests answered`.
_NOTHING_COMPARED = "CTX901"

# What XML 1.0 cannot hold, not even escaped.
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Problem = Failure | Error | Skipped


def render(documents: Iterable[Document]) -> bytes:
    """The XML of a run, one test suite per scenario; always well-formed."""
    xml = JUnitXml("ctxsim")
    for document in documents:
        xml.add_testsuite(_suite(document))
    xml.update_statistics()  # type: ignore[no-untyped-call]  # the library leaves it untyped
    written = io.BytesIO()
    xml.write(written)
    return written.getvalue()


def legal(text: str) -> str:
    """`text` with each character that XML cannot hold replaced by U+FFFD."""
    return _ILLEGAL.sub("\N{REPLACEMENT CHARACTER}", text)


def _suite(document: Document) -> TestSuite:
    suite = TestSuite(legal(document.scenario.name))
    for case in _cases(document):
        suite.add_testcase(case)
    return suite


def _cases(document: Document) -> Iterator[TestCase]:
    scenario = document.scenario
    if document.error is not None:
        problem = Error(legal(document.error.kind))
        problem.text = legal(f"{document.error.message}\n{document.error.hint}")
        yield _case(document, scenario.name, "target starts", 0.0, problem)
        return
    for cell in document.cells:
        classname = f"{scenario.name}[{cell.name}]"
        elapsed_s = cell.timing.elapsed_s
        yield _case(document, classname, ANSWERED, elapsed_s, _unanswered(document, cell))
        for code in sorted(set(document.checks) - {_NOTHING_COMPARED}):
            yield _checked(document, cell, code)
    lacking = (*document.expect.missing, *document.expect.unmatched)
    missing = _failure("not found", lacking) if lacking else None
    yield _case(document, scenario.name, EXPECTED, 0.0, missing)


def _case(
    document: Document, classname: str, name: str, elapsed_s: float, problem: Problem | None
) -> TestCase:
    case = TestCase(legal(name), legal(classname), elapsed_s)
    # The schema of GitLab knows the attribute; the library has no property for it.
    case._elem.set("file", legal(document.scenario.file))
    if problem is not None:
        case.result = problem
    return case


def _unanswered(document: Document, cell: CellResult) -> Problem | None:
    if cell.ending is None and cell.verdict in ("clean", "findings"):
        return None
    lines = list(document.reasons)
    if cell.ending is not None:
        lines += [f"{cell.ending.kind}: {cell.ending.message}", cell.ending.hint]
        lines += innermost(cell.ending)
    problem = Error(legal(cell.ending.kind if cell.ending else cell.verdict))
    problem.text = legal("\n".join(lines))
    return problem


def _checked(document: Document, cell: CellResult, code: str) -> TestCase:
    classname = f"{document.scenario.name}[{cell.name}]"
    found = [each for each in document.findings if each.id in cell.findings and each.code == code]
    problem: Problem | None = None
    if code in cell.unexpected:
        problem = _failure(TITLES[code], _stories(found))
    elif code in cell.missing:
        problem = _failure("not found", [f"{code} was expected in {cell.name} and did not show"])
    elif cell.ending is not None and not found:
        problem = Skipped(f"the cell ended early: {legal(cell.ending.kind)}")
    case = _case(document, classname, code, 0.0, problem)
    if found and problem is None:
        case.system_out = legal("\n".join(["as expected", *_stories(found)]))
    return case


def _failure(message: str, lines: Iterable[str]) -> Failure:
    failure = Failure(legal(message))
    failure.text = legal("\n".join(lines))
    return failure


def _stories(findings: Iterable[FindingResult]) -> Iterator[str]:
    for finding in sorted(findings, key=lambda each: SEVERITY.index(each.code)):
        # The first occurrence is told, in whichever of these cells it was.
        where = ", ".join(finding.cells)
        yield f"{finding.code} {finding.title} ({finding.count:,} times in {where})"
        yield from (f"  {line}" for line in finding.story)
        yield from (f"  {place}" for place in finding.places)
        yield f"  again: {finding.replay}"
