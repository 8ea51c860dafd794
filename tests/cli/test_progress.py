"""Progress is told on stderr: now and then a line, or bars where there is a terminal."""

import io
import sys
from dataclasses import dataclass

import pytest

from ctxsim.cell.history import Ending, History, Tally
from ctxsim.cell.plan import Load, Plan, Target, Workers
from ctxsim.cells import Job, Progress
from ctxsim.cli import progress
from ctxsim.cli.streams import has_color, shows_unicode
from ctxsim.scenario import Cell


def job(word, storage="contextvar"):
    workers = Workers.parse(word)
    plan = Plan("x", "0badcafe", 1, 1, Target("x:y"), workers, (), load=Load(requests=100))
    return Job(Cell(storage, workers), plan, sys.executable)


def now(job, state, requests=0, ending=None):
    return Progress(job, state, History(tally=Tally(requests=requests), ending=ending))


@dataclass
class Clock:
    s: float = 0.0

    def __call__(self):
        return self.s


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_line_is_told_when_a_cell_ends():
    said = []
    tell = progress.Lines(said.append, Clock())
    tell(now(job("sync"), "ended", 1000))
    tell(now(job("threads:8", "auto"), "ended", 10, Ending("crash", "SIGSEGV")))
    assert said == ["contextvar/sync: 1,000 requests", "threads:8: 10 requests, crash"]


def test_a_line_is_told_every_ten_seconds():
    said, clock = [], Clock()
    tell = progress.Lines(said.append, clock)
    first, second, third = job("sync"), job("threads:8"), job("threads:2")
    tell(now(first, "ended", 1))
    for clock.s in (9.9, 10.0, 15.0, 19.9, 20.0):
        tell(now(second, "tally", 1000))
        tell(now(third, "tally", 7))
    assert said[1:] == [
        "10 s: 1,007 requests in 2 running cells, 1 ended",
        "20 s: 1,007 requests in 2 running cells, 1 ended",
    ]


def test_a_terminal_gets_a_bar_for_each_cell_that_runs(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress.shown(quiet=False, color=False) as tell:
        one = job("threads:8")
        tell(now(one, "started"))
        assert "contextvar/threads:8" in terminal.getvalue()
        terminal.truncate(0)
        tell(now(one, "ended", 100))
        assert "contextvar/threads:8" not in terminal.getvalue()


def test_nothing_is_told_to_those_who_want_quiet():
    with progress.shown(quiet=True, color=False) as tell:
        assert tell is None


@pytest.mark.parametrize(
    ("word", "environment", "stream", "colored"),
    [
        ("auto", {}, Terminal(), True),
        ("auto", {"TERM": "dumb"}, Terminal(), False),
        ("auto", {"NO_COLOR": ""}, Terminal(), True),
        ("auto", {"NO_COLOR": "1"}, Terminal(), False),
        ("auto", {}, io.StringIO(), False),
        ("never", {}, Terminal(), False),
    ],
)
def test_a_terminal_that_shows_color_gets_it_unless_told_otherwise(
    word, environment, stream, colored
):
    assert has_color(word, stream, environment) is colored


def test_only_a_stream_in_utf_8_is_sent_more_than_ascii():
    assert shows_unicode(io.TextIOWrapper(io.BytesIO(), encoding="UTF-8"))
    assert not shows_unicode(io.TextIOWrapper(io.BytesIO(), encoding="latin-1"))
    assert not shows_unicode(io.StringIO())
