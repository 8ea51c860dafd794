"""The matrix shows at a glance which storage keeps requests apart under which workers."""

from dataclasses import replace

from hypothesis import given, settings
from sample_documents import CELL, DOCUMENT, SYNC, documents

from ctxsim.cell.history import Ending
from ctxsim.report import matrix
from ctxsim.report.document import Expectation
from ctxsim.report.lines import WIDTH, columns

STORAGES = ("contextvar", "greenlet", "thread", "ident", "shared")


def cell(storage, workers, *codes):
    verdict = "findings" if codes else "clean"
    return replace(SYNC, storage=storage, workers=workers, codes=codes, verdict=verdict)


def table_of(*cells):
    return matrix.render(replace(DOCUMENT, cells=cells)).split("\n\n")[1]


def test_rows_are_workers_and_columns_are_storages():
    table = table_of(
        cell("contextvar", "sync"),
        cell("contextvar", "threads:8"),
        cell("shared", "sync", "CTX401"),
        cell("shared", "threads:8", "CTX204", "CTX201"),
    )
    assert table == (
        "  workers    contextvar  shared\n"
        "  sync       clean       401\n"
        "  threads:8  clean       204 201"
    )


def test_failing_requests_are_told_of_cells_without_findings_alone():
    cells = (cell("contextvar", "sync"), cell("shared", "sync", "CTX204"))
    notes = [f"12 of 1,000 requests failed in {each.name} (500 x 12)" for each in cells]
    text = matrix.render(replace(DOCUMENT, cells=cells, notes=tuple(notes)))
    assert [each in text for each in notes] == [True, False]


def test_the_most_severe_code_stands_first():
    table = table_of(cell("shared", "sync", "CTX101", "CTX204"))
    assert table.endswith("204 101")


def test_five_storages_fit_beside_each_other():
    table = table_of(*(cell(storage, "threads:4 x greenlets:250") for storage in STORAGES))
    assert table.splitlines()[0].split() == ["workers", *STORAGES]


def test_many_codes_are_wrapped_inside_their_column():
    codes = ["CTX201", "CTX202", "CTX203", "CTX204", "CTX205", "CTX206", "CTX207"]
    table = table_of(*(cell(each, "threads:4 x greenlets:250", *codes) for each in STORAGES))
    shown = table.splitlines()
    assert len(shown) > 2
    assert max(map(len, shown)) <= WIDTH


def test_the_legend_explains_each_word_that_occurs_and_no_other():
    ended = replace(cell("contextvar", "threads:8"), ending=Ending("crash", "SIGSEGV"))
    document = replace(DOCUMENT, cells=(cell("contextvar", "sync", "CTX201"), ended))
    shown = matrix.render(document)
    assert "  201    a response carried another request's value\n" in shown
    assert "  crash  the interpreter crashed\n" in shown
    assert "clean  every" not in shown


def test_a_cell_that_proved_nothing_has_a_question_mark():
    assert matrix.words(replace(CELL, codes=(), verdict="inconclusive")) == ["?"]


def test_where_some_codes_are_expected_the_others_are_marked():
    found = replace(cell("shared", "sync", "CTX201", "CTX401"), unexpected=("CTX401",))
    lacking = replace(cell("shared", "threads:8"), missing=("CTX204",))
    document = replace(DOCUMENT, cells=(found, lacking), expect=Expectation("CTX201"))
    shown = matrix.render(document)
    assert "  sync       201 401!\n  threads:8  -204\n" in shown
    assert "  !    after a code: the scenario does not expect it there\n" in shown
    assert "  -    before a code: the scenario expects it there, and it did not show\n" in shown


def test_where_all_is_expected_to_be_clean_nothing_is_marked():
    found = replace(cell("shared", "sync", "CTX401"), unexpected=("CTX401",))
    assert "!" not in matrix.render(replace(DOCUMENT, cells=(found,)))


def test_a_cell_that_the_matrix_does_not_have_is_a_dash():
    table = table_of(cell("contextvar", "sync"), cell("shared", "threads:8"))
    assert table.splitlines()[1].split() == ["sync", "clean", "-"]


@given(documents)
@settings(deadline=None, max_examples=25)
def test_any_matrix_is_shown_in_lines_of_80_columns(document):
    for line in matrix.render(document).split("\n"):
        assert columns(line) <= WIDTH
