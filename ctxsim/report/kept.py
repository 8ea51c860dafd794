"""The folder `.ctxsim`: the last result, what a server printed, what a fault left behind."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(".ctxsim")
LAST = FOLDER / "last.json"
CRASH = FOLDER / "crash.txt"
SERVER_LOG = FOLDER / "server.log"


def prepare() -> None:
    """Make the folder, which ignores itself in git; raises OSError if it cannot."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    ignore = FOLDER / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", encoding="utf-8")


def keep(path: Path, text: str) -> None:
    """Write `text` to `path` in the folder, whole or not at all; raises OSError if it cannot."""
    path.parent.mkdir(parents=True, exist_ok=True)
    prepare()
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        unfinished.write_text(text, encoding="utf-8", errors="replace")
        unfinished.replace(path)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise
