"""The context-stack runtime: what Flask and Werkzeug do, small, with the storage as a parameter.

A web application is written as for Flask; `use_storage` selects where contexts are kept before it
is imported. It needs no harness: `App` is a WSGI application.
"""

from __future__ import annotations

from ctxsim.runtime import signals
from ctxsim.runtime.app import App
from ctxsim.runtime.contexts import has_app_context, has_request_context
from ctxsim.runtime.current import (
    abort,
    after_this_request,
    copy_current_request_context,
    current_app,
    jsonify,
    make_response,
    redirect,
    url_for,
)
from ctxsim.runtime.flashes import flash, get_flashed_messages
from ctxsim.runtime.local import Local, LocalStack, release_local
from ctxsim.runtime.proxies import g, request, session
from ctxsim.runtime.proxy import LocalProxy
from ctxsim.runtime.requests import Request
from ctxsim.runtime.responses import Response
from ctxsim.runtime.selection import storages, use_storage
from ctxsim.runtime.streaming import stream_with_context
from ctxsim.runtime.templates import render_template, render_template_string

__all__ = [
    "App",
    "Local",
    "LocalProxy",
    "LocalStack",
    "Request",
    "Response",
    "abort",
    "after_this_request",
    "copy_current_request_context",
    "current_app",
    "flash",
    "g",
    "get_flashed_messages",
    "has_app_context",
    "has_request_context",
    "jsonify",
    "make_response",
    "redirect",
    "release_local",
    "render_template",
    "render_template_string",
    "request",
    "session",
    "signals",
    "storages",
    "stream_with_context",
    "url_for",
    "use_storage",
]
