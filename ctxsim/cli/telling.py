"""The commands that only tell: `explain` a code, `doctor` an installation or an application."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import json
import os
import sys
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from ctxsim import __version__
from ctxsim.cell.checks import TITLES
from ctxsim.cell.looking.surroundings import interpreter
from ctxsim.cells import cores
from ctxsim.cli.streams import result, shows_unicode
from ctxsim.errors import ExitCode, UsageError
from ctxsim.report.explanations import explanations
from ctxsim.report.lines import Page

_GALLERY = "ctxsim.gallery"
_MOST_NAMES = 3
_GIB = 1024**3


def explain(codes: Sequence[str]) -> int:
    """Print what the codes mean, all of them if none is named."""
    texts = explanations()
    wanted = [_code(each) for each in codes]
    page = Page(unicode=shows_unicode(sys.stdout))
    if not wanted:
        for code, title in TITLES.items():
            page.add(f"{code}  {title}", hanging=8)
    for code in wanted:
        page.add(f"{code}  {TITLES[code]}", hanging=8)
        page.add()
        for paragraph in texts[code]:
            _add(page, paragraph)
        for line in _examples(code):
            page.add(line, indent=2, hanging=9)
        page.add()
    result(page.text)
    return ExitCode.OK


def _add(page: Page, paragraph: str) -> None:
    if "\n" not in paragraph:
        page.add(paragraph, indent=2)
        return
    page.add()
    for line in paragraph.splitlines():
        source = line.lstrip()
        page.add(source, indent=6 + len(line) - len(source))
    page.add()


def _code(word: str) -> str:
    code = word.upper()
    if code.isdigit():
        code = f"CTX{code}"
    if code in TITLES:
        return code
    near = difflib.get_close_matches(code, TITLES, 1)
    hint = f"did you mean {near[0]}?" if near else "ctxsim explain lists all of them"
    raise UsageError(f"there is no finding with the code {word}\n  {hint}")


def _examples(code: str) -> Iterator[str]:
    """Entries of the gallery that show a finding, where this installation has a gallery."""
    if importlib.util.find_spec(_GALLERY) is None:
        return
    gallery: Any = importlib.import_module(_GALLERY)
    names = [entry.name for entry in gallery.entries() if code in entry.codes]
    if names:
        yield f"example: {', '.join(f'ctxsim gallery {name}' for name in names[:_MOST_NAMES])}"


def doctor(target: str | None, *, path: str, python: str | None, form: str) -> int:
    """Print what there is to know of this installation, or of an application."""
    told = _of_ours() if target is None else _of_target(target, path, python)
    if form == "json":
        result(json.dumps(told, indent=1) + "\n")
        return ExitCode.OK
    page = Page(unicode=shows_unicode(sys.stdout))
    page.add(f"ctxsim {__version__}  {told.get('app') or 'doctor'}", hanging=2)
    page.add()
    facts = told["facts"]
    width = max(map(len, facts))
    for name, value in facts.items():
        page.add(f"{name.ljust(width)}  {value}", indent=2, hanging=width + 2)
    _shared(page, told)
    result(page.text)
    return ExitCode.OK


def _shared(page: Page, told: dict[str, Any]) -> None:
    if "looks_shared" not in told:
        return
    page.add()
    if not told["looks_shared"]:
        page.add(
            "Nothing in the application's own source was seen to be shared between requests, which "
            "is no proof; ctxsim check tells more."
        )
        return
    page.add("What looks shared between requests (a look at the source; ctxsim check tells more):")
    for each in told["looks_shared"]:
        page.add(f"{each['file']}:{each['line']}: {each['text']}", indent=2, hanging=4)


def _of_ours() -> dict[str, Any]:
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / _GIB
    flags = ("thread_inherit_context", "context_aware_warnings")
    there = {
        f"sys.flags.{flag}": str(getattr(sys.flags, flag))
        for flag in flags
        if hasattr(sys.flags, flag)
    }
    facts = {
        "ctxsim": __version__,
        "interpreter": interpreter(),
        "executable": sys.executable,
        **there,
        "gevent": metadata.version("gevent"),
        "greenlet": metadata.version("greenlet"),
        "cores": str(cores()),
        "memory": f"{memory:.1f} GiB",
    }
    return {"app": None, "facts": facts}


def _of_target(target: str, path: str, python: str | None) -> dict[str, Any]:
    # Here, because it brings pydantic and a YAML parser, which the other commands do not need.
    from ctxsim.checking import examined  # noqa: PLC0415 - as just said
    from ctxsim.looks import Wish  # noqa: PLC0415 - as just said

    sight = examined(Wish(target, path=path, python=python))
    shared = [
        {"file": _near(note.where.file), "line": note.where.line, "text": note.text}
        for note in sight.notes
        if note.where is not None
    ]
    framework = {"framework": sight.framework} if sight.framework else {}
    return {"app": sight.app, "facts": {**framework, **dict(sight.facts)}, "looks_shared": shared}


def _near(file: str) -> str:
    place = Path(file)
    return str(place.relative_to(Path.cwd())) if place.is_relative_to(Path.cwd()) else file
