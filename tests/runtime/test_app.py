"""Routing, addresses, hooks and answers of an App."""

from __future__ import annotations

from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest
from werkzeug.routing import BuildError

from ctxsim.runtime import (
    App,
    Request,
    Response,
    abort,
    current_app,
    g,
    render_template,
    render_template_string,
    request,
    signals,
    url_for,
)

pytestmark = pytest.mark.usefixtures("storage")


def text(app: App, path: str, method: str = "GET", **parts: Any) -> str:
    return app.handle(Request(method, path, **parts)).get_data(as_text=True)  # type: ignore[no-any-return]


def test_converters_and_methods(app: App) -> None:
    """Variable parts are converted; get, post and the others bind one method each."""

    @app.get("/<int:number>/<path:rest>")
    def show(number: int, rest: str) -> list[Any]:
        return [number, rest, request.endpoint, request.view_args]

    for method in ("post", "put", "delete", "patch"):
        view = lambda method=method: method  # noqa: E731
        getattr(app, method)("/one", endpoint=method)(view)
    assert app.handle(Request("GET", "/3/a/b")).get_json() == [
        3, "a/b", "show", {"number": 3, "rest": "a/b"},
    ]  # fmt: skip
    assert [text(app, "/one", m) for m in ("POST", "PUT", "DELETE", "PATCH")] == [
        "post", "put", "delete", "patch",
    ]  # fmt: skip
    assert app.handle(Request("GET", "/one")).status_code == 405
    assert app.handle(Request("GET", "/none")).status_code == 404


def test_view_arguments_are_each_requests_own(app: App) -> None:
    """What a hook changes in view_args of a fixed path does not reach the next request."""

    @app.before_request
    def add() -> None:
        assert request.view_args is not None
        request.view_args["seen"] = request.view_args.get("seen", 0) + 1

    app.add_url_rule("/", "index", lambda seen: str(seen))
    assert [text(app, "/"), text(app, "/")] == ["1", "1"]


def test_a_rule_declared_later_is_found(app: App) -> None:
    """Remembered matches do not outlive a change of the rules."""
    app.add_url_rule("/a", "a", lambda: "a")
    assert text(app, "/a") == "a"
    app.add_url_rule("/b", "b", lambda: "b")
    assert (text(app, "/b"), text(app, "/a")) == ("b", "a")


def test_wrong_declarations_are_refused(app: App) -> None:
    """Each with what to write instead."""
    app.add_url_rule("/", "index", lambda: "")
    with pytest.raises(AssertionError, match="Pass endpoint="):
        app.add_url_rule("/other", "index", lambda: "")
    with pytest.raises(TypeError, match="must be a list"):
        app.route("/x", methods="POST")(lambda: "")
    with pytest.raises(TypeError, match="Use route"):
        app.get("/x", methods=["POST"])
    with pytest.raises(ValueError, match="999 is not the code"):
        app.errorhandler(999)(lambda error: "")
    with pytest.raises(TypeError, match="status code or an exception class"):
        app.errorhandler("404")(lambda error: "")  # type: ignore[arg-type]


def test_url_for_in_a_request(app: App) -> None:
    """Relative unless asked otherwise; unknown arguments go to the query."""
    app.add_url_rule("/item/<int:number>", "item", lambda number: "")
    with app.test_request_context("/", base_url="https://shop.test:8443/mount/"):
        assert url_for("item", number=3, q="a b") == "/mount/item/3?q=a+b"
        assert url_for("item", number=3, _external=True) == "https://shop.test:8443/mount/item/3"
        assert url_for("item", number=3, _anchor="x y") == "/mount/item/3#x%20y"
        assert url_for("item", number=3, _scheme="http").startswith("http://shop.test:8443/")
        with pytest.raises(BuildError):
            url_for("nowhere")
        with pytest.raises(ValueError, match="_external=True"):
            url_for("item", number=3, _scheme="http", _external=False)


def test_url_for_outside_a_request(app: App) -> None:
    """In a pushed app context it is absolute, and needs SERVER_NAME."""
    app.add_url_rule("/item/<int:number>", "item", lambda number: "")
    with app.app_context(), pytest.raises(RuntimeError, match="SERVER_NAME"):
        url_for("item", number=3)
    app.config.update(SERVER_NAME="shop.test", PREFERRED_URL_SCHEME="https", APPLICATION_ROOT="/r")
    with app.app_context():
        assert url_for("item", number=3) == "https://shop.test/r/item/3"
        assert url_for("item", number=3, _external=False) == "/r/item/3"
    assert app.url_for("item", number=3) == "https://shop.test/r/item/3"


def test_every_request_has_its_own_g(app: App) -> None:
    """What one request leaves in g, the next does not find."""

    @app.route("/")
    def index() -> str:
        seen = g.get("seen", "nothing")
        g.seen = "something"
        return str(seen)

    assert [text(app, "/"), text(app, "/")] == ["nothing", "nothing"]


def test_handle_gives_a_500_and_never_raises(app: App, caplog: pytest.LogCaptureFixture) -> None:
    """Unless the config asks for the exception itself."""
    app.testing = False

    @app.route("/")
    def index() -> str:
        raise ValueError("in the view")

    response = app.handle(Request())
    assert (response.status_code, "Internal Server Error" in str(response.data)) == (500, True)
    assert "Exception on / [GET]" in caplog.text
    for key in ("TESTING", "DEBUG", "PROPAGATE_EXCEPTIONS"):
        app.config.update(TESTING=False, DEBUG=False, PROPAGATE_EXCEPTIONS=None)
        app.config[key] = True
        with pytest.raises(ValueError, match="in the view"):
            app.handle(Request())


def test_what_is_no_exception_passes_through_after_teardown(app: App) -> None:
    """A worker that is killed leaves no context behind."""
    ended: list[Any] = []
    app.teardown_request(ended.append)

    @app.route("/")
    def index() -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        app.handle(Request())
    assert [type(error) for error in ended] == [KeyboardInterrupt]


def test_the_server_gets_valid_wsgi(app: App) -> None:
    """wsgiref's validator finds nothing to object to, streamed or not."""
    app.add_url_rule("/", "index", lambda: "index")
    app.add_url_rule("/stream", "stream", lambda: iter(["a", "b"]))
    app.add_url_rule("/empty", "empty", lambda: ("", 204))
    for path, body in (("/", b"index"), ("/stream", b"ab"), ("/empty", b""), ("/none", None)):
        environ: dict[str, Any] = {"PATH_INFO": path, "SCRIPT_NAME": "", "QUERY_STRING": ""}
        setup_testing_defaults(environ)
        started: list[Any] = []
        # The validator's own iterator must be closed before it is collected.
        parts = validator(app)(environ, lambda status, *_, into=started: into.append(status))
        try:
            joined = b"".join(parts)
        finally:
            parts.close()  # type: ignore[attr-defined]
        assert started
        assert body is None or joined == body


def test_a_context_processor_must_return_a_dict(app: App) -> None:
    """The error names the function and what it returned."""

    @app.context_processor
    def broken() -> None:
        return None

    with app.test_request_context(), pytest.raises(TypeError, match=r"broken returned a NoneType"):
        render_template_string("x")


def test_templates_from_files_and_filters(app: App, tmp_path: Any) -> None:
    """Files ending in .html are escaped, others are not; filters may be declared late."""
    (tmp_path / "page.html").write_text("{{ value|twice }} {{ config.NAME }}")
    (tmp_path / "page.txt").write_text("{{ value }}")
    app.root_path, app.template_folder = str(tmp_path), ""
    app.config["NAME"] = "n"
    with app.app_context():
        assert render_template("page.txt", value="<") == "<"

        @app.template_filter()
        def twice(value: str) -> str:
            return value * 2

        assert render_template(["missing.html", "page.html"], value="<") == "&lt;&lt; n"


def test_own_namespaces_of_signals(app: App) -> None:
    """An application makes signals of its own, apart from the built-in ones."""
    saved = signals.Namespace().signal("saved")
    seen: list[Any] = []
    saved.connect(lambda sender, **told: seen.append((sender, told)), weak=False)
    saved.send(app, item=3)
    assert seen == [(app, {"item": 3})]


def test_a_request_can_be_subclassed_and_carries(app: App) -> None:
    """A harness hangs what it needs on a request; WSGI uses the app's request class."""

    class Marked(Request):
        __slots__ = ("mark",)

    app.request_class = Marked
    app.add_url_rule("/", "index", lambda: type(request._get_current_object()).__name__)  # type: ignore[attr-defined]
    marked = Marked("GET", "/")
    assert marked.carried is None
    marked.carried = marked.mark = "x"
    assert app.handle(marked).data == b"Marked"
    with app.test_request_context():
        assert type(request._get_current_object()) is Marked  # type: ignore[attr-defined]


def test_the_parts_of_a_direct_request() -> None:
    """Everything a view reads is parsed from the parts, and environ is built from them."""
    made = Request(
        "POST", "/a b", "x=1&y=a%20b&x=2&e=", [("Host", "h.test"), ("Cookie", "c=1; d=2"),
        ("Content-Type", "application/json; charset=utf-8"), ("Authorization", "Basic YTpi"),
        ("User-Agent", "test")], b'{"a": 1}',
    )  # fmt: skip
    assert (made.args.getlist("x"), made.args["y"], made.args["e"]) == (["1", "2"], "a b", "")
    assert (made.json, made.is_json, made.mimetype) == ({"a": 1}, True, "application/json")
    assert (made.cookies.to_dict(), made.host) == ({"c": "1", "d": "2"}, "h.test")
    assert made.authorization is not None
    assert (made.authorization.username, made.authorization.password) == ("a", "b")
    assert (made.user_agent, made.content_length, made.data) == ("test", 8, b'{"a": 1}')
    assert made.url == "http://h.test/a%20b?x=1&y=a%20b&x=2&e="
    assert made.full_path == "/a b?x=1&y=a%20b&x=2&e="
    environ = made.environ
    assert (environ["PATH_INFO"], environ["HTTP_HOST"], environ["CONTENT_TYPE"][:16]) == (
        "/a b", "h.test", "application/json",
    )  # fmt: skip
    again = Request.from_environ(environ)
    assert (again.json, again.args, again.url, again.method) == (
        made.json, made.args, made.url, "POST",
    )  # fmt: skip


def test_forms_and_files() -> None:
    """Both kinds of form are read, and files are closed with the request."""
    kind = "application/x-www-form-urlencoded"
    plain = Request("POST", "/", "q=1", [("Content-Type", kind)], b"a=1&b=x+y&b=%C3%A9")
    assert (plain.form["a"], plain.form.getlist("b"), plain.data) == ("1", ["x y", "\u00e9"], b"")
    assert plain.values.to_dict() == {"q": "1", "a": "1", "b": "x y"}
    body = (
        b'--X\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
        b'--X\r\nContent-Disposition: form-data; name="f"; filename="n.txt"\r\n\r\n'
        b"content\r\n--X--\r\n"
    )
    upload = Request("POST", "/", "", [("Content-Type", "multipart/form-data; boundary=X")], body)
    assert (upload.form["a"], upload.files["f"].filename) == ("1", "n.txt")
    assert upload.files["f"].read() == b"content"
    upload.close()
    assert upload.files["f"].stream.closed


def test_wrong_json_is_the_clients_fault(app: App) -> None:
    """415 for another type, 400 for garbage, None for both when silent."""
    app.add_url_rule("/", "index", lambda: {"got": request.get_json()}, methods=["POST"])
    as_json = [("Content-Type", "application/json")]
    assert app.handle(Request("POST", "/", body=b"{}")).status_code == 415
    assert app.handle(Request("POST", "/", headers=as_json, body=b"{")).status_code == 400
    assert Request("POST", "/", headers=as_json, body=b"{").get_json(silent=True) is None
    assert Request("POST", "/", body=b"[1]").get_json(force=True) == [1]


def test_a_missing_form_field_is_the_clients_fault(app: App) -> None:
    """request.form["x"] answers 400, as request.args["x"] does."""
    app.add_url_rule("/", "index", lambda: request.args["x"] + request.form["x"])
    assert app.handle(Request()).status_code == 400


def test_a_response_is_closed_once_sent(app: App) -> None:
    """close() closes the stream and calls what was asked for."""
    events: list[str] = []

    def parts() -> Any:
        try:
            yield "a"
            yield "b"
        finally:
            events.append("stream closed")

    @app.route("/")
    def index() -> Response:
        response = Response(parts(), mimetype="text/plain")
        response.call_on_close(lambda: events.append("called"))
        return response

    response = app.handle(Request())
    chunks = iter(response.chunks())
    assert (response.is_streamed, next(chunks), response.mimetype) == (True, b"a", "text/plain")
    response.close()
    assert events == ["stream closed", "called"]


def test_head_and_empty_statuses_have_no_body(app: App) -> None:
    """The direct path gives what a client would get: headers, and no body."""
    app.add_url_rule("/", "index", lambda: "four")
    app.add_url_rule("/204", "empty", lambda: ("four", 204))
    app.add_url_rule("/304", "same", lambda: ("four", 304))
    head = app.handle(Request("HEAD", "/"))
    assert (b"".join(head.chunks()), dict(head.header_list())["Content-Length"]) == (b"", "4")
    for path in ("/204", "/304"):
        response = app.handle(Request("GET", path))
        assert (b"".join(response.chunks()), response.header_list()) == (b"", [])


def test_a_response_can_be_changed() -> None:
    """Status, headers, cookies, body and type, in any order."""
    response = Response("a", 404, {"X-A": "1"}, "application/json")
    assert (response.status, response.content_type) == ("404 NOT FOUND", "application/json")
    response.data = "longer"  # type: ignore[assignment]
    response.status = "299 Fine"
    response.mimetype = "text/css"
    response.set_cookie("c", "v", httponly=True)
    response.vary_on("Cookie")
    response.vary_on("Accept")
    sent = dict(response.header_list())
    assert (response.status, response.status_code, sent["Content-Length"]) == ("299 Fine", 299, "6")
    assert sent["Content-Type"] == "text/css; charset=utf-8"
    assert (sent["Set-Cookie"], sent["Vary"]) == ("c=v; HttpOnly; Path=/", "Cookie, Accept")
    with pytest.raises(ValueError, match="A status begins with its code"):
        response.status = "Fine"


def test_abort_takes_a_response(app: App) -> None:
    """abort(response) answers with it; abort(code) with the code's page."""
    app.add_url_rule("/", "index", lambda: abort(Response("no", 402)))
    app.add_url_rule("/code", "code", lambda: abort(410, "gone for good"))
    assert (app.handle(Request()).status_code, text(app, "/")) == (402, "no")
    assert "gone for good" in text(app, "/code")
    with pytest.raises(LookupError):
        abort(299)


def test_the_same_app_answers_inside_its_own_view(app: App) -> None:
    """A view that sends a request to its own app keeps its request; g is the app context's."""

    @app.route("/<word>")
    def index(word: str) -> str:
        inner = text(current_app, "/inner") if word == "outer" else ""
        return f"{inner} {request.path}"

    assert text(app, "/outer") == " /inner /outer"
