"""A function in a copy of the process: what it gives, and what is known where it gives nothing."""

import gc
import os
import signal
import threading

import pytest

from ctxsim.cell.schedule.statements import FILES, spans_of
from ctxsim.cell.searching.forks import Standing, in_fork
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


def test_no_collection_comes_by_itself_in_a_copy():
    """When it came would be a matter of what its origin had made before."""
    assert gc.isenabled()
    assert not in_fork(gc.isenabled)
    assert gc.isenabled()


@pytest.mark.parametrize("fails", [False, True])
def test_source_that_a_copy_of_a_copy_had_to_read_is_read_for_the_next(tmp_path, fails):
    path = tmp_path / "shop.py"
    path.write_text("total = (\n    1\n)\n")

    def read():
        assert spans_of(str(path))
        if fails:
            raise LookupError

    try:
        in_fork(lambda: in_fork(read))
    except CtxsimError:
        assert fails
    assert str(path) in FILES


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


def test_a_copy_that_stays_answers_each_question_from_the_same_state():
    seen = []

    def begin():
        seen.append(os.getpid())

        def answer(more):
            seen.append(more)
            return seen

        return answer

    standing = Standing(begin)
    first, second = standing.ask("x" * 3_000_000), standing.ask("two")
    standing.end()
    assert first[0] == second[0] != os.getpid()
    assert (len(first[1]), second[1:]) == (3_000_000, ["two"])
    assert seen == []


def test_what_an_answer_raises_is_told_and_others_are_given_all_the_same():
    def answer(by):
        return 6 / by if by else os._exit(3)

    standing = Standing(lambda: answer)
    with pytest.raises(SearchEndedError, match="exited with code 3"):
        standing.ask(0)
    with pytest.raises(CtxsimError, match="TypeError"):
        standing.ask("two")
    assert standing.ask(2) == 3
    standing.end()


def test_a_copy_that_ends_where_it_begins_is_told_with_its_end():
    standing = Standing(lambda: os._exit(4))
    with pytest.raises(SearchEndedError, match="exited with code 4"):
        standing.ask(1)
    standing.end()


def test_a_process_that_a_copy_has_left_behind_is_not_waited_for():
    """It has the pipe open by which the copy tells what came of it."""

    def leaves():
        child = os.fork()
        if child == 0:
            signal.pause()
            os._exit(0)
        return child

    left = in_fork(leaves)
    # It is there.
    os.kill(left, signal.SIGKILL)
