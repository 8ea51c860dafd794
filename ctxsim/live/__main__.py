"""`python -m ctxsim.live CHANNEL`: the harness of a live load; CHANNEL is an inherited socket."""

from __future__ import annotations

import signal
import socket
import sys

from ctxsim.live.harness import serve

if __name__ == "__main__":
    # Locust passes on what ends a run; a Ctrl-C in its terminal is not for us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    channel = socket.socket(fileno=int(sys.argv[1]))
    # One that was made where everything is patched does not block.
    channel.setblocking(True)
    serve(channel)
