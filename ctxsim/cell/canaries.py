"""Canaries: short texts that tell whose they are, wherever they turn up.

A canary is 25 lower-case letters and digits, so that URLs, JSON, HTML, headers and cookies leave it
unchanged: `cx`, 8 hexadecimal digits that name the run, 3 the process, 4 the user (0: a visitor), 6
the request of that user (0: the user's own canary), and 2 that check the rest. No look-up table is
needed, so it works across processes and machines; the run's 8 digits rule out chance. In capitals,
or as a title, it is the same canary.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import NamedTuple

from ctxsim.cell.rarity import Sought, rank

MAX_PROCESS = 0xFFF
MAX_USER = 0xFFFF
MAX_REQUEST = 0xFFFFFF
LENGTH = 25
# What is cut off after the user's digits still tells whose it is.
LEAST = 17
_LINE_ENDS = r"[\r\n]*"
_LEAST_END = 4
_CHECK_PRIME = 251  # the largest prime below 256: any one changed digit changes the check


class Origin(NamedTuple):
    """What a canary says: the process, the user (0: a visitor), the request (0: the user's own)."""

    process: int
    user: int
    request: int


def user_prefix(run: str, process: int, user: int) -> str:
    """The first 17 digits of all canaries of one user in one process."""
    return f"cx{run}{process:03x}{user:04x}"


def check_of(prefix: str) -> int:
    """What a user's prefix adds to the checks of its canaries: to work it out takes long."""
    return int(f"{prefix[2:]}000000", 16) % _CHECK_PRIME


def canary(prefix: str, request: int, check: int | None = None) -> str:
    """The canary of one request, from its user's prefix; request 0 is the user's own canary.

    `check` is the prefix's own, where it is known.
    """
    if check is None:
        check = check_of(prefix)
    return f"{prefix}{request:06x}{(check + request) % _CHECK_PRIME:02x}"


def read_cut(text: str) -> Origin:
    """Whose canary this is the beginning of, of at least `LEAST` letters.

    Nothing checks its digits, of which the last may be letters that follow it. The request's that
    are missing are told as zeros: it is the first that begins so.
    """
    request = text[LEAST : LENGTH - 2].ljust(LENGTH - 2 - LEAST, "0")
    user = int(text[LEAST - 4 : LEAST], 16)
    return Origin(int(text[LEAST - 7 : LEAST - 4], 16), user, int(request, 16))


def read(text: str) -> Origin | None:
    """Whose canary this is; None if the digits do not check (a torn or forged one)."""
    number = int(text[2:], 16)
    digits = number >> 8
    if digits % _CHECK_PRIME != number & 0xFF:
        return None
    return Origin(digits >> 40 & MAX_PROCESS, digits >> 24 & MAX_USER, digits & MAX_REQUEST)


class Scanner:
    """Finds the canaries of one run in texts and bytes, also inside base64.

    They are told in lower case, whatever an application has made of them.
    """

    def __init__(self, run: str) -> None:
        self._prefix = f"cx{run}"
        hexadecimal = LENGTH - 2 - len(run)
        self._text = re.compile(f"{self._prefix}[0-9a-f]{{{hexadecimal}}}")
        least = LEAST - 2 - len(run)
        digits = "".join(map(_either_case, run)) + f"[0-9a-fA-F]{{{least},{hexadecimal}}}"
        # From the `x` on, since the `c` is everywhere.
        self._bytes = Sought(f"x(?<=[cC]x){digits}".encode())
        self._capital = Sought(f"X{digits}".encode())
        self._coded = InBase64(self._prefix.encode())

    def in_text(self, text: str) -> list[str]:
        """All canaries in `text`, in their order."""
        lower = text.lower()
        return self._text.findall(lower) if self._prefix in lower else []

    def may_be_in(self, text: str) -> bool:
        """Whether `in_text` may find any."""
        return self._prefix in text.lower()

    def in_bytes(self, data: bytes) -> list[str]:
        """All canaries in `data`; also inside base64 (either alphabet), but there in lower case."""
        return [each for each in self.whole_or_cut(data) if len(each) == LENGTH]

    def whole_or_cut(self, data: bytes) -> list[str]:
        """The same with canaries whose ends are cut off, of at least `LEAST` letters."""
        found = self._plain(data)
        if self._coded.may_be_in(data):
            found += self._in_base64(_unwrapped(data))
        return found

    def _plain(self, data: bytes) -> list[str]:
        # Few pages have a capital X at all.
        if b"X" in data and self._capital.is_in(data):
            data = data.lower()
        found = self._bytes.all_in(data)
        return [f"c{each.decode().lower()}" for each in found] if found else []

    def _in_base64(self, data: bytes) -> Iterator[str]:
        for word in re.findall(rb"[A-Za-z0-9+/_-]{24,}", data):
            plain = word.translate(_TO_STANDARD)
            # A word may follow other letters without a gap: each of the four alignments is tried.
            for start in range(4):
                part = plain[start : start + (len(plain) - start) // 4 * 4]
                rest = plain[start + len(part) :]
                yield from self._plain(base64.b64decode(part + _padded(rest)))


class OfRequests:
    """Finds the canaries of one process's requests in texts; torn ones are none."""

    def __init__(self, run: str, process: int) -> None:
        self._scanner = Scanner(run)
        self._process = process
        begun = f"{run}{process:03x}"
        self._one = re.compile(f"cx{begun}[0-9a-f]{{4}}(?!0{{6}})[0-9a-f]{{8}}")
        # What the digits that all have in common add to the check of the ten others.
        self._common = int(begun, 16) * 16**10 % _CHECK_PRIME

    def in_text(self, text: str) -> list[str]:
        """All canaries of requests in `text`, in their order."""
        if len(text) == LENGTH and self._one.fullmatch(text):
            # Most of what keeps one keeps it alone, and there may be very many.
            is_whole = (self._common + int(text[13:23], 16)) % _CHECK_PRIME == int(text[23:], 16)
            return [text] if is_whole else []
        return [each for each in self._scanner.in_text(text) if self._is_of_request(each)]

    def _is_of_request(self, canary: str) -> bool:
        origin = read(canary)
        return origin is not None and origin.process == self._process and origin.request != 0


class OfUsers:
    """Finds the canaries by which the users of one process are known; torn ones are none."""

    def __init__(self, run: str, process: int) -> None:
        self._scanner = Scanner(run)
        self._process = process

    def in_text(self, text: str) -> list[str]:
        """All canaries of users in `text`, in their order."""
        return [each for each in self._scanner.in_text(text) if self._is_of_user(each)]

    def _is_of_user(self, canary: str) -> bool:
        origin = read(canary)
        if origin is None or origin.process != self._process:
            return False
        return origin.user != 0 and origin.request == 0


class InBase64:
    """Tells whether a text may be inside base64, at whichever of the three offsets it begins.

    The text is of ASCII letters and digits. There is no answer but yes for a very short one.
    """

    def __init__(self, text: bytes) -> None:
        self._marks: dict[bytes, list[tuple[bytes, Sought, bytes]]] = {}
        for mark in _base64_marks(text):
            one, two = _rarest(mark)
            self._marks.setdefault(one, []).append((two, _end_of(mark), mark))

    def may_be_in(self, data: bytes) -> bool:
        """Whether `data`, or `data` without its line ends, holds the text in base64."""
        for one, marks in self._marks.items():
            # Few pages of text have all the capitals that a mark consists of.
            if one not in data:
                continue
            for two, end, mark in marks:
                if two in data and end.is_in(data) and mark in _unwrapped(data):
                    return True
        return False


def _either_case(digit: str) -> str:
    return f"[{digit}{digit.upper()}]" if digit.isalpha() else digit


def _rarest(mark: bytes) -> tuple[bytes, bytes]:
    """The two rarest bytes of `mark`; b'', which is everywhere, in place of what it has not."""
    letters = sorted(set(mark.decode()), key=rank)[:2]
    one, two = (*(each.encode() for each in letters), b"", b"")[:2]
    return one, two


def _end_of(mark: bytes) -> Sought:
    """The end of `mark` from a rare letter of it on, wherever lines end in it."""
    letters = mark.decode()
    starts = range(max(len(letters) - _LEAST_END, 0) + 1)
    begin = min(starts, key=lambda at: rank(letters[at])) if letters else 0
    return Sought(_LINE_ENDS.join(letters[begin:]).encode())


def _unwrapped(data: bytes) -> bytes:
    """`data` without line ends, since in mails and certificates base64 is broken into lines."""
    # To replace a byte takes a third of the time of deleting by a table.
    data = data.replace(b"\n", b"")
    return data.replace(b"\r", b"") if b"\r" in data else data


_TO_STANDARD = bytes.maketrans(b"-_", b"+/")


def _padded(rest: bytes) -> bytes:
    # One base64 digit alone codes nothing; two or three code one or two bytes.
    return rest + b"=" * (4 - len(rest)) if len(rest) > 1 else b""


def _base64_marks(text: bytes) -> tuple[bytes, ...]:
    """What a text looks like in base64 at each of the three offsets, less the unsure ends."""
    marks = []
    for offset in range(3):
        coded = base64.b64encode(b"\0" * offset + text)
        first = (offset * 8 + 5) // 6
        marks.append(coded[first : (offset + len(text)) * 8 // 6])
    return tuple(marks)
