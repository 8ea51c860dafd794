"""Where a worker stands: a line of code, and whether that code is the application's."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from types import CodeType, FrameType

from ctxsim.cell.schedule.points import Site

# The code and the line that is about to run in it. A pair, because one is made at each line.
Place = tuple[CodeType, int]

_STANDARD_LIBRARY = os.path.dirname(os.__file__) + os.sep
_INSTALLED = ("site-packages", "dist-packages")
_OWN = os.path.dirname(__file__) + os.sep
_CELL = os.path.dirname(os.path.dirname(__file__)) + os.sep
# What stands in for sleeping functions is the cell's too, and `ctxsim.pause` is no application's.
_PAUSES = (
    os.path.join(_CELL, "workers", "pauses.py"),
    os.path.join(os.path.dirname(os.path.dirname(_CELL)), "switchpoint.py"),
)


def is_installed(file: str) -> bool:
    """Whether a file belongs to a package that was installed."""
    return any(part in file for part in _INSTALLED)


class _Atomic(dict[str, bool]):
    """Whether code of that file runs without switch points of its own, by the file's name."""

    def __missing__(self, file: str) -> bool:
        in_library = file.startswith(_STANDARD_LIBRARY)
        is_ours = file.startswith(("<frozen ", _OWN, *_PAUSES))
        self[file] = atomic = is_ours or (in_library and not is_installed(file))
        return atomic


# Remembered, because each operation of a lock asks.
is_atomic = _Atomic().__getitem__


def is_application_file(file: str) -> bool:
    """Whether code of that file is neither the standard library's nor what carries requests."""
    return not is_atomic(file) and not file.startswith(_CELL)


def frames_from(frame: FrameType | None) -> Iterator[FrameType]:
    """A frame and those that called it."""
    while frame is not None:
        yield frame
        frame = frame.f_back


def outside_of_ours(frame: FrameType) -> FrameType:
    """The innermost frame that is none of what stands in for the functions that wait."""
    while frame.f_back is not None and frame.f_code.co_filename.startswith((_OWN, *_PAUSES)):
        frame = frame.f_back
    return frame


def application_place(frame: FrameType) -> Place:
    """The innermost line that is neither the standard library's nor ours; else that of `frame`."""
    at: FrameType | None = frame
    while at is not None:
        if not is_atomic(at.f_code.co_filename):
            return at.f_code, at.f_lineno
        at = at.f_back
    return frame.f_code, frame.f_lineno


def is_own_line(frame: FrameType) -> bool:
    """Whether it is the application's own code that runs there, and no package's."""
    file = frame.f_code.co_filename
    return is_application_file(file) and not is_installed(file)


def own_place(frame: FrameType) -> Place:
    """The innermost line of the application's own; else of a package; else `application_place`."""
    package: FrameType | None = None
    for each in frames_from(frame):
        if is_own_line(each):
            return each.f_code, each.f_lineno
        if package is None and is_application_file(each.f_code.co_filename):
            package = each
    return application_place(frame) if package is None else (package.f_code, package.f_lineno)


def called_from_own(frame: FrameType, module: str) -> str:
    """What the application's own code has called there, if that leads to a call of `module`.

    A package is told by its name, and a module of the standard library by its whole name.
    """
    name = module
    for each in frames_from(frame):
        if is_own_line(each):
            break
        file = each.f_code.co_filename
        if file.startswith(_CELL):
            continue
        if is_installed(file):
            package = str(each.f_globals.get("__name__", name)).partition(".")[0]
            # What gevent has put in the place of the standard library's goes by that name.
            name = name if package == "gevent" else package
        elif file.startswith((_STANDARD_LIBRARY, "<frozen ")):
            name = str(each.f_globals.get("__name__", name))
    return name


def called_in_library(frame: FrameType) -> str | None:
    """What the application called of the standard library that waits here, as `Event.wait`."""
    name: str | None = None
    at: FrameType | None = frame
    while at is not None and is_atomic(at.f_code.co_filename):
        if not at.f_code.co_filename.startswith(_OWN):
            name = at.f_code.co_qualname.lstrip("_")
        at = at.f_back
    return name


def site_of(places: Sequence[Place]) -> Site:
    """The last of the places that a worker came through, told for a reader and for a file."""
    code, line = place = places[-1]
    return Site(code.co_filename, line, code.co_qualname, places.count(place))
