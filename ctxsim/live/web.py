"""What is added to Locust's web UI: two tabs, a page, downloads, a guard, and a login."""

from __future__ import annotations

import hmac
import json
import logging
import os
import secrets  # noqa: TID251 - a login is no part of a run: what it draws must not be foreseen
from argparse import Namespace
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gevent
from flask import Response, abort, jsonify, redirect, request, session
from flask_login import UserMixin, login_user

from ctxsim.live import guard, page
from ctxsim.live.board import TABLES, TABS, Board
from ctxsim.report import junit
from ctxsim.report import page as report
from ctxsim.report.document import Document, as_text

logger = logging.getLogger(__name__)

_USER = "ctxsim"
_PASSWORD = "CTXSIM_WEB_PASSWORD"
_DOWNLOADS = [
    {"href": "./ctxsim", "title": "ctxsim: the stories of the findings"},
    {"href": "./ctxsim/result.json", "title": "ctxsim: result document"},
    {"href": "./ctxsim/report.html", "title": "ctxsim: HTML report"},
    {"href": "./ctxsim/junit.xml", "title": "ctxsim: JUnit report"},
]
_PANEL = Path(__file__).with_name("panel.js")

BoardOf = Callable[[], Board | None]
# Why a form cannot be carried out, by what it says; '' where it can.
Check = Callable[[Mapping[str, str]], str]


def add_pages(web_ui: Any, board_of: BoardOf, check: Check, options: Namespace) -> None:
    """Add everything to a web UI that has not been started yet."""
    base = options.web_base_path
    _add_guard(web_ui, options)
    _add_check(web_ui.app, check, base)
    _add_tabs(web_ui, board_of, base)
    _add_page(web_ui, board_of, base)
    _add_panel(web_ui, board_of, base)
    if web_ui.web_login:
        _add_login(web_ui, base)


def count_time_from(ready: Callable[[], object], web_ui: Any, run_time_s: float | None) -> None:
    """Have a run time of the form begin when `ready` returns; Locust's begins with the answer."""
    if run_time_s is None or web_ui is None or web_ui._run_time_greenlet is None:
        return

    def stop_in_time() -> None:
        ready()
        gevent.sleep(run_time_s)
        web_ui._stop_runners()

    web_ui._cancel_run_time_timer()
    # There Locust ends it, where somebody stops the run or starts another.
    web_ui._run_time_greenlet = gevent.spawn(stop_in_time)


def _add_check(app: Any, check: Check, base: str) -> None:
    def before_request() -> Response | None:
        if request.method != "POST" or request.path != f"{base}/swarm":
            return None
        told = check(request.form)
        return jsonify({"success": False, "message": told}) if told else None

    app.before_request(before_request)


def _add_guard(web_ui: Any, options: Namespace) -> None:
    # Not all versions of Locust have it.
    shown = vars(options).get("web_host_display_name") or ""
    names = guard.Names.of(options.web_host, also=shown, asks_who=web_ui.web_login)
    app = web_ui.app

    def before_request() -> None:
        asked = guard.Asked(
            method=request.method,
            path=request.path,
            host=request.host,
            origin=request.headers.get("Origin"),
            fetch_site=request.headers.get("Sec-Fetch-Site"),
            referer=request.headers.get("Referer"),
            agent=request.headers.get("User-Agent", ""),
        )
        if told := guard.refusal(names, asked):
            logger.warning("refused %s %s: %s", request.method, request.path, told)
            abort(403, f"ctxsim: {told}")

    # Before the hooks that are there already.
    app.before_request_funcs.setdefault(None, []).insert(0, before_request)


def _add_tabs(web_ui: Any, board_of: BoardOf, base: str) -> None:
    web_ui.template_args.update(
        extended_tabs=TABS, extended_tables=TABLES, extended_csv_files=_DOWNLOADS
    )

    def add_rows(response: Response) -> Response:
        board = board_of()
        if request.path == f"{base}/stats/requests" and response.is_json:
            rows = [] if board is None else board.rows()
            response.set_data(json.dumps({**response.get_json(), "extended_stats": rows}))
        return response

    web_ui.app.after_request(add_rows)


def _add_page(web_ui: Any, board_of: BoardOf, base: str) -> None:
    def as_page() -> str:
        return page.rendered(board_of(), base)

    def as_result() -> Response:
        document = _document(board_of)
        return Response(as_text([document], document.exit_code), mimetype="application/json")

    def as_report() -> Response:
        return Response(report.render([_document(board_of)]), mimetype="text/html")

    def as_junit() -> Response:
        return Response(junit.render([_document(board_of)]), mimetype="application/xml")

    for path, name, view in (
        ("", "ctxsim_page", as_page),
        ("/result.json", "ctxsim_result", as_result),
        ("/report.html", "ctxsim_report", as_report),
        ("/junit.xml", "ctxsim_junit", as_junit),
    ):
        guarded = web_ui.auth_required_if_enabled(view)
        web_ui.app.add_url_rule(f"{base}/ctxsim{path}", name, guarded)


def _add_panel(web_ui: Any, board_of: BoardOf, base: str) -> None:
    """Colours for the tabs, since Locust's tables have none."""

    def as_state() -> Response:
        board = board_of()
        return jsonify({"verdict": "" if board is None else board.verdict})

    def as_script() -> Response:
        return Response(_PANEL.read_bytes(), mimetype="text/javascript")

    for path, name, view in (
        ("/state.json", "ctxsim_state", as_state),
        ("/panel.js", "ctxsim_panel", as_script),
    ):
        guarded = web_ui.auth_required_if_enabled(view)
        web_ui.app.add_url_rule(f"{base}/ctxsim{path}", name, guarded)

    def add_script(response: Response) -> Response:
        if request.path == f"{base}/" and response.mimetype == "text/html":
            tag = f'<script src="{base}/ctxsim/panel.js"></script></body>'
            response.set_data(response.get_data(as_text=True).replace("</body>", tag, 1))
        return response

    web_ui.app.after_request(add_script)


def _document(board_of: BoardOf) -> Document:
    board = board_of()
    if board is None or not board.run.is_over:
        abort(409, "ctxsim: there is no result before the test has ended")
    return board.run.document()


class _Owner(UserMixin):  # type: ignore[misc]
    """The one user who may log in."""

    def get_id(self) -> str:
        return _USER


def _add_login(web_ui: Any, base: str) -> None:
    password = os.environ.get(_PASSWORD)
    if not password:
        password = secrets.token_urlsafe(12)
        logger.warning(
            "the web UI asks for the user %s with the password %s; set %s to choose another",
            _USER,
            password,
            _PASSWORD,
        )
    web_ui.app.secret_key = secrets.token_bytes(32)
    # No page of another site is to send it along.
    web_ui.app.config.update(SESSION_COOKIE_SAMESITE="Strict", SESSION_COOKIE_HTTPONLY=True)
    web_ui.login_manager.user_loader(lambda name: _Owner() if name == _USER else None)
    web_ui.auth_args = {
        "username_password_callback": f"{base}/ctxsim/login",
        "title": "ctxsim",
    }

    def ctxsim_login() -> Any:
        given = request.form.get("password", "")
        is_right = hmac.compare_digest(given.encode(), password.encode())
        if is_right and request.form.get("username") == _USER:
            session.pop("auth_error", None)
            login_user(_Owner())
            return redirect(f"{base}/")
        session["auth_error"] = "Wrong user or password"
        return redirect(f"{base}/login")

    web_ui.app.add_url_rule(f"{base}/ctxsim/login", "ctxsim_login", ctxsim_login, methods=["POST"])
