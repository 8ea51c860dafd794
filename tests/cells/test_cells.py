"""Cells end in every way that an application can think of; the harness tells which, and goes on."""

import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from ctxsim.cell.plan import Plan, Target, Workers
from ctxsim.cells import Halt, Job, Limits, Pace, Progress, cores, process, run_cells

PRETEND = Path(__file__).with_name("pretend.py")


@pytest.fixture(autouse=True)
def pretend(monkeypatch):
    monkeypatch.setattr(process, "PROGRAM", PRETEND)


@dataclass(frozen=True)
class NamedCell:
    name: str


def job(app, workers="threads:8", stall_s=30.0):
    plan = Plan(
        scenario="pretend",
        run="0badcafe",
        process=1,
        seed=1,
        target=Target(app),
        workers=Workers.parse(workers),
        flows=(),
        stall_s=stall_s,
    )
    return Job(NamedCell(app), plan, sys.executable)


def run(*jobs, at_once=2, halt=None, tell=lambda _: None, **limits):
    return run_cells(
        jobs, pace=Pace(at_once), limits=Limits(**limits), halt=halt or Halt(), tell=tell
    )


def test_a_cell_that_finishes_has_no_ending():
    [outcome] = run(job("clean"))
    assert outcome.history.ending is None
    assert outcome.history.tally.requests == 100
    assert outcome.history.tally.latency_us == {400: 95, 900: 5}
    assert outcome.ready
    assert outcome.target_facts["kind"] == "wsgi"
    assert outcome.elapsed_s > 0


def test_events_are_kept_whole_and_their_counts_are_the_tally_s():
    [outcome] = run(job("leak"))
    first, second = outcome.history.events
    assert outcome.history.counts == {first.cause: 40, second.cause: 3}
    assert first.where[0].line == 17


def test_an_event_counts_though_a_tally_overtook_it():
    """It had been counted when it was said, and a tally in another thread was faster."""
    [outcome] = run(job("overtaken"))
    [event] = outcome.history.events
    assert outcome.history.counts == {event.cause: 40}


def test_outcomes_come_in_the_order_of_the_jobs():
    outcomes = run(job("leak"), job("clean"), job("crash"), job("leave"), at_once=3)
    assert [each.cell.name for each in outcomes] == ["leak", "clean", "crash", "leave"]


def test_a_crash_of_the_interpreter_names_the_signal_and_where_it_was():
    [outcome] = run(job("crash"))
    ending = outcome.history.ending
    assert (ending.kind, ending.message) == ("crash", "SIGSEGV")
    assert any("in crash" in line for line in ending.stacks)
    assert ending.hint == "about to crash"


def test_what_was_found_before_a_crash_is_kept():
    [outcome] = run(job("crash"))
    assert [event.kind for event in outcome.history.events] == ["answer.foreign"]
    assert outcome.history.tally.requests == 10


def test_an_exit_without_a_last_word_has_the_code_and_the_last_stacks():
    [outcome] = run(job("leave"))
    assert outcome.history.ending.kind == "exit"
    assert "code 3" in outcome.history.ending.message
    assert outcome.history.ending.stacks == ('File "shop.py", line 3 in leave',)


def test_a_hang_is_ended_with_the_stacks_that_faulthandler_wrote():
    [outcome] = run(job("hang", stall_s=0.1), stall_grace_s=0.1)
    assert outcome.history.ending.kind == "hang"
    assert outcome.history.ending.message == "no request ended for 0.1 s"
    assert any("in hang" in line for line in outcome.history.ending.stacks)
    assert outcome.history.tally.requests == 10


@pytest.mark.timeout(30)
def test_a_hang_is_told_with_the_stacks_that_the_cell_sent():
    """At once, since whoever sent them has seen it as well."""
    [outcome] = run(job("hang_with_stacks", stall_s=0.1), stall_grace_s=60)
    assert outcome.history.ending.stacks == ('File "shop.py", line 8 in checkout',)


def test_an_application_that_is_never_imported_is_ended():
    [outcome] = run(job("never_ready"), start_s=3)
    assert outcome.history.ending.kind == "import"
    assert "not ready after 3 s" in outcome.history.ending.message
    assert any("never_ready" in line for line in outcome.history.ending.stacks)
    assert not outcome.ready


def test_a_flood_of_output_ends_the_cell_and_only_its_tail_is_kept():
    [outcome] = run(job("flood"), flood_bytes=1024**2)
    assert outcome.history.ending.kind == "flood"
    assert "1 MiB" in outcome.history.ending.message
    assert len(outcome.stdout_tail) == 8192


def test_output_below_the_limit_is_read_without_end_and_does_no_harm():
    [outcome] = run(job("chatter"))
    assert outcome.history.ending is None
    assert outcome.stdout_tail.endswith("last")
    assert "first" not in outcome.stdout_tail
    assert outcome.stderr_tail == "Cookie: session=secret\n"


def test_memory_over_the_limit_ends_the_cell_with_figures():
    [outcome] = run(job("300:memory"), memory_bytes=100 * 1024**2)
    assert outcome.history.ending.kind == "memory"
    assert outcome.history.ending.message.endswith("MiB of memory, of 100")


def test_memory_is_asked_of_ps_where_there_is_no_proc(monkeypatch):
    by_proc = process.memory_bytes(os.getpid())
    missing = Path("/nowhere")
    monkeypatch.setattr(process, "Path", lambda _: missing / "statm")
    assert 0.5 < process.memory_bytes(os.getpid()) / by_proc < 2


def test_an_import_failure_comes_in_the_cell_s_own_words():
    [outcome] = run(job("import_fails"))
    assert outcome.history.ending.kind == "import"
    assert outcome.history.ending.message == "no module named 'shopp'"
    assert outcome.history.ending.hint == "did you mean 'shop'?"


@pytest.mark.parametrize("app", ["garbage", "strange_event"])
def test_what_is_no_message_ends_the_cell_as_a_fault(app):
    [outcome] = run(job(app))
    assert outcome.history.ending.kind == "fault"
    assert "no message" in outcome.history.ending.message


def test_a_cell_told_to_stop_gives_its_last_word_which_counts():
    halt = Halt()
    [outcome] = run(job("obedient"), halt=halt, tell=halting(halt, "tally"))
    assert outcome.history.ending.kind == "stopped"
    assert outcome.history.tally.requests == 20
    assert list(outcome.history.counts.values()) == [4]


def test_a_cell_that_does_not_hear_stop_is_ended_and_its_findings_are_kept():
    halt = Halt()
    [outcome] = run(job("deaf"), halt=halt, tell=halting(halt, "tally"), last_word_s=0.2)
    assert outcome.history.ending.kind == "stopped"
    assert len(outcome.history.events) == 1


def test_a_second_wish_to_stop_ends_cells_at_once():
    halt = Halt()
    [outcome] = run(job("deaf"), halt=halt, tell=halting(halt, "tally", times=2), last_word_s=60)
    assert outcome.history.ending.kind == "stopped"
    assert outcome.elapsed_s < 30


def test_cells_that_wait_are_not_started_after_a_stop():
    halt = Halt()
    tell = halting(halt, "tally")
    first, second = run(job("obedient"), job("clean"), at_once=1, halt=halt, tell=tell)
    assert first.history.ending.kind == second.history.ending.kind == "stopped"
    assert second.history.tally.requests == 0


def test_when_the_time_is_over_cells_are_stopped_and_none_is_started():
    def seen(progress):
        if progress.state == "tally":
            over.append(True)

    class Over(Pace):
        is_over = property(lambda _: bool(over))

    over = []
    jobs = [job("obedient"), job("clean")]
    first, second = run_cells(jobs, pace=Over(1), limits=Limits(), halt=Halt(), tell=seen)
    assert first.history.tally.requests > 0
    assert first.history.ending.kind == second.history.ending.kind == "stopped"
    assert first.history.ending.message == "the time was over before its last request"
    assert second.history.ending.message == "the time was over before this cell was started"


def test_no_process_of_the_application_outlives_its_cell(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    end = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    [outcome] = run(job(f"{fifo}:with_child"))
    assert outcome.history.ending is None
    os.set_blocking(end, True)
    assert os.read(end, 1) == b""
    os.close(end)


def test_a_cell_that_lingers_after_its_last_word_is_ended_and_counts_as_finished():
    [outcome] = run(job("lingering"), last_word_s=0.1)
    assert outcome.history.ending is None


def test_cells_run_at_the_same_time_but_no_more_than_asked_for():
    running, most = set(), []

    def count(progress: Progress):
        (running.discard if progress.state == "ended" else running.add)(id(progress.job))
        most.append(len(running))

    run(*(job("clean") for _ in range(5)), at_once=2, tell=count)
    assert max(most) == 2


def test_an_exception_in_the_harness_leaves_no_process_behind():
    pids = []

    def fail(progress: Progress):
        if progress.state == "ready":
            pids.extend(int(each) for each in children())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(job("deaf"), tell=fail)
    assert pids
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_the_environment_is_inherited(monkeypatch):
    monkeypatch.setenv("FROM_THE_SHELL", "yes")
    [outcome] = run(job("FROM_THE_SHELL:environment"))
    assert outcome.target_facts["value"] == "yes"


def test_at_least_one_core_can_be_used():
    assert 1 <= cores() <= (os.cpu_count() or 1)


def test_the_memory_limit_is_at_most_half_of_the_machine_s():
    machine_bytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert 0 < Limits().memory_bytes <= min(4 * 1024**3, machine_bytes / 2)


def halting(halt, state, times=1):
    def tell(progress: Progress):
        if progress.state == state and not halt.asked:
            for _ in range(times):
                halt.interrupt()

    return tell


def children():
    tasks = Path(f"/proc/{os.getpid()}/task")
    return [pid for task in tasks.iterdir() for pid in (task / "children").read_text().split()]


def test_a_plan_larger_than_a_socket_s_buffer_arrives_whole():
    big = job("clean")
    [outcome] = run(replace(big, plan=replace(big.plan, scenario="x" * 1_000_000)))
    assert outcome.history.ending is None
