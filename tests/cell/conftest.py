"""Applications written from text, and cells that carry requests to them."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from driving import Lived, live, plan_of

from ctxsim.cell.plan import Look, Target

Write = Callable[..., Target]


@pytest.fixture
def application(tmp_path: Path) -> Write:
    """Write an application's source; gives the target that names it, as `app:app`."""

    def write(source: str, *, app: str = "app:app", kind: str = "auto", **keys: str) -> Target:
        place = tmp_path / f"{app.partition(':')[0]}.py"
        place.write_text(textwrap.dedent(source), encoding="utf-8")
        return Target(app, kind, (str(tmp_path),), **keys)

    return write


@pytest.fixture
def look(tmp_path: Path) -> Callable[..., Lived]:
    """Look at an application's source, given the keys of the look, in a cell of its own."""

    def look_at(text: str, app: str = "looked:app", **keys: Any) -> Lived:
        (tmp_path / "looked.py").write_text(text)
        target = Target(app, path=(str(tmp_path),))
        return live(plan_of(target=target, flows=(), look=Look(**keys)))

    return look_at
