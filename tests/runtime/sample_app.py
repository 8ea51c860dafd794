"""One application source for Flask and for the runtime; every hook, signal and teardown logs."""

from __future__ import annotations

from types import ModuleType, SimpleNamespace
from typing import Any

import flask
import flask.signals

from ctxsim import runtime

HOOKS = ("before_request", "after_request", "teardown_request", "teardown_appcontext")
SIGNALS = (
    "template_rendered",
    "before_render_template",
    "request_started",
    "request_finished",
    "request_tearing_down",
    "got_request_exception",
    "appcontext_tearing_down",
    "appcontext_pushed",
    "appcontext_popped",
    "message_flashed",
)
FLASK = SimpleNamespace(**{**vars(flask), "App": flask.Flask, "signals": flask.signals})


class Teapot(Exception):  # noqa: N818 - a name of the field
    """Has a handler of its own."""


class Unhandled(Exception):  # noqa: N818 - it says what becomes of it
    """Has none."""


def described(value: Any) -> str:
    if isinstance(value, BaseException):
        return f"{type(value).__name__}({value})"
    if hasattr(value, "status_code"):
        return f"response {value.status_code} {value.headers.get('Content-Type')}"
    if isinstance(value, dict):
        return f"dict {sorted(key for key in value if key.islower())}"
    return str(getattr(value, "name", value))


class Logged:
    """An application and what happened in it."""

    def __init__(self, framework: ModuleType | SimpleNamespace) -> None:
        self.m = framework
        self.log: list[str] = []
        self.app = framework.App("sample")
        self.app.secret_key = "one key for both"
        self._receivers = [self._connect(name) for name in SIGNALS]
        self._declare_hooks()
        self._declare_views()
        self._declare_pages()
        self._declare_nesting()
        self._declare_streams()
        self._declare_error_handlers()

    def note(self, *words: Any) -> None:
        context = [self.m.has_app_context(), self.m.has_request_context()]
        self.log.append(" ".join([*map(described, words), f"contexts={context}"]))

    def _connect(self, name: str) -> Any:
        def receiver(sender: Any, **kwargs: Any) -> None:
            told = [f"{key}={described(value)}" for key, value in sorted(kwargs.items())]
            self.note("signal", name, sender is self.app, *told)

        getattr(self.m.signals, name).connect(receiver, self.app)
        return receiver

    def fails_at(self, place: str) -> bool:
        return self.m.has_request_context() and place in self.m.request.args.getlist("fail")

    def _declare_hooks(self) -> None:
        for number in (1, 2):
            for hook in HOOKS:
                getattr(self.app, hook)(self._hook(hook, number))

        @self.app.context_processor
        def names() -> dict[str, Any]:
            self.note("context_processor")
            return {"shop": "the shop", "given": "overridden"}

    def _hook(self, hook: str, number: int) -> Any:
        def function(*args: Any) -> Any:
            self.note(hook, number, *args)
            if self.fails_at(f"{hook}{number}"):
                raise Unhandled(f"{hook}{number}")
            if hook == "before_request":
                return self._early(number)
            return args[0] if hook == "after_request" else None

        function.__name__ = f"{hook}{number}"
        return function

    def _early(self, number: int) -> Any:
        if self.fails_at(f"teapot{number}"):
            raise Teapot("hook")
        return "early" if self.fails_at(f"early{number}") else None

    def _declare_views(self) -> None:
        m, app = self.m, self.app

        @app.route("/")
        def index() -> Any:
            self.note("view")
            return "index"

        @app.route("/item/<int:number>/", methods=["GET", "POST"])
        def item(number: int) -> Any:
            return {"number": number, "form": m.request.form.to_dict(), "url": m.request.url}

        @app.route("/raise/<kind>")
        def failing(kind: str) -> Any:
            self.note("view", kind)
            if kind == "abort":
                m.abort(403)
            if kind == "response":
                m.abort(m.make_response("answer", 418))
            raise {"teapot": Teapot, "key": KeyError, "exit": SystemExit}.get(kind, Unhandled)(
                "view"
            )

    def _declare_pages(self) -> None:
        m, app = self.m, self.app

        @app.route("/page")
        def page() -> Any:
            m.flash("first", "info")
            m.flash("second")
            text = (
                "{{ shop }} {{ given }} {{ request.path }} {{ g.get('x') }} {{ session.get('_x') }}"
            )
            more = (
                "{{ url_for('item', number=3, q='a b') }}{{ get_flashed_messages(true) }}{{ '<' }}"
            )
            return m.render_template_string(text + more, given="given")

        @app.route("/session/<action>")
        def session(action: str) -> Any:
            m.session.permanent = action == "permanent"
            if action == "clear":
                m.session.clear()
            else:
                m.session["user"] = ("ann", 1)
            return "done"

        @app.route("/read")
        def read() -> Any:
            return f"{dict(m.session)} {m.session.get('user')}"

        @app.route("/returns/<kind>")
        def returns(kind: str) -> Any:
            return self.returned(kind)

    def _declare_nesting(self) -> None:
        m, app = self.m, self.app

        @app.route("/after")
        def after() -> Any:
            @m.after_this_request
            def mark(response: Any) -> Any:
                self.note("after_this_request", response)
                response.headers["X-Mark"] = "1"
                return response

            return "after"

        @app.route("/nested")
        def nested() -> Any:
            m.g.name = "outer"
            with app.app_context():
                inner = m.g.get("name")
            return f"{inner} {m.g.name} {m.current_app.name}"

        @app.route("/inner")
        def inner() -> Any:
            with app.test_request_context("/item/5/?x=1", method="POST", data={"a": "b"}):
                seen = f"{m.request.full_path} {m.request.form['a']} {m.request.endpoint}"
            return f"{seen} {m.request.path}"

    def returned(self, kind: str) -> Any:
        m = self.m
        return {
            "str": "text <",
            "bytes": b"\xff",
            "dict": {"b": [1, None], "a": "\u00e9"},
            "list": [1, 2],
            "status": ("text", 201),
            "line": ("text", "299 Very Fine"),
            "headers": ("text", {"X-A": "1"}),
            "all": ({"a": 1}, 202, [("X-A", "1"), ("Content-Type", "text/plain")]),
            "response": m.make_response("r", 203, {"X-B": "2"}),
            "changed": (m.make_response("r", 203, {"X-B": "2"}), 204, {"X-C": "3"}),
            "json": m.jsonify(a=1, b=[2]),
            "redirect": m.redirect("/page?a=<b>"),
            "permanently": m.redirect("/page", code=301),
            "four": ("a", 1, 2, 3),
            "none": None,
            "int": 3,
            "empty": "",
            "mimetype": m.make_response("x"),
        }[kind]

    def _declare_streams(self) -> None:
        m, app = self.m, self.app

        def parts(count: int) -> Any:
            try:
                for number in range(count):
                    self.note("part", number)
                    path = m.request.path if m.has_request_context() else "no request"
                    yield f"{number} {path};"
            finally:
                self.note("parts end")

        @app.route("/stream/plain")
        def plain() -> Any:
            return parts(2)

        @app.route("/stream/kept")
        def kept() -> Any:
            return m.stream_with_context(parts(2))

        @app.route("/stream/decorated")
        def decorated() -> Any:
            return m.stream_with_context(parts)(1)

    def _declare_error_handlers(self) -> None:
        app = self.app

        @app.errorhandler(Teapot)
        def teapot(error: Teapot) -> Any:
            self.note("errorhandler", error)
            if self.fails_at("errorhandler"):
                raise Unhandled("errorhandler")
            return f"teapot {error}", 418

        @app.errorhandler(403)
        def forbidden(error: Any) -> Any:
            self.note("errorhandler", error.code)
            return "forbidden", 403

        @app.errorhandler(500)
        def broken(error: Any) -> Any:
            self.note("errorhandler", error.code, error.original_exception)
            if self.fails_at("errorhandler500"):
                raise Unhandled("errorhandler500")
            return f"broken by {described(error.original_exception)}", 500


RUNTIME = runtime
