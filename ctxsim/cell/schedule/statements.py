"""Where statements begin: the lines that are switch points, the same on every Python.

What a compiler makes of a statement differs by version: which of its lines comes first and how
often it comes back to each, whether a comprehension has code of its own, and whether a loop on one
line is told again each time. So a line is a switch point where a statement begins on it, or a
lambda does, and nowhere else: a schedule that was recorded on one Python then has the same steps on
another.
"""

from __future__ import annotations

import ast
import dis
import linecache
import opcode
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import CodeType

# Part of the statement that they stand in, whether they have code of their own or not.
COMPREHENSIONS = frozenset({"<listcomp>", "<dictcomp>", "<setcomp>", "<genexpr>"})
LAMBDA = "<lambda>"
# Of a statement on one line, Python 3.12 tells again where it goes on in the middle.
TELLS_MORE = sys.version_info[:2] == (3, 12)
_RESUME = opcode.opmap["RESUME"]
_JUMPS = frozenset((*opcode.hasjrel, *opcode.hasjabs))
# After which the next one does not come.
_LEAVING = frozenset(
    number
    for name, number in opcode.opmap.items()
    if name.startswith(("RETURN_", "RAISE_", "RERAISE", "JUMP_FORWARD", "JUMP_BACKWARD"))
)
_UNIT = 2

_Node = ast.stmt | ast.ExceptHandler | ast.match_case
_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")


@dataclass(frozen=True, slots=True)
class Span:
    """A statement, or the head of one that has others within, from its first line to its last.

    `names` is the class that it begins, or the function that does nothing.
    """

    first: int
    last: int
    names: str = ""


Spans = Mapping[int, Span]


class _Files(dict[str, Spans]):
    """Read when they are first asked for: most files of the packages that are there no line runs
    of, and to read them all takes longer than a short search does."""

    def __missing__(self, file: str) -> Spans:
        spans = self[file] = _spans_in(file)
        return spans


FILES = _Files()


def spans_of(file: str) -> Spans:
    """By line, the statements of a file that are not just one line that comes once.

    Heads of classes are among them, and loops with their body beside them. Empty where the source
    cannot be had.
    """
    return FILES[file]


def read_ahead(files: Iterable[str]) -> None:
    """Read what a copy of this process had to, so that the next copies need not."""
    for file in files:
        spans_of(file)


def _spans_in(file: str) -> Spans:
    try:
        tree = ast.parse("".join(linecache.getlines(file)))
    except (SyntaxError, ValueError):
        return {}
    return {
        line: span
        for span in map(_span, _statements(tree.body))
        if span is not None
        for line in range(span.first, span.last + 1)
    }


def begun(code: CodeType, line: int, at: int) -> int | None:
    """The line where the statement begins that begins with the instruction at offset `at`, which
    is of that line; None where it is in the middle of one."""
    if code.co_name in COMPREHENSIONS:
        return None
    if code.co_name == LAMBDA:
        return code.co_firstlineno if _begins_lambda(code, at) else None
    span = spans_of(code.co_filename).get(line)
    if span is None:
        return None if TELLS_MORE and is_amid_line(code, line, at) else line
    if at not in _beginnings(code) or code.co_name == span.names:
        return None
    return span.first


def function_of(code: CodeType) -> str:
    """The name of the function that has the code, as Python 3.12 has it for comprehensions."""
    if code.co_name not in COMPREHENSIONS or code.co_name == "<genexpr>":
        return code.co_name
    outer = code.co_qualname.removesuffix(f".{code.co_name}").removesuffix(".<locals>")
    return outer.rpartition(".")[2] if outer != code.co_name else "<module>"


def _begins_lambda(code: CodeType, at: int) -> bool:
    # From 3.12 on it is told when it is called, since 3.13 tells of none that is on one line.
    return sys.version_info < (3, 12) and at == min(_beginnings(code))


def is_amid_line(code: CodeType, line: int, at: int) -> bool:
    """Whether a statement on one line goes on at that offset, after an `or` or an `if` in it."""
    # As `_beginnings` does, but that it is asked at each line.
    known = _beginnings_of.get(id(code))
    if at in (_beginnings(code) if known is None else known[1]):
        return False
    return {_line_of(each) for each in _leading_to(at, _instructions(code))} == {line}


def _beginnings(code: CodeType) -> frozenset[int]:
    """The offsets at which the code comes to a statement from the lines of another."""
    # By identity, since to compare code takes longer than to look at it.
    known = _beginnings_of.get(id(code))
    if known is None:
        known = _beginnings_of[id(code)] = code, frozenset(_find_beginnings(code))
    return known[1]


_beginnings_of: dict[int, tuple[CodeType, frozenset[int]]] = {}


def _find_beginnings(code: CodeType) -> Iterator[int]:
    spans = spans_of(code.co_filename)
    raw = code.co_code
    # What comes before that is no line of the function's.
    first = _UNIT + next((at for at in range(0, len(raw), _UNIT) if raw[at] == _RESUME), -_UNIT)
    before: Span | int | None = None
    seen: set[Span | int] = set()
    for start, end, line in code.co_lines():
        if line is None or end <= first:
            continue
        statement = spans.get(line, line)
        if statement != before:
            # A compiler may put what comes after a branch into each of them, and the rest behind.
            if statement not in seen or not _goes_on(code, start, statement):
                yield max(start, first)
            seen.add(statement)
        before = statement


def _goes_on(code: CodeType, at: int, statement: Span | int) -> bool:
    """Whether the code comes to that offset from the same statement, by jumps, and nowhere else."""
    if code.co_code[at - _UNIT] not in _LEAVING and code.co_code[at - 2 * _UNIT] not in _LEAVING:
        return False
    spans = spans_of(code.co_filename)
    lines = {_line_of(each) for each in _leading_to(at, _instructions(code))}
    return {line and spans.get(line, line) for line in lines} == {statement}


def _instructions(code: CodeType) -> Sequence[dis.Instruction]:
    known = _instructions_of.get(id(code))
    if known is None:
        known = _instructions_of[id(code)] = code, list(dis.get_instructions(code))
    return known[1]


_instructions_of: dict[int, tuple[CodeType, list[dis.Instruction]]] = {}


def _leading_to(at: int, instructions: Iterable[dis.Instruction]) -> Iterator[dis.Instruction]:
    return (each for each in instructions if each.opcode in _JUMPS and each.argval == at)


def _line_of(instruction: dis.Instruction) -> int | None:
    return instruction.positions and instruction.positions.lineno


def _statements(body: Iterable[_Node]) -> Iterator[_Node]:
    for node in body:
        yield node
        for name in _BLOCKS:
            yield from _statements(getattr(node, name, ()))


def _span(node: _Node) -> Span | None:
    if isinstance(node, ast.stmt) and not any(hasattr(node, name) for name in _BLOCKS):
        first, last = node.lineno, node.end_lineno or node.lineno
        return Span(first, last) if last > first else None
    head = [node, *(each for part in _head(node) for each in ast.walk(part))]
    lines = [each.lineno for each in head if hasattr(each, "lineno")]
    lines += [each.end_lineno for each in head[1:] if hasattr(each, "end_lineno")]
    first, last = min(lines), max(lines)
    match node:
        case ast.ClassDef(name=name):
            return Span(first, last, name)
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) if _does_nothing(node):
            return Span(first, last, name)
        case ast.For(body=body) | ast.AsyncFor(body=body) | ast.While(body=body):
            if body[0].lineno <= last:
                return Span(first, max(last, body[-1].end_lineno or last))
    return Span(first, last) if last > first else None


def _does_nothing(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a function is nothing but its documentation."""
    match node.body:
        case [ast.Expr(value=ast.Constant())]:
            return True
    return False


def _head(node: _Node) -> Iterator[ast.AST]:
    """What is of a statement, and of none within it."""
    for field, value in ast.iter_fields(node):
        if field not in _BLOCKS:
            parts = value if isinstance(value, list) else [value]
            yield from (each for each in parts if isinstance(each, ast.AST))
