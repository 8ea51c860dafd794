"""What a look finds in a module: an application, or how to make one, and what it speaks."""

import pytest


def test_a_factory_is_found_where_there_is_no_application(look):
    text = "import flask\ndef create_app(): return flask.Flask(__name__)\n"
    assert look(text, app="looked", doctor=True).finished().sight.app == "looked:create_app()"


def test_a_module_without_an_application_is_refused_with_what_to_write(look):
    lived = look("x = 1\n", app="looked")
    assert lived.ending.kind == "import"
    assert "no application was found in looked" in lived.ending.message
    assert "looked:NAME" in lived.ending.hint


@pytest.mark.parametrize("framework", ["fastapi.FastAPI", "starlette.applications.Starlette"])
def test_a_websocket_is_named_as_what_was_not_sent(look, framework):
    text = f"""
import fastapi, starlette.applications
from starlette.routing import Route, WebSocketRoute
async def hub(socket): await socket.accept()
async def home(request): return None
app = {framework}(routes=[Route("/", home), WebSocketRoute("/ws/{{room}}", hub)])
"""
    sight = look(text).finished().sight
    [socket] = [each for each in sight.routes if each.route.path == "/ws/{canary}"]
    assert (socket.trials, socket.why) == ((), "it is a WebSocket, which no check speaks")
