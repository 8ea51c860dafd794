"""How a run under Locust ends: the document is shown, kept and written, and gives the exit code."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ctxsim.errors import UsageError
from ctxsim.report import junit, page, text
from ctxsim.report.document import Document, as_text
from ctxsim.report.kept import LAST, keep

_RENDERERS: Mapping[str, Callable[[Sequence[Document]], bytes]] = {
    "html": page.render,
    "junit": junit.render,
}


def reports(words: Sequence[str]) -> list[tuple[str, Path]]:
    """Which reports to write, and where, as KIND=PATH; raises UsageError."""
    found = []
    for word in words:
        kind, _, path = word.partition("=")
        if kind not in _RENDERERS or not path:
            raise UsageError(
                f"--report '{word}' cannot be written\n  write html=PATH or junit=PATH"
            )
        found.append((kind, Path(path)))
    return found


def shown(document: Document, form: str) -> str:
    """What goes to stdout; an error is no result."""
    if form == "json":
        return as_text([document], document.exit_code)
    return "" if document.error is not None else text.render(document, color=False, unicode=False)


def written(document: Document, places: Sequence[tuple[str, Path]]) -> list[str]:
    """Keep the result, and write reports; what could not be written is told."""
    told = []
    try:
        keep(LAST, as_text([document], document.exit_code))
    except OSError as error:
        told.append(f"warning: the result was not kept in {LAST}: {error.strerror}")
    for kind, path in places:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(_RENDERERS[kind]([document]))
        except OSError as error:
            told.append(f"error: --report {kind}={path} cannot be written: {error.strerror}")
    return told
