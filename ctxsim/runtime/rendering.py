"""Rendering with less around it: a template's names and its texts, made without detours.

Jinja merges an environment's globals one by one through a ChainMap for each rendering, and makes
each text that it puts out a Markup, which joining them makes plain again. Both take longer than a
small template itself. tests/runtime/test_rendering.py holds this beside Jinja's own.
"""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Mapping, MutableMapping
from typing import Any

from jinja2 import Environment, Template
from jinja2.runtime import Context
from markupsafe import escape

_special = re.compile("[&<>'\"]").search


def put_out(value: object) -> str:
    """Give `value` as it stands in a page: escaped, unless it says that it is markup."""
    kind = type(value)
    if kind is int:
        return str(value)
    if kind is str and _special(value) is None:  # type: ignore[call-overload]
        return value  # type: ignore[return-value]
    return escape(value)


class PageTemplate(Template):
    """A template that is rendered sooner than Jinja's own, to the same text."""

    @classmethod
    def _from_namespace(
        cls,
        environment: Environment,
        namespace: MutableMapping[str, Any],
        globals: MutableMapping[str, Any],
    ) -> Template:
        # Compiled templates call `escape` for what they put out, and for nothing else.
        namespace["escape"] = put_out
        return super()._from_namespace(environment, namespace, globals)

    def new_context(
        self,
        vars: dict[str, Any] | None = None,
        shared: bool = False,
        locals: Mapping[str, Any] | None = None,
    ) -> Context:
        """Give what the template looks its names up in; see Jinja's."""
        if shared or locals:
            return super().new_context(vars, shared, locals)
        known = _flat(self.globals)
        names = {**known, **(vars or {})}
        environment = self.environment
        return environment.context_class(environment, names, self.name, self.blocks, globals=known)


def _flat(names: MutableMapping[str, Any]) -> dict[str, Any]:
    if not isinstance(names, ChainMap):
        return dict(names)
    flat: dict[str, Any] = {}
    for part in reversed(names.maps):
        flat.update(part)
    return flat
