"""A shop that renders some of its pages by way of a buffer, one for each page."""

from __future__ import annotations

import os
import tempfile
import time

from flask import Flask, request

SPARE_EVERY = 5

app = Flask(__name__)
counter = tempfile.TemporaryFile(buffering=0)


@app.get("/offer")
def offer() -> str:
    name = request.args["name"]
    pages = os.fstat(counter.fileno()).st_size
    counter.write(b".")
    if pages // SPARE_EVERY % 2:
        return offer_in_buffer(name)
    return f"honey for {name}"


def offer_in_buffer(name: str) -> str:
    buffer = ["honey for", name]
    time.sleep(0.001)
    return " ".join(buffer)
