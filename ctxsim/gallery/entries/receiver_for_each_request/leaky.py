"""A clinic that notes which page each request has rendered, by a receiver connected in the view.

The last twenty receivers are kept. They stay connected, and get the pages of other patients.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from flask import Flask, render_template_string, request, template_rendered

app = Flask(__name__)
receivers: deque[Any] = deque(maxlen=20)


@app.get("/file")
def file() -> str:
    rendered = []

    def note(sender: Flask, **details: Any) -> None:
        rendered.append(details["template"].name)

    template_rendered.connect(note, app)
    receivers.append(note)
    return render_template_string("File of {{ patient }}", patient=request.args["patient"])
