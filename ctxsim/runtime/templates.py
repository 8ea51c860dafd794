"""Jinja templates that see the current request, session and g."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from jinja2 import BaseLoader, DictLoader, Environment, FileSystemLoader, Template

from ctxsim.runtime import json_text, proxies
from ctxsim.runtime.flashes import get_flashed_messages
from ctxsim.runtime.rendering import PageTemplate
from ctxsim.runtime.signals import before_render_template, template_rendered
from ctxsim.runtime.stacks import STACKS

if TYPE_CHECKING:
    from ctxsim.runtime.application import Application

_MARKUP_ENDINGS = (".html", ".htm", ".xml", ".xhtml", ".svg")


def make_environment(app: Application) -> Environment:
    """Make the Jinja environment of `app`."""
    environment = Environment(
        loader=_loader(app),
        autoescape=_is_markup,
        auto_reload=bool(app.config["TEMPLATES_AUTO_RELOAD"] or app.debug),
    )
    environment.template_class = PageTemplate
    environment.globals.update(
        config=app.config,
        g=proxies.g,
        get_flashed_messages=get_flashed_messages,
        request=proxies.request,
        session=proxies.session,
        url_for=app.url_for,
    )
    environment.policies["json.dumps_function"] = json_text.dumps
    # The app's own dict, so that filters declared later are found too.
    app.template_filters.update({**environment.filters, **app.template_filters})
    environment.filters = app.template_filters
    return environment


def _is_markup(name: str | None) -> bool:
    return name is None or name.endswith(_MARKUP_ENDINGS)


def _loader(app: Application) -> BaseLoader:
    if app.template_folder is None:
        return DictLoader({})
    return FileSystemLoader(os.path.join(root_of(app), app.template_folder))


def root_of(app: Application) -> str:
    """Give the folder of the app's module, or the current one where it has no file."""
    if app.root_path is not None:
        return app.root_path
    file = getattr(sys.modules.get(app.import_name), "__file__", None)
    return os.path.dirname(os.path.abspath(file)) if file else os.getcwd()


def render_template(template: str | Template | list[str | Template], **context: Any) -> str:
    """Render a template by its name; of a list, the first that exists."""
    app: Application = proxies.current_app._get_current_object()
    return _render(app, app.jinja_env.get_or_select_template(template), context)


def render_template_string(source: str, **context: Any) -> str:
    """Render the template whose text is `source`."""
    app: Application = proxies.current_app._get_current_object()
    return _render(app, app.jinja_env.from_string(source), context)


def _render(app: Application, template: Template, given: dict[str, Any]) -> str:
    context = _current_objects()
    for function in app.template_context_processors:
        context.update(_names_from(function))
    # What the caller passes wins, because a processor does not know which template it is for.
    context.update(given)
    if before_render_template.receivers:
        before_render_template.send(app, template=template, context=context)
    text = template.render(context)
    if template_rendered.receivers:
        template_rendered.send(app, template=template, context=context)
    return text


def _current_objects() -> dict[str, Any]:
    # The objects themselves, because a template asks often. Not the session: asking the context
    # for it would mark it as accessed by a template that never looks at it.
    current: dict[str, Any] = {}
    if (app_context := STACKS.app_get()) is not None:
        current["g"] = app_context.g
    if (request_context := STACKS.request_get()) is not None:
        current["request"] = request_context.request
    return current


def _names_from(function: Any) -> dict[str, Any]:
    names = function()
    if not isinstance(names, dict):
        where = f"{function.__module__}.{function.__qualname__}"
        raise TypeError(
            f"The context processor {where} returned a {type(names).__name__}."
            " It must return a dict of names for the template, {} where it has none."
        )
    return names
