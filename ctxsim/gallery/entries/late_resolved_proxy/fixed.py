"""The same notes: a job is given the title, which was read while its own request ran."""

from __future__ import annotations

from collections import OrderedDict, deque

from flask import Flask, request

app = Flask(__name__)
queue: deque[tuple[str, str]] = deque()
imported: OrderedDict[str, str] = OrderedDict()


@app.post("/uploads")
def upload() -> str:
    job = request.form["title"]
    queue.append((job, job))
    if len(queue) > 2:
        work()
    return f"queued {job}"


def work() -> None:
    while queue:
        job, title = queue.popleft()
        imported[job] = title
    while len(imported) > 60:
        imported.popitem(last=False)


@app.get("/uploads")
def uploads() -> str:
    return f"imported as {imported.pop(request.args['job'], 'nothing yet')}"
