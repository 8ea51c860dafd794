"""The same notes: a job is given the title, which was read while its own request ran."""

from __future__ import annotations

from collections import OrderedDict, deque
from threading import Lock

from flask import Flask, request

app = Flask(__name__)
queue: deque[tuple[str, str]] = deque()
imported: OrderedDict[str, str] = OrderedDict()
working = Lock()


@app.before_request
def work() -> None:
    with working:
        while queue:
            job, title = queue.popleft()
            imported[job] = title
        while len(imported) > 60:
            imported.popitem(last=False)


@app.post("/uploads")
def upload() -> str:
    job = request.form["title"]
    queue.append((job, job))
    return f"queued {job}"


@app.get("/uploads")
def uploads() -> str:
    return f"imported as {imported.pop(request.args['job'], 'nothing yet')}"
