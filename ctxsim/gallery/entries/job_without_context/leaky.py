"""A bank that writes its audit trail in a thread pool; the job reads `request`.

In the pool's thread there is no request context. The job raises, the pool keeps the exception for
whoever asks for the result, and nobody does: the trail stays empty.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from flask import Flask, request

app = Flask(__name__)
pool = ThreadPoolExecutor(2)


def audit() -> None:
    app.logger.debug("%s was looked at", request.args["account"])


@app.get("/balance")
def balance() -> str:
    pool.submit(audit)
    return f"account {request.args['account']}: 100"
