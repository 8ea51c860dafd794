"""What a scenario file may say of what is tested, and of how much it is sent."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from ctxsim.scenario.value_types import (
    AppText,
    Command,
    Filled,
    KindWord,
    Paths,
    Rate,
    Seconds,
    StorageWords,
    Url,
    VariableName,
    WrittenText,
)

_MAX_REQUESTS = 1_000_000_000


class Part(BaseModel):
    """A mapping of the file: nothing is guessed, and keys that are not known are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Target(Part):
    """What is tested."""

    model_config = ConfigDict(
        json_schema_extra={"anyOf": [{"required": ["app"]}, {"required": ["kind", "url"]}]}
    )

    app: AppText = Field(
        default="",
        description="The application: `module:attribute` or `path/to/file.py:attribute`; "
        "`()` at the end calls a factory.",
        examples=["shop.wsgi:app"],
    )
    kind: KindWord = Field(
        default="auto",
        description="What the application is; `auto` (the default) looks at it after the import; "
        "`http` is a server, which is sent requests.",
        examples=["auto"],
    )
    python: Filled | None = Field(
        default=None,
        description="The application's interpreter. Default: that of the active virtual "
        "environment, else ctxsim's own; for runtime targets ctxsim's own.",
        examples=["./.venv/bin/python"],
    )
    path: Paths = Field(
        default=(".",),
        description="Folders to put before the import path, relative to the scenario's folder, "
        "which is the default.",
        examples=["[src]"],
    )
    env: dict[VariableName, WrittenText] = Field(
        default_factory=dict,
        description="Variables to add to the environment, which cells inherit.",
        examples=['{DATABASE_URL: "sqlite://"}'],
    )
    storage: StorageWords | None = Field(
        default=None,
        description="Where the runtime keeps contexts: one storage or a list, for runtime "
        "targets only. Default: contextvar.",
        examples=["contextvar"],
    )
    url: Url | None = Field(
        default=None,
        description="Where the server listens, for `kind: http`: a host of this machine, a port, "
        "and perhaps a path that all steps go below; `https://` where it encrypts.",
        examples=["http://127.0.0.1:8000"],
    )
    ca: Filled | None = Field(
        default=None,
        description="A file of certificates (PEM) that are trusted besides the system's, for an "
        "`https` URL.",
        examples=["./ca.pem"],
    )
    start: Command | None = Field(
        default=None,
        description="The command that starts the server, in the scenario's folder; it is given to "
        "no shell. Default: a server that runs already.",
        examples=["gunicorn -b 127.0.0.1:8000 shop.wsgi:app"],
    )
    wait_s: Seconds = Field(
        default=15.0,
        alias="wait",
        description="How long the server may take until it answers. Default: 15s.",
        examples=["15s"],
    )

    @property
    def named(self) -> str:
        """The target as messages and reports name it."""
        return self.url or self.app


class Load(Part):
    """How much is sent in each cell: a number of requests, or for how long; perhaps at a rate."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": ["requests"]}, {"required": ["duration"]}],
            "dependentRequired": {"rate": ["duration"]},
        }
    )

    requests: Annotated[int, Field(ge=1, le=_MAX_REQUESTS)] | None = Field(
        default=None, description="How many requests are sent.", examples=[20000]
    )
    duration_s: Seconds | None = Field(
        default=None,
        alias="duration",
        description="For how long requests are sent, with its unit: ms, s or m.",
        examples=["30s"],
    )
    rate_per_s: Rate | None = Field(
        default=None,
        alias="rate",
        description="How many requests become due in a second (or `/m`, in a minute), whether or "
        "not earlier ones were answered; for `kind: http`.",
        examples=["500/s"],
    )
