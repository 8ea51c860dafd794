"""A cell that is none: it speaks the protocol, and behaves as the plan's `target.app` says."""

import ctypes
import faulthandler
import json
import os
import signal
import socket
import subprocess
import sys
import threading

channel = socket.socket(fileno=int(sys.argv[1]))
stacks = int(sys.argv[2])
heard = channel.makefile("r", encoding="utf-8")
plan = json.loads(heard.readline())["plan"]
argument, _, word = plan["target"]["app"].rpartition(":")


def say(**message):
    channel.sendall(json.dumps(message).encode() + b"\n")


def ready(kind="wsgi"):
    say(say="ready", target={"kind": kind, "app": "pretend:app", "versions": {"flask": "3.1.3"}})


def event(kind="answer.foreign", place="body", route="GET /whoami", relation="user", request=2):
    victim = {"user": 1, "request": request, "route": route}
    source = {"user": 2, "request": 1, "route": route}
    where = [{"file": "shop.py", "line": 17, "function": "whoami"}]
    say(
        say="event",
        event={
            "kind": kind, "place": place, "victim": victim, "source": source, "relation": relation,
            "seen": "bob", "expected": "ann", "where": where, "at_request": request,
        },
    )  # fmt: skip
    return [kind, route, place, relation]


COUNT = plan["workers"]["count"]


def tally(requests=100, compared=None, failed=0, counts=(), peak=COUNT, most=COUNT):
    say(
        say="tally",
        tally={
            "requests": requests, "compared": requests if compared is None else compared,
            "failed": failed, "in_flight_peak": peak,
            "in_flight_most": most, "elapsed_s": 0.5,
            "faults": {"error": 2, "abort": 1}, "failures": {"500": failed} if failed else {},
            "latency_us": {"400": requests - 5, "900": 5} if requests else {}, "visitors": 5,
        },
        counts=list(counts),
    )  # fmt: skip


def end(**ending):
    say(say="end", ending={"stacks": [], "hint": "", **ending} if ending else None)
    os._exit(0)


def learn():
    """Learn nothing, so that nothing is compared with it."""
    ready()
    tally()
    say(say="learnt", lesson={"heard": [], "ways": []})
    end()


def clean(requests=100):
    ready()
    tally(requests)
    end()


def leak():
    ready()
    tally(100, counts=[[event(), 40], [event(place="header X-User", request=9), 3]])
    end()


def overtaken():
    """Another worker counts the cause while the event that shows it is still on its way."""
    ready()
    tally(50, counts=[[["answer.foreign", "GET /whoami", "body", "user"], 1]])
    event()
    tally(100, counts=[[["answer.foreign", "GET /whoami", "body", "user"], 40]])
    end()


def leak_if_threads():
    leak() if plan["workers"]["model"] == "threads" else clean()


def expectation():
    ready()
    broken = argument == "alone_too" or plan["only_user"] is None
    counts = [[event("expectation.broken", "status", relation="", request=4), 7]] if broken else []
    tally(50, counts=counts)
    end()


def nothing_compared():
    ready()
    tally(100, compared=0)
    end()


def little_compared():
    ready()
    tally(435, compared=int(argument))
    end()


def little_compared_leak():
    ready()
    tally(435, compared=2, counts=[[event(), 2]])
    end()


def some_failing():
    ready()
    tally(500, failed=124)
    end()


def failing():
    ready()
    tally(100, failed=60)
    end()


def errors_uncompared():
    ready()
    tally(100, compared=98)
    end()


def failing_leak():
    ready()
    tally(100, failed=60, counts=[[event(), 40]])
    end()


def never_overlapping():
    ready()
    tally(peak=1)
    end()


def few_users():
    ready()
    tally(peak=3, most=3)
    end()


def crash():
    faulthandler.enable(stacks)
    ready()
    tally(10, counts=[[event(), 1]])
    os.write(2, b"about to crash\n")
    ctypes.string_at(0)


def leave():
    ready()
    tally(10)
    say(say="stacks", stacks=['File "shop.py", line 3 in leave'])
    os._exit(3)


def hang():
    faulthandler.enable(stacks)
    ready()
    tally(10)
    threading.Event().wait()


def hang_with_stacks():
    ready()
    say(say="stacks", stacks=['File "shop.py", line 8 in checkout'])
    threading.Event().wait()


def never_ready():
    faulthandler.enable(stacks)
    threading.Event().wait()


def flood():
    ready()
    while True:
        os.write(1, b"x" * 65536)


def chatter():
    ready()
    os.write(1, b"first" + b"x" * 100_000 + b"last")
    os.write(2, b"Cookie: session=secret\n")
    tally()
    end()


def memory():
    ready()
    kept = bytearray(int(argument) * 1024**2)
    kept[::4096] = b"x" * len(kept[::4096])
    threading.Event().wait()


def import_fails():
    os.write(2, b"Traceback: as the application gave it\n")
    end(kind="import", message="no module named 'shopp'", hint="did you mean 'shop'?")


def import_fails_and_steers():
    end(kind="import", message="shop\x1b[2Jp\0\r is broken", hint="see\x9b1A it")


def import_fails_if_threads():
    import_fails() if plan["workers"]["model"] == "threads" else clean()


def fault():
    ready()
    end(kind="fault", message="KeyError in visits.py")


def garbage():
    ready()
    channel.sendall(b"GET / HTTP/1.1\r\n\r\n")
    threading.Event().wait()


def strange_event():
    ready()
    say(say="event", event={"kind": "answer.foreign"})
    threading.Event().wait()


def obedient():
    ready()
    tally(10, counts=[[event(), 2]])
    assert json.loads(heard.readline()) == {"say": "stop"}
    tally(20, counts=[[event(), 4]])
    end(kind="stopped", message="stopped when asked to")


def deaf():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    ready()
    tally(10, counts=[[event(), 2]])
    threading.Event().wait()


def with_child():
    """Leave a process behind that would live on; its end closes the fifo `argument`."""
    fifo = os.open(argument, os.O_WRONLY)
    subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[fifo])
    clean()


def lingering():
    ready()
    tally()
    say(say="end", ending=None)
    threading.Event().wait()


def lent():
    say(say="ready", target={"kind": "wsgi", "lent": plan["lent"], "from": plan["lent_from"]})
    end()


def environment():
    say(say="ready", target={"kind": "wsgi", "value": os.environ.get(argument)})
    end()


def runtime():
    ready("runtime")
    tally()
    end()


if plan["learning"] and not word.startswith("import_fails"):
    learn()
globals()[word]()
