"""A function in a copy of the process: what it gives, and what is known where it gives nothing."""

import os
import signal
import threading

import pytest

from ctxsim.cell.searching.forks import in_fork
from ctxsim.errors import CtxsimError, SearchEndedError


def test_what_it_returns_comes_back_and_nothing_stays_behind():
    seen = []

    def work():
        seen.append(1)
        return {"pid": os.getpid(), "large": "x" * 3_000_000}

    given = in_fork(work)
    assert given["pid"] != os.getpid()
    assert len(given["large"]) == 3_000_000
    assert seen == []


def test_what_it_raises_is_told_with_its_place():
    def work():
        raise KeyError("no such lane")

    with pytest.raises(CtxsimError, match=r"(?s)in work.*no such lane"):
        in_fork(work)


def test_what_cannot_be_told_is_no_result():
    with pytest.raises(CtxsimError, match="pickle"):
        in_fork(lambda: (each for each in "abc"))


def test_an_application_that_ends_the_process_ends_the_copy_alone():
    with pytest.raises(SearchEndedError, match="exited with code 3"):
        in_fork(lambda: os._exit(3))
    with pytest.raises(SearchEndedError, match="SIGKILL"):
        in_fork(lambda: os.kill(os.getpid(), signal.SIGKILL))


def test_a_copy_finds_no_lock_taken_by_a_thread_that_it_has_not():
    lock, over = threading.Lock(), threading.Event()

    def take_now_and_then():
        while not over.is_set():
            with lock:
                over.wait(0.001)
            over.wait(0.001)

    def is_free():
        free = lock.acquire(timeout=0.2)
        return free and lock.release() is None

    thread = threading.Thread(target=take_now_and_then)
    thread.start()
    try:
        assert all(in_fork(is_free, lock) for _ in range(30))
        assert not all(in_fork(is_free) for _ in range(30))
    finally:
        over.set()
        thread.join()
