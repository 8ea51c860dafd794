"""Notes that are imported in batches: each upload is queued, and every third request does the work.

A job reads `request` when it runs. That is the request that empties the queue, not the one that
queued the job.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable

from flask import Flask, request

app = Flask(__name__)
queue: deque[tuple[str, Callable[[], str]]] = deque()
imported: OrderedDict[str, str] = OrderedDict()


@app.post("/uploads")
def upload() -> str:
    job = request.form["title"]
    queue.append((job, lambda: request.form["title"]))
    if len(queue) > 2:
        work()
    return f"queued {job}"


def work() -> None:
    while queue:
        job, title = queue.popleft()
        imported[job] = title()
    while len(imported) > 60:
        imported.popitem(last=False)


@app.get("/uploads")
def uploads() -> str:
    return f"imported as {imported.pop(request.args['job'], 'nothing yet')}"
