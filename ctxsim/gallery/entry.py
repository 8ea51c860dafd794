"""One entry of the gallery, as its `entry.yaml` declares it."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from ctxsim.cell.checks import TITLES
from ctxsim.errors import CtxsimError, UsageError
from ctxsim.scenario.words import did_you_mean

FOLDER = Path(__file__).with_name("entries")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Packages(_Part):
    """What pip installs for each twin."""

    leaky: tuple[str, ...]
    fixed: tuple[str, ...]


class Entry(_Part):
    """What is wrong with an application, where it shows, and what it needs to run.

    Of the leaky twin all `codes` are found in each cell of `shows`, those of `also` may be, and
    nothing is found in the cells of `clean`. The fixed twin is clean in all of them.
    """

    sentence: str
    source: str
    codes: tuple[str, ...] = Field(min_length=1)
    also: tuple[str, ...] = ()
    shows: tuple[str, ...] = Field(min_length=1)
    clean: tuple[str, ...] = ()
    difficulty: Literal["easy", "medium", "hard"]
    found_within: int | None = None
    # "hard": chance finds it too rarely, so that a run of fitting length proves nothing.
    schedule: Literal["os", "hard"] = "os"
    packages: Packages | None = None
    needs: tuple[Literal["redis-server"], ...] = ()
    # The latest Python that can run it.
    python: str | None = Field(default=None, pattern=r"^3\.\d+$")

    _folder: Path = PrivateAttr()

    @property
    def name(self) -> str:
        return self._folder.name

    @property
    def folder(self) -> Path:
        return self._folder

    @property
    def cells(self) -> tuple[str, ...]:
        """The words of all workers that the entry says something about."""
        return (*self.shows, *self.clean)

    @property
    def is_shown_by_chance(self) -> bool:
        return self.schedule == "os"

    def pins(self, *, fixed: bool) -> tuple[str, ...]:
        """What pip installs for one of the twins; nothing where ctxsim's environment has it all."""
        if self.packages is None:
            return ()
        return self.packages.fixed if fixed else self.packages.leaky

    @classmethod
    def load(cls, folder: Path) -> Entry:
        """Read an entry's folder; raises CtxsimError where it is wrong, because it is ours."""
        file = folder / "entry.yaml"
        try:
            entry = cls.model_validate(YAML(typ="safe", pure=True).load(file.read_text()))
        except (OSError, YAMLError, ValidationError) as error:
            raise CtxsimError(f"the gallery's {file} cannot be read: {error}") from error
        unknown = {*entry.codes, *entry.also} - set(TITLES)
        if unknown:
            raise CtxsimError(f"the gallery's {file} names codes that do not exist: {unknown}")
        entry._folder = folder
        return entry


@functools.cache
def entries() -> tuple[Entry, ...]:
    """All entries, by name."""
    folders = sorted(file.parent for file in FOLDER.glob("*/entry.yaml"))
    return tuple(map(Entry.load, folders))


def named(name: str) -> Entry:
    """The entry of that name. Raises UsageError where there is none."""
    wanted = name.replace("-", "_")
    for entry in entries():
        if entry.name == wanted:
            return entry
    hint = did_you_mean(name, [entry.name for entry in entries()]) or "list them: ctxsim gallery"
    raise UsageError(f"the gallery has no entry '{name}'\n  {hint}")
