"""One running cell: a process that may do anything, watched until its last word."""

from __future__ import annotations

import contextlib
import math
import os
import selectors
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import ctxsim.cell
from ctxsim.cell.history import Case, Ending, Event, History, Origin, Selected, Tally
from ctxsim.cell.learnt import Lesson
from ctxsim.cell.messages import Lines, Message, encode
from ctxsim.cells.job import CellOutcome, Job, Limits, Progress, Tell

PROGRAM = Path(ctxsim.cell.__file__).with_name("__main__.py")

_MIB = 1024**2
_TAIL_BYTES = 8 * 1024
_CHUNK_BYTES = 64 * 1024
_LOOK_EVERY_S = 0.1
# faulthandler writes the stacks of a hundred threads in a few milliseconds.
_ABORT_S = 1.0
_HINT_LINES = 5


class Output:
    """The application's stdout or stderr: read without end, and only the last of it kept."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self.pipe = pipe
        self.total_bytes = 0
        self._kept = b""
        os.set_blocking(pipe.fileno(), False)

    def read(self) -> bool | None:
        """Take what there is: True if there was some, None if not yet, False at the end."""
        data: bytes | None = self.pipe.read(_CHUNK_BYTES)
        if data is None:
            return None
        self.total_bytes += len(data)
        self._kept = (self._kept + data)[-_TAIL_BYTES:]
        return bool(data)

    @property
    def tail(self) -> str:
        return self._kept.decode(errors="replace")


class Process:
    """One cell's process, its channel and its outputs.

    `hushed` means that the channel has closed, so that the end of the process is near; `gone` that
    the process has ended and that everything it had said was read.
    """

    def __init__(self, job: Job, limits: Limits, tell: Tell) -> None:
        self.job = job
        self.hushed = False
        self.gone = False
        self._limits = limits
        self._tell = tell
        self._history = History()
        self._facts: dict[str, Any] = {}
        self._ready = False
        self._stacks: tuple[str, ...] = ()
        self._stacks_at = -math.inf
        self._lesson: Lesson | None = None
        self._trying = ""
        # Of a live load: how many users it was told to be there, and that all have gone.
        self._users = 0
        self._finishes = False
        self._sight: dict[str, Any] | None = None
        self._lines = Lines()
        # Once the end is decided, by the cell's last word or by a limit, nothing replaces it.
        self._decided = False
        self._kill_at: float | None = None
        self._stops_told = 0
        self._started = self._moved = self._looked = time.monotonic()
        self._elapsed_s = 0.0
        self._stack_file = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process
        self._channel, theirs = socket.socketpair()
        with theirs:
            self._popen = self._launch(theirs)
        self._outputs = [Output(pipe) for pipe in (self._popen.stdout, self._popen.stderr) if pipe]
        self._say({"say": "plan", "plan": job.plan.to_json()})
        self._report("started")

    def _launch(self, theirs: socket.socket) -> subprocess.Popen[bytes]:
        fds = (theirs.fileno(), self._stack_file.fileno())
        # -P, because the folder of the cell's program must not come before the application's
        # modules. A session of its own, because Ctrl-C is the harness's to pass on.
        return subprocess.Popen(
            [self.job.python, "-P", str(PROGRAM), *map(str, fds)],
            pass_fds=fds,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env={**os.environ, **dict(self.job.env)},
        )

    def register(self, selector: selectors.BaseSelector) -> None:
        """Have `selector` call what it finds as a key's data, as `data(selector)`."""
        selector.register(self._channel, selectors.EVENT_READ, self._on_channel)
        for output in self._outputs:

            def on_output(selector: selectors.BaseSelector, output: Output = output) -> None:
                if output.read() is False:
                    selector.unregister(output.pipe)

            selector.register(output.pipe, selectors.EVENT_READ, on_output)

    def unregister(self, selector: selectors.BaseSelector) -> None:
        for source in self._sources:
            # Those that reached their end have left already.
            with contextlib.suppress(KeyError):
                selector.unregister(source)

    @property
    def _sources(self) -> list[socket.socket | IO[bytes]]:
        return [self._channel, *(output.pipe for output in self._outputs)]

    def _on_channel(self, selector: selectors.BaseSelector) -> None:
        data = self._receive()
        if data:
            self._hear(data)
        elif data is not None:
            self.hushed = True
            selector.unregister(self._channel)

    def _say(self, message: Message) -> None:
        # A cell that is gone hears nothing; how it ended is told by its exit.
        with contextlib.suppress(OSError):
            self._channel.settimeout(self._limits.start_s)
            self._channel.sendall(encode(message))
        self._channel.setblocking(False)

    def _receive(self) -> bytes | None:
        """What the cell said; None if there is nothing yet, b'' at the end."""
        try:
            return self._channel.recv(_CHUNK_BYTES)
        except BlockingIOError:
            return None
        except ConnectionError:
            return b""

    def _hear(self, data: bytes) -> None:
        if self._history.ending is not None and self._history.ending.kind == "fault":
            return
        try:
            for message in self._lines.feed(data):
                self._take(message)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            self._end(Ending("fault", f"the cell said what is no message: {error!r}"[:500]))

    def _take(self, message: Message) -> None:
        match message:
            case {"say": "ready", "target": dict() as facts}:
                self._ready, self._facts = True, facts
                self._moved = time.monotonic()
                self._report("ready")
            case {"say": "tally", "tally": dict() as tally, "counts": list() as counts}:
                self._count(Tally.from_json(tally), counts)
                self._report("tally")
            case {"say": "requests", "rows": list() as rows}:
                self._report("requests", rows)
            case {"say": "trying", "route": str() as route}:
                self._trying, self._moved = route, time.monotonic()
                self._report("trying")
            case {"say": "sight", "sight": dict() as sight}:
                self._sight = sight
            case {"say": "stacks", "stacks": list() as stacks}:
                self._stacks, self._stacks_at = tuple(map(str, stacks)), time.monotonic()
            case {"say": "learnt", "lesson": dict() as lesson}:
                self._lesson = Lesson.from_json(lesson)
            case {"say": "end", "ending": None | dict() as ending}:
                self._take_last_word(ending)
            case _:
                self._take_up(message)

    def _take_up(self, message: Message) -> None:
        """What a cell found."""
        match message:
            case {"say": "event", "event": dict() as event}:
                self._history.add(Event.from_json(event))
                self._report("event")
            case {"say": "origin", "cause": list() as cause, "origin": dict() as origin}:
                self._history.origins[tuple(cause)] = Origin.from_json(origin)
            case {"say": "case", "cause": list() as cause, "case": dict() as found}:
                self._history.cases[tuple(cause)] = Case.from_json(found)
            case {"say": "selected", "modules": list() as modules, "packages": list() as packages}:
                self._history.selected = Selected(tuple(modules), tuple(packages))
            case {"say": "doubt", "text": str() as text}:
                self._history.doubts.append(text)
                if message.get("is_sure"):
                    self._history.seen.append(text)
            case {"say": "remark", "text": str() as text}:
                self._history.remarks.append(text)
            case _:
                raise ValueError(str(message)[:200])

    def _report(self, state: Any, rows: Sequence[Sequence[Any]] = ()) -> None:
        kind = self._facts.get("kind")
        self._tell(Progress(self.job, state, self._history, rows, kind))

    def attend(self, users: int) -> None:
        """Of a live load: have so many users there from now on."""
        if not self._users:
            # Where nobody was, nothing could end.
            self._moved = time.monotonic()
        if users != self._users and not self._finishes:
            self._users = users
            self._say({"say": "users", "count": users})

    def finish(self) -> None:
        """Of a live load: all users have gone; what is in flight ends, then the cell."""
        if not self._finishes:
            self._finishes = True
            self._say({"say": "finish"})

    def _count(self, tally: Tally, counts: Iterable[tuple[list[str], int]]) -> None:
        if tally.requests > self._history.tally.requests:
            self._moved = time.monotonic()
        self._history.tally = tally
        self._history.counts.update((tuple(cause), count) for cause, count in counts)

    def _take_last_word(self, ending: dict[str, Any] | None) -> None:
        if self._decided:
            return
        if ending is not None:
            stacks = tuple(ending.pop("stacks", ()))
            self._history.ending = Ending(**ending, stacks=stacks)
        self._decided = True
        self._kill_at = time.monotonic() + self._limits.last_word_s

    def look(self, stops: int) -> None:
        """See whether the cell has ended, or must be; `stops`: how often all were told to stop."""
        now = time.monotonic()
        if self._popen.poll() is not None:
            self._finish(now)
        elif stops > self._stops_told:
            self._stop(now, stops)
        elif self._kill_at is not None and now >= self._kill_at:
            self.kill()
        elif not self._decided and now - self._looked >= _LOOK_EVERY_S:
            self._looked = now
            ending = self._overrun(now)
            if ending is not None:
                self._end(ending)

    def _stop(self, now: float, stops: int) -> None:
        self._stops_told = stops
        self._say({"say": "stop"})
        kill_at = now + (self._limits.last_word_s if stops == 1 else 0.0)
        self._kill_at = kill_at if self._kill_at is None else min(kill_at, self._kill_at)

    def _overrun(self, now: float) -> Ending | None:
        """The limit that the cell is over, as its ending."""
        limits, stall_s = self._limits, self.job.plan.stall_s
        if self._written_bytes > limits.flood_bytes:
            message = f"the application wrote more than {limits.flood_bytes / _MIB:g} MiB of output"
            return Ending("flood", message)
        if (used_bytes := memory_bytes(self._popen.pid)) > limits.memory_bytes:
            used, most = used_bytes / _MIB, limits.memory_bytes / _MIB
            return Ending("memory", f"the process used {used:,.0f} MiB of memory, of {most:,.0f}")
        if not self._ready and now - self._started > limits.start_s:
            return Ending("import", f"the application was not ready after {limits.start_s:g} s")
        # Whoever has told where all stand has noticed as well.
        grace_s = 0.0 if self._stacks_at > self._moved else limits.stall_grace_s
        if self._ready and now - self._moved > stall_s + grace_s:
            return Ending("hang", f"no request ended for {stall_s:g} s")
        return None

    @property
    def _written_bytes(self) -> int:
        return sum(output.total_bytes for output in self._outputs)

    def _end(self, ending: Ending) -> None:
        self._decided = True
        self._history.ending = ending
        self._kill_at = time.monotonic()
        if ending.kind in ("hang", "import") and not self._stacks:
            # The cell's faulthandler then writes where all threads stand.
            self._popen.send_signal(signal.SIGABRT)
            self._kill_at += _ABORT_S

    def kill(self) -> None:
        """End the process and those that it started, unless they left its session."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, signal.SIGKILL)

    def _finish(self, now: float) -> None:
        self.kill()
        while data := self._receive():
            self._hear(data)
        for output in self._outputs:
            # A process that left the session may go on writing: no more than what a pipe holds.
            for _ in range(_MIB // _CHUNK_BYTES):
                if not output.read():
                    break
        self._history.ending = self._ending()
        self._elapsed_s = now - self._started
        self.gone = True
        self._report("ended")

    def _ending(self) -> Ending | None:
        ending = self._history.ending
        if not self._decided:
            ending = self._exit()
        if ending is None or ending.stacks or ending.kind == "stopped":
            return ending
        return replace(ending, stacks=self._stacks or self._written_stacks())

    def _exit(self) -> Ending:
        """How a process ended that neither gave a last word nor was over a limit."""
        hint = "\n".join(self._outputs[-1].tail.splitlines()[-_HINT_LINES:])
        code = self._popen.returncode
        if self._stops_told:
            return Ending("stopped", "ended before its last request", hint=hint)
        if code == -signal.SIGKILL:
            hint = "ended from outside; systems do so where memory runs out"
        if code < 0:
            return Ending("crash", signal_name(-code), hint=hint)
        return Ending("exit", f"the process exited with code {code} amid the run", hint=hint)

    def _written_stacks(self) -> tuple[str, ...]:
        """What faulthandler wrote: its reason, then one text for each thread."""
        self._stack_file.seek(0)
        text = self._stack_file.read(_CHUNK_BYTES).decode(errors="replace")
        return tuple(part for part in text.strip().split("\n\n") if part)

    def outcome(self) -> CellOutcome:
        """What is known; complete once the process is `gone`."""
        stdout, stderr = (output.tail for output in self._outputs)
        return CellOutcome(
            self.job.cell,
            self._history,
            self._ready,
            self._facts,
            stdout_tail=stdout,
            stderr_tail=stderr,
            elapsed_s=self._elapsed_s,
            lesson=self._lesson,
            sight=self._sight,
            trying=self._trying,
        )

    def close(self) -> None:
        """Give back what the process held here; ends it if it still runs."""
        # Asked first, because the number of a process that has been reaped may be another's.
        if self._popen.poll() is None:
            self.kill()
            self._popen.wait()
        self._stack_file.close()
        for source in self._sources:
            source.close()


def signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        # Real-time signals have no names of their own.
        return f"signal {number}"


def memory_bytes(pid: int) -> int:
    """The resident memory of a process; 0 if it is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except (FileNotFoundError, ProcessLookupError, IndexError):
        if Path("/proc/self/statm").exists():
            return 0
    else:
        return pages * os.sysconf("SC_PAGE_SIZE")
    asked = subprocess.run(
        ["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return int(asked.stdout.strip() or 0) * 1024
