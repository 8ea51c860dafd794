"""Applications written from text, and cells that carry requests to them."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from ctxsim.cell.plan import Target

Write = Callable[..., Target]


@pytest.fixture
def application(tmp_path: Path) -> Write:
    """Write an application's source; gives the target that names it, as `app:app`."""

    def write(source: str, *, app: str = "app:app", kind: str = "auto", **keys: str) -> Target:
        place = tmp_path / f"{app.partition(':')[0]}.py"
        place.write_text(textwrap.dedent(source), encoding="utf-8")
        return Target(app, kind, (str(tmp_path),), **keys)

    return write
