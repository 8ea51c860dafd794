"""Where words leave the program: results to stdout, all else to stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Literal, TextIO

ColorWord = Literal["auto", "always", "never"]


def result(text: str) -> None:
    """Write a result to stdout; a reader that has gone away is no error."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        # What is still in the buffer would raise again when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def complain(text: str) -> None:
    """Write a line to stderr; where nobody reads it, it is lost."""
    try:
        print(text, file=sys.stderr, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def has_color(word: ColorWord, stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Whether text is coloured: --color, then NO_COLOR, then FORCE_COLOR, then the terminal."""
    if word != "auto":
        return word == "always"
    if environment.get("NO_COLOR"):
        return False
    if environment.get("FORCE_COLOR"):
        return True
    return stream.isatty() and environment.get("TERM") != "dumb"


def shows_unicode(stream: TextIO) -> bool:
    """Whether the reader's terminal can be sent more than ASCII."""
    return (stream.encoding or "").lower().replace("-", "") == "utf8"
