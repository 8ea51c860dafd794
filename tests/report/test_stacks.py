"""Of many stacks a reader sees the innermost lines of the application's own."""

from pathlib import Path

import ctxsim.cell
from ctxsim.cell.history import Ending
from ctxsim.report.stacks import MOST_LINES, innermost

OWN = Path(ctxsim.cell.__file__).parent / "workers" / "carry.py"
FRAMES = [f'  File "shop.py", line {n}, in f{n}\n    call{n}()' for n in range(9)]


def lines_of(*stacks):
    return innermost(Ending("hang", "", stacks))


def test_of_a_traceback_the_last_frames_are_the_innermost():
    title, *lines = lines_of("\n".join(["thread 1:", *FRAMES]))
    assert title == "thread 1:"
    assert lines == "\n".join(FRAMES[-4:]).split("\n")


def test_of_what_faulthandler_writes_the_first_frames_are_the_innermost():
    lines = lines_of("\n".join(["Thread 0x1 (most recent call first):", *FRAMES]))
    assert lines[1:] == "\n".join(FRAMES[:4]).split("\n")


def test_frames_of_our_own_are_left_out():
    own = f'  File "{OWN}", line 1, in carry\n    for _ in self.carry()'
    assert lines_of(f"thread 1:\n{own}\n{FRAMES[0]}") == ["thread 1:", *FRAMES[0].split("\n")]


def test_a_thread_that_runs_nothing_but_our_own_code_is_left_out():
    own = f'thread 2:\n  File "{OWN}", line 1, in carry'
    assert lines_of(own, f"thread 1:\n{FRAMES[0]}") == ["thread 1:", *FRAMES[0].split("\n")]


def test_where_there_is_only_our_own_code_it_is_shown():
    own = f'thread 2:\n  File "{OWN}", line 1, in carry'
    assert lines_of(own) == own.split("\n")


def test_the_list_of_compiled_modules_is_left_out_and_the_reason_is_not():
    lines = lines_of("Fatal Python error: Aborted", "Extension modules: a, b (total: 2)")
    assert lines == ["Fatal Python error: Aborted"]


def test_what_is_too_long_is_cut_and_counted():
    lines = lines_of(*(f"thread {n}:\n{FRAMES[0]}" for n in range(20)))
    assert len(lines) == MOST_LINES + 1
    assert lines[-1] == "(36 more lines)"


def test_a_thread_that_waits_in_a_library_comes_after_those_with_lines_of_the_application():
    """A pool's threads are many, and mostly idle; who waits in the application is told first."""
    idle = [
        f'thread {n}:\n  File "/venv/lib/python3.12/site-packages/anyio/_aio.py", line 9, in run'
        for n in range(20)
    ]
    busy = 'thread 20:\n  File "/srv/shop/views.py", line 7, in orders\n    lock.acquire()'
    lines = lines_of(*idle, busy)
    assert lines[:2] == ["thread 20:", '  File "/srv/shop/views.py", line 7, in orders']
