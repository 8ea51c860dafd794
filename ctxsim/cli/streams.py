"""Where words leave the program: results to stdout, all else to stderr."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from typing import Literal, TextIO

from ctxsim.errors import UsageError
from ctxsim.report.lines import WIDTH, harmless

# Narrower than this, lanes have no room for their text.
_NARROWEST = 40

ColorWord = Literal["auto", "always", "never"]


def result(text: str) -> None:
    """Write a result to stdout; a reader that is not there, or has gone away, is no error.

    Raises UsageError where stdout is there and takes nothing, such as a file on a full disk.
    """
    # Python has no stream where the descriptor was closed before it started.
    if sys.stdout is None:
        return
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        _drop(sys.stdout)
    except OSError as error:
        _drop(sys.stdout)
        raise UsageError(f"the result could not be written to stdout: {error.strerror}") from error


def complain(text: str) -> None:
    """Write lines to stderr, without what would steer a terminal; where nobody reads, all is lost.

    What an application raised is part of them.
    """
    if sys.stderr is None:
        return
    try:
        print(harmless(text), file=sys.stderr, flush=True)
    except OSError:
        _drop(sys.stderr)


def _drop(stream: TextIO) -> None:
    # What is still in the buffer would raise again when the interpreter ends.
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def has_color(word: ColorWord, stream: TextIO | None, environment: Mapping[str, str]) -> bool:
    """Whether text is coloured: --color, then NO_COLOR, then FORCE_COLOR, then the terminal."""
    if word != "auto":
        return word == "always"
    if environment.get("NO_COLOR"):
        return False
    if environment.get("FORCE_COLOR"):
        return True
    return stream is not None and stream.isatty() and environment.get("TERM") != "dumb"


def shows_unicode(stream: TextIO | None) -> bool:
    """Whether the reader's terminal can be sent more than ASCII."""
    return stream is not None and (stream.encoding or "").lower().replace("-", "") == "utf8"


def width_of(stream: TextIO | None) -> int:
    """How many columns lines may take: those of a narrow terminal, else what fits any."""
    if stream is None or not stream.isatty():
        return WIDTH
    return max(_NARROWEST, min(WIDTH, shutil.get_terminal_size((WIDTH, 0)).columns))
