"""What is public, and what importing the runtime brings along."""

from __future__ import annotations

import subprocess
import sys

from ctxsim import runtime

NAMES = (
    "App Local LocalProxy LocalStack Request Response abort after_this_request"
    " copy_current_request_context current_app flash g get_flashed_messages has_app_context"
    " has_request_context jsonify make_response redirect release_local render_template"
    " render_template_string request session signals storages stream_with_context url_for"
    " use_storage"
)


def test_the_public_names_are_these() -> None:
    """Adding or losing one is a decision."""
    assert runtime.__all__ == NAMES.split()
    assert all(type(vars(runtime)[name]) is not None for name in runtime.__all__)


def test_importing_the_runtime_brings_no_gevent_and_no_harness() -> None:
    """The runtime works alone; gevent must not be imported by it."""
    code = (
        "import sys, ctxsim.runtime;"
        "bad = ('gevent', 'locust', 'click', 'pydantic', 'rich', 'flask');"
        "sys.exit([name for name in bad if name in sys.modules] or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
