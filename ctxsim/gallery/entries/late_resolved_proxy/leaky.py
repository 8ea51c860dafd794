"""Notes that are imported later: each upload is queued, and whichever request is next does the work.

A job reads `request` when it runs. That is the request that empties the queue, not the one that
queued the job.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from threading import Lock

from flask import Flask, request

app = Flask(__name__)
queue: deque[tuple[str, Callable[[], str]]] = deque()
imported: OrderedDict[str, str] = OrderedDict()
working = Lock()


@app.before_request
def work() -> None:
    with working:
        while queue:
            job, title = queue.popleft()
            imported[job] = title()
        while len(imported) > 60:
            imported.popitem(last=False)


@app.post("/uploads")
def upload() -> str:
    job = request.form["title"]
    queue.append((job, lambda: request.form.get("title", "untitled")))
    return f"queued {job}"


@app.get("/uploads")
def uploads() -> str:
    return f"imported as {imported.pop(request.args['job'], 'nothing yet')}"
