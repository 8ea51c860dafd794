"""A scenario file, read and judged: a Scenario, or one error that tells every problem in it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from collections.abc import Sequence as AnySequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

from pydantic import PrivateAttr, ValidationError

from ctxsim.errors import Problem, ScenarioError, UsageError
from ctxsim.scenario import nodes, rules, words
from ctxsim.scenario.model import Document, Faults, Schedule
from ctxsim.scenario.nodes import Mapping, Node, Scalar, Sequence, UnreadableError
from ctxsim.scenario.problems import at, translated
from ctxsim.scenario.target import Load

T = TypeVar("T")
MAX_BYTES = 1_000_000
IN_MEMORY = "<text>"
# Where a number is taken as it is written, since it becomes a text: `012` must keep its zero.
_WRITTEN = ("form", "headers", "auth")
# What a target looks like: a module or file and its attribute, or a URL.
_TARGET = re.compile(r"https?://\S+|\S+\.py(:[\w.()]+)?|[\w.]+:[\w.()]+")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a scenario came from."""

    file: str
    folder: Path
    sha256: str
    text: str


class Scenario(Document):
    """What to send where, and what must hold; a value that came from a scenario file."""

    _source: Source = PrivateAttr()

    @property
    def file(self) -> str:
        """The file's name as it was given."""
        return self._source.file

    @property
    def folder(self) -> Path:
        """The absolute folder from which every relative path of the scenario counts."""
        return self._source.folder

    @property
    def sha256(self) -> str:
        """The digest of the file's bytes, in hexadecimal digits."""
        return self._source.sha256

    @property
    def text(self) -> str:
        """The file's text."""
        return self._source.text

    @property
    def without_schedule(self) -> dict[str, object]:
        """All that it says but the schedule: equal where two look for the same in the same."""
        names = (name for name in type(self).model_fields if name != "schedule")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a scenario file. Raises ScenarioError with every problem that it has."""
        return cls._read(_bytes_of(Path(path), str(path)), str(path))

    @classmethod
    def parse(cls, text: str, file: str = IN_MEMORY) -> Self:
        """Read a scenario from a text; relative paths count from the folder of `file`.

        Raises ScenarioError with every problem that it has.
        """
        # A lone surrogate has no bytes; it is refused as a character by the composer.
        return cls._read(text.encode("utf-8", "surrogatepass"), file)

    @classmethod
    def _read(cls, content: bytes, file: str) -> Self:
        text = _text_of(content, file)
        try:
            root, problems = nodes.compose(text)
        except UnreadableError as error:
            raise ScenarioError(file, [error.problem], nodes.lines_of(text)) from error
        mapping = _mapping_of(root, file, text)
        scenario = None
        try:
            scenario = cls.model_validate(values(mapping, ()))
        except ValidationError as error:
            problems += translated(error.errors(include_url=False), mapping)
        problems += rules.broken(mapping, text)
        if problems or scenario is None:
            raise ScenarioError(file, _sorted(problems), nodes.lines_of(text))
        return scenario._from(file, content)

    def _from(self, file: str, content: bytes) -> Self:
        path = Path(file)
        folder = Path() if file == IN_MEMORY else path.parent
        name = self.name or _title_of(path)
        named = self.model_copy(update={"name": name})
        digest = hashlib.sha256(content).hexdigest()
        named._source = Source(file, folder.absolute(), digest, content.decode("utf-8", "replace"))
        return named

    @property
    def names_workers(self) -> bool:
        """Whether the file, the command line or a call says which workers there are."""
        return "workers" in self.model_fields_set

    def with_options(
        self,
        *,
        seed: int | None = None,
        workers: str | AnySequence[str] | None = None,
        requests: int | None = None,
        python: str | None = None,
        storage: str | AnySequence[str] | None = None,
        schedule: str | None = None,
        budget: str | None = None,
        faults: str | None = None,
    ) -> Self:
        """The scenario with what the command line or a call says instead of the file.

        `python` counts from the current folder, as on any command line. Raises UsageError where a
        word or number cannot be.
        """
        changed: dict[str, object] = {}
        if seed is not None:
            changed["seed"] = _at_least("seed", seed, 0)
        if requests is not None:
            changed["amount"] = Load(requests=_at_least("requests", requests, 1))
        if workers is not None:
            changed["workers"] = _each("workers", workers, words.workers)
        if schedule is not None or budget is not None:
            changed["schedule"] = self._scheduled(schedule, budget)
        if faults is not None:
            changed["faults"] = _faults(faults)
        if target := self._target(python, storage):
            changed["target"] = self.target.model_copy(update=target)
        return self.model_copy(update=changed)

    def _target(
        self, python: str | None, storage: str | AnySequence[str] | None
    ) -> dict[str, object]:
        target: dict[str, object] = {}
        if python is not None:
            if self.target.kind == "http":
                raise UsageError(
                    "--python is for what ctxsim imports\n  write it into target.start"
                )
            target["python"] = str(Path(python).absolute())
        if storage is not None:
            target["storage"] = _each("storage", storage, words.storage)
            if self.target.kind in ("wsgi", "asgi", "http"):
                raise UsageError(
                    "a storage is for runtime targets; such an application brings its own"
                )
        return target

    def _scheduled(self, kind: str | None, budget: str | None) -> Schedule:
        changed: dict[str, object] = {}
        if kind is not None:
            changed["kind"] = _one("schedule", kind, words.schedule_kind)
        if budget is not None:
            changed["budget"] = _one("budget", budget, words.budget)
        return self.schedule.model_copy(update=changed)


def _at_least(option: str, value: int, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise UsageError(f"'{option}' must be a whole number of at least {least}, not {value!r}")
    return value


def _one(option: str, given: str, reader: Callable[[object], T]) -> T:
    try:
        return reader(given)
    except words.WordError as error:
        hint = f"; {error.suggestion}" if error.suggestion else ""
        raise UsageError(f"'{option}' {error.message}{hint}") from error


def _faults(given: str) -> Faults:
    """Read `none`, or shares as `error: 2%, abort: 0%`."""
    if given.strip() == "none":
        return Faults(error=0.0, abort=0.0, cancel=0.0)
    shares: dict[str, str] = {}
    for part in given.split(","):
        name, _, text = (piece.strip() for piece in part.partition(":"))
        if name not in Faults.model_fields or name in shares:
            raise UsageError(
                f"'faults' cannot be read: {given}\n"
                "  write  none  or  error: 2%, abort: 2%, cancel: 1%"
            )
        shares[name] = text
    if sum(_one(f"faults {name}", text, words.share) for name, text in shares.items()) > 1:
        raise UsageError("'faults' add up to more than all requests\n  write less")
    return Faults.model_validate(shares)


def _each(
    option: str, given: str | AnySequence[str], reader: Callable[[object], T]
) -> tuple[T, ...]:
    """Read one word, several with commas between them, or a list of either."""
    pieces = [given] if isinstance(given, str) else given
    split = [word.strip() for piece in pieces for word in str(piece).split(",")]
    values = tuple(_one(option, word, reader) for word in split)
    if not values or len(set(values)) < len(values):
        raise UsageError(f"'{option}' must name each of its words once: {', '.join(split)}")
    return values


def _bytes_of(path: Path, file: str) -> bytes:
    if path.suffix == ".py" and path.is_file():
        raise _unreadable(file, "this is a Python file, not a scenario", _instead(file))
    try:
        with path.open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise _unreadable(file, "there is no such file", _beside(path) or _instead(file)) from error
    except IsADirectoryError as error:
        raise _unreadable(file, "this is a folder, not a file", "name a file in it") from error
    except (OSError, ValueError) as error:
        # ValueError: a path that no system call takes, such as one with a NUL in it.
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise _unreadable(file, f"the file cannot be read: {reason}") from error


def _beside(path: Path) -> str | None:
    try:
        there = [each.name for each in path.parent.iterdir() if each.suffix in (".yaml", ".yml")]
    except OSError:
        # The folder is missing or closed as well: there is nothing to suggest.
        return None
    return words.did_you_mean(path.name, there)


def _instead(file: str) -> str | None:
    """Of a target in a scenario's place: how to get a scenario, and what needs none."""
    if not _TARGET.fullmatch(file):
        return None
    return f"write a scenario with: ctxsim init {file}, or none: ctxsim check {file}"


def _text_of(content: bytes, file: str) -> str:
    if len(content) > MAX_BYTES:
        limit = f"the file is larger than {MAX_BYTES // 1_000_000} MB"
        raise _unreadable(file, limit, "a scenario is a short text")
    try:
        # "surrogatepass" would let half characters in; parse() meets the same refusal here.
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = nodes.lines_of(content[: error.start].decode("utf-8-sig", "replace"))
        message = f"this is no UTF-8: byte 0x{content[error.start]:02x}"
        problem = Problem(len(before), len(before[-1]) + 1, message, 1, "save the file as UTF-8")
        raise ScenarioError(file, [problem], []) from error
    if not text.strip():
        raise _unreadable(file, "the file is empty", "write one with: ctxsim init TARGET")
    return text


def _unreadable(file: str, message: str, suggestion: str | None = None) -> ScenarioError:
    return ScenarioError(file, [Problem(1, 1, message, 1, suggestion)], [])


def _mapping_of(root: Node | None, file: str, text: str) -> Mapping:
    if isinstance(root, Mapping):
        return root
    if root is None or (isinstance(root, Scalar) and root.value is None):
        raise _unreadable(
            file, "the file says nothing but comments", "write one with: ctxsim init TARGET"
        )
    kind = "a list" if isinstance(root, Sequence) else "a single text or number"
    problem = at(
        root.place, f"the file is {kind}; a scenario is a mapping", "begin with version: 1"
    )
    raise ScenarioError(file, [problem], nodes.lines_of(text))


def values(node: Node, path: tuple[str | int, ...]) -> Any:
    """The tree as plain values; numbers that become texts are taken as they were written."""
    if isinstance(node, Mapping):
        return {key: values(each, (*path, key)) for key, each in node.values.items()}
    if isinstance(node, Sequence):
        return [values(each, (*path, index)) for index, each in enumerate(node.items)]
    is_number = isinstance(node.value, int | float) and not isinstance(node.value, bool)
    return node.text if is_number and _is_written(path) else node.value


def _is_written(path: tuple[str | int, ...]) -> bool:
    if path[:2] in (("users", "vars"), ("target", "env")):
        return True
    # steps, 0, form, NAME - and the same below flows, FLOW.
    step = path[2:] if path[:1] == ("flows",) else path
    return step[:1] == ("steps",) and len(step) > 2 and step[2] in _WRITTEN  # noqa: PLR2004


def _sorted(problems: Iterable[Problem]) -> list[Problem]:
    # An alias brings the same problem at the same place once more.
    once = dict.fromkeys(problems)
    return sorted(once, key=lambda problem: (problem.line, problem.column))


def _title_of(path: Path) -> str:
    return "scenario" if str(path) == IN_MEMORY else path.stem or "scenario"
