"""Code that calls back when it is entered or gone on with, and is the same otherwise (Python 3.11).

While `sys.settrace` is on, every instruction of every frame is looked at, selected or not: three
requests to Flask take twice the time. So it is to be on in selected code alone, which has to tell
by itself that it begins. A call is put after each RESUME, where a trace function would be called
too. At a beginning it has no line, and after a yield that of the yield, so that the lines that are
traced are the same ones.
"""

from __future__ import annotations

import gc
import opcode
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from types import CodeType, FunctionType
from typing import Any
from weakref import ref

_OPS = opcode.opmap
_RESUME = _OPS["RESUME"]
_EXTENDED = opcode.EXTENDED_ARG
# How many units of 16 bits follow an instruction, for what the interpreter remembers there.
_CACHES: Sequence[int] = getattr(opcode, "_inline_cache_entries", ())
_JUMPS = frozenset(opcode.hasjrel)
_BACKWARD = frozenset(op for op in _JUMPS if "BACKWARD" in opcode.opname[op])
# What is on the stack for the call: no object that it is a method of, and the function.
_STACK = 2
_BYTE, _SIX_BITS, _MORE = 0xFF, 0x3F, 0x40
# The longest entry of a table of lines; how entries of three kinds begin (Objects/locations.md).
_LONGEST = 8
_NO_COLUMNS, _LONG, _NO_LINE = 13, 14, 15
# What the first byte of an entry has and no other, and how many units it tells of, less one.
_FIRST, _LENGTH = 0x80, 0x07

Position = tuple[int | None, int | None, int | None, int | None]
_NOWHERE: Position = (None, None, None, None)
# Code, lines and handlers, as a code object has them.
_Tables = tuple[bytes, bytes, bytes]


@dataclass(slots=True)
class _Instruction:
    """With its prefixes, which it has if its argument is large; `at` counts units."""

    op: int
    argument: int
    at: int
    target: int | None
    position: Position
    # The bytes of a call that follows it.
    call: bytes = b""
    moved_to: int = 0
    prefixes: int = 0

    @property
    def own_units(self) -> int:
        return self.prefixes + 1 + _CACHES[self.op]

    @property
    def units(self) -> int:
        return self.own_units + len(self.call) // 2

    def encoded(self) -> bytes:
        prefixes = [
            byte
            for above in range(self.prefixes, 0, -1)
            for byte in (_EXTENDED, self.argument >> 8 * above & _BYTE)
        ]
        own = bytes((*prefixes, self.op, self.argument & _BYTE))
        return own + bytes(2 * _CACHES[self.op]) + self.call


def calling(code: CodeType, enter: Callable[[], object]) -> CodeType:
    """The same code, which calls `enter` each time that it begins or goes on after a yield."""
    call = _call(len(code.co_consts))
    raw, lines, handlers = _called_once(code, call) or _called_anywhere(code, call)
    return code.replace(
        co_code=raw,
        co_consts=(*code.co_consts, enter),
        co_stacksize=code.co_stacksize + _STACK,
        co_linetable=lines,
        co_exceptiontable=handlers,
    )


def _called_once(code: CodeType, call: bytes) -> _Tables | None:
    """With the call where the code begins, and all that follows as it was; None where it goes on
    elsewhere, too.

    This is most code, and is made in a tenth of the time: jumps are as far as they were, since
    none leads over the beginning.
    """
    raw, lines = code.co_code, code.co_linetable
    if raw[::2].count(_RESUME) != 1:
        return None
    begun = raw[::2].index(_RESUME) + 1
    after = _end_of_line(lines, begun)
    if after is None:
        return None
    units = len(call) // 2
    return (
        raw[: 2 * begun] + call + raw[2 * begun :],
        lines[:after] + _no_lines(units) + lines[after:],
        _handlers(code.co_exceptiontable, lambda at: at + units if at >= begun else at),
    )


def _end_of_line(table: bytes, units: int) -> int | None:
    """How many bytes of a table of lines tell of just so many units; None where none end there."""
    told = at = 0
    while told < units:
        told += (table[at] & _LENGTH) + 1
        at += 1
        while at < len(table) and not table[at] & _FIRST:
            at += 1
    return at if told == units else None


def _no_lines(units: int) -> bytes:
    lengths = [_LONGEST] * (units // _LONGEST) + [units % _LONGEST] * (units % _LONGEST > 0)
    return b"".join(_line(_NOWHERE, length, 0) for length in lengths)


def _called_anywhere(code: CodeType, call: bytes) -> _Tables:
    instructions = list(_instructions(code))
    for each in instructions:
        if each.op == _RESUME:
            each.call = call
    _lay_out(instructions)
    moved = {each.at: each.moved_to for each in instructions}
    moved[len(code.co_code) // 2] = sum(each.units for each in instructions)
    return (
        b"".join(each.encoded() for each in instructions),
        _lines(instructions, code.co_firstlineno),
        _handlers(code.co_exceptiontable, moved.__getitem__),
    )


def _instructions(code: CodeType) -> Iterator[_Instruction]:
    raw, positions = code.co_code, list(code.co_positions())
    at, argument, begins = 0, 0, 0
    while at < len(positions):
        op, argument = raw[2 * at], argument << 8 | raw[2 * at + 1]
        at += 1
        if op == _EXTENDED:
            continue
        position = positions[at - 1]
        at += _CACHES[op]
        away = -argument if op in _BACKWARD else argument
        target = at + away if op in _JUMPS else None
        prefixes = max(0, (argument.bit_length() - 1) // 8)
        yield _Instruction(op, argument, begins, target, position, prefixes=prefixes)
        argument, begins = 0, at


def _call(constant: int) -> bytes:
    pairs = [(_OPS["PUSH_NULL"], 0)]
    if constant > _BYTE:
        pairs += [(_EXTENDED, at) for at in constant.to_bytes(3, "big")[:-1]]
    pairs += [(_OPS["LOAD_CONST"], constant & _BYTE), (_OPS["PRECALL"], 0)]
    pairs += [(0, 0)] * _CACHES[_OPS["PRECALL"]] + [(_OPS["CALL"], 0)]
    pairs += [(0, 0)] * _CACHES[_OPS["CALL"]] + [(_OPS["POP_TOP"], 0)]
    return bytes(byte for pair in pairs for byte in pair)


def _lay_out(instructions: Sequence[_Instruction]) -> None:
    """Say where each begins, and how far each jumps: again, where a prefix was added for that."""
    by_old = {each.at: each for each in instructions}
    grows = True
    while grows:
        grows, at = False, 0
        for each in instructions:
            each.moved_to = at
            at += each.units
        for each in instructions:
            if each.target is None:
                continue
            each.argument = abs(by_old[each.target].moved_to - each.moved_to - each.own_units)
            needed = max(0, (each.argument.bit_length() - 1) // 8)
            if needed > each.prefixes:
                each.prefixes, grows = needed, True


def _lines(instructions: Iterable[_Instruction], first: int) -> bytes:
    """The table of positions, as CPython's Objects/locations.md describes it."""
    table, last = bytearray(), first
    for position, run in groupby(_of_units(instructions)):
        units = len(list(run))
        while units:
            length = min(units, _LONGEST)
            table += _line(position, length, last)
            last = last if position[0] is None else position[0]
            units -= length
    return bytes(table)


def _of_units(instructions: Iterable[_Instruction]) -> Iterator[Position]:
    for each in instructions:
        for _ in range(each.own_units):
            yield each.position
        # Where code begins, its first line is told whatever comes before it; where it goes on
        # within a line, that must not be told again.
        position = each.position if each.argument else _NOWHERE
        for _ in range(len(each.call) // 2):
            yield position


def _line(position: Position, length: int, last: int) -> bytes:
    line, end_line, column, end_column = position
    if line is None:
        return bytes((_FIRST | _NO_LINE << 3 | length - 1,))
    away = line - last
    signed = _packed(away << 1 if away >= 0 else -away << 1 | 1)
    if end_line is None or column is None or end_column is None:
        return bytes((_FIRST | _NO_COLUMNS << 3 | length - 1,)) + signed
    head = bytes((_FIRST | _LONG << 3 | length - 1,))
    return head + signed + b"".join(map(_packed, (end_line - line, column + 1, end_column + 1)))


def _packed(number: int) -> bytes:
    """Six bits in each byte, the lowest ones first."""
    packed = bytearray()
    while number > _SIX_BITS:
        packed.append(_MORE | number & _SIX_BITS)
        number >>= 6
    packed.append(number)
    return bytes(packed)


def _handlers(table: bytes, moved: Callable[[int], int]) -> bytes:
    """The table of which handler guards what (CPython's Objects/exception_handling_notes.txt)."""
    numbers, packed = _unpacked(table), bytearray()
    for start, length, target, depth in zip(numbers, numbers, numbers, numbers, strict=True):
        begins, ends = moved(start), moved(start + length)
        entry = [_packed_high(each) for each in (begins, ends - begins, moved(target), depth)]
        entry[0][0] |= _FIRST
        packed += b"".join(entry)
    return bytes(packed)


def _unpacked(table: bytes) -> Iterator[int]:
    number = 0
    for byte in table:
        number = number << 6 | byte & _SIX_BITS
        if not byte & _MORE:
            yield number
            number = 0


def _packed_high(number: int) -> bytearray:
    """Six bits in each byte, the highest ones first."""
    packed = bytearray([number & _SIX_BITS])
    while number := number >> 6:
        packed.insert(0, _MORE | number & _SIX_BITS)
    return packed


class Entrances:
    """All functions there are of selected code, made to call `enter`; and made what they were."""

    def __init__(self, enter: Callable[[], object]) -> None:
        self._enter = enter
        # By address, since code of two files can be equal; what is kept here keeps its address.
        self._calling: dict[int, tuple[CodeType, CodeType]] = {}
        self._original: dict[int, CodeType] = {}
        self._changed: list[ref[FunctionType]] = []
        self._found: list[tuple[ref[FunctionType], CodeType]] = []

    def find(self, is_selected: Callable[[CodeType], bool]) -> None:
        """Look now for what is to be put in; `put_found` then does in copies of this process."""
        # Whoever is to be freed in a copy is not to live on for this.
        self._found = [
            (ref(function), self._made(function.__code__, is_selected))
            for function in _all_functions()
            if is_selected(function.__code__)
        ]

    def put_found(self) -> None:
        """Put in what `find` found."""
        for each, made in self._found:
            if (function := each()) is not None:
                function.__code__ = made
                self._changed.append(each)

    def put_in(self, is_selected: Callable[[CodeType], bool]) -> None:
        """Into each function of selected code, and into what is defined in it when it runs."""
        for function in _all_functions():
            code = function.__code__
            if id(code) not in self._original and is_selected(code):
                function.__code__ = self._made(code, is_selected)
                self._changed.append(ref(function))

    def take_out(self) -> None:
        self._take_out_of((*self._living(), *_functions()))

    def take_out_found(self) -> None:
        """Where no function was defined since by one that `put_found` has changed."""
        self._take_out_of(self._living())

    def _living(self) -> list[FunctionType]:
        return [function for each in self._changed if (function := each()) is not None]

    def _take_out_of(self, functions: Iterable[FunctionType]) -> None:
        for function in functions:
            if (original := self._original.get(id(function.__code__))) is not None:
                function.__code__ = original
        self._changed = []

    def _made(self, code: CodeType, is_selected: Callable[[CodeType], bool]) -> CodeType:
        if (known := self._calling.get(id(code))) is not None:
            return known[1]
        consts = tuple(self._const(each, is_selected) for each in code.co_consts)
        made = calling(code.replace(co_consts=consts), self._enter)
        self._calling[id(code)] = code, made
        self._original[id(made)] = code
        return made

    def _const(self, const: Any, is_selected: Callable[[CodeType], bool]) -> Any:
        if isinstance(const, CodeType) and is_selected(const):
            return self._made(const, is_selected)
        return const


def _all_functions() -> list[FunctionType]:
    """Frozen ones too, which are in no list of the collector."""
    is_frozen = gc.get_freeze_count() > 0
    if is_frozen:
        gc.unfreeze()
    functions = _functions()
    if is_frozen:
        gc.freeze()
    return functions


def _functions() -> list[FunctionType]:
    return [each for each in gc.get_objects() if type(each) is FunctionType]
