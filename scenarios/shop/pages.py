"""The front page, error pages, and what all templates know."""

from __future__ import annotations

from typing import Any

from flask import Flask, g, render_template, request_finished, template_rendered
from werkzeug.exceptions import HTTPException

from shop import database, users


def register(app: Flask) -> None:
    app.add_url_rule("/", view_func=index)
    app.context_processor(names)
    app.register_error_handler(HTTPException, error_page)
    template_rendered.connect(note_template, app)
    request_finished.connect(name_templates, app)


def index() -> str:
    return render_template("index.html", catalogue=database.CATALOGUE)


def names() -> dict[str, Any]:
    return {"current_user": users.current_user(), "tag": g.tag}


def error_page(error: HTTPException) -> tuple[str, int]:
    code = error.code or 500
    return render_template("error.html", code=code, title=error.name), code


def note_template(_app: Flask, template: Any, **_: Any) -> None:
    g.setdefault("templates", []).append(template.name)


def name_templates(_app: Flask, response: Any, **_: Any) -> None:
    response.headers["X-Templates"] = " ".join([*g.get("templates", []), g.tag])
