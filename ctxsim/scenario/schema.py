"""The JSON Schema of scenario files, from which editors complete, hover and underline."""

from __future__ import annotations

from typing import Any

from ctxsim.scenario import nodes
from ctxsim.scenario.loading import values
from ctxsim.scenario.model import Document
from ctxsim.scenario.schema_parts import Schema

DIALECT = "https://json-schema.org/draft/2020-12/schema"
ID = "ctxsim-scenario-1.json"


def json_schema() -> Schema:
    """The schema, draft 2020-12. It knows shapes; placeholders and the like are the loader's."""
    schema = _for_editors(Document.model_json_schema(by_alias=True))
    return {"$schema": DIALECT, "$id": ID, **schema, "title": "ctxsim scenario"}


def _for_editors(schema: Any) -> Any:
    """Without the models' nulls, titles and defaults, and with descriptions as Markdown too."""
    if isinstance(schema, list):
        return [_for_editors(each) for each in schema if each != {"type": "null"}]
    if not isinstance(schema, dict):
        return schema
    if "patternProperties" in schema:
        # A name that does not have the shape of one is refused, not just left unjudged.
        schema = {**schema, "additionalProperties": False}
    kept = {key: value for key, value in schema.items() if not _is_ours(key, value)}
    cleaned = {key: _for_editors(value) for key, value in kept.items()}
    if isinstance(cleaned.get("description"), str):
        cleaned["markdownDescription"] = cleaned["description"]
    if "examples" in cleaned:
        cleaned["examples"] = [_meant(str(each)) for each in cleaned["examples"]]
    return cleaned


def _meant(example: str) -> Any:
    # Messages show an example as it is written; editors want the value that it means.
    root, _ = nodes.compose(example)
    return None if root is None else values(root, ())


def _is_ours(key: str, value: object) -> bool:
    # A property may be called `title` or `default`: then its value is a schema, no text.
    return (key == "title" and isinstance(value, str)) or (
        key == "default" and not isinstance(value, dict)
    )
