"""A cell: plan in, what happened out, over one pair of sockets.

Started by the harness as `python -P .../ctxsim/cell/__main__.py CHANNEL STACKS`, two inherited file
descriptors, with the interpreter of the application's own environment. Of ctxsim itself nothing but
this package becomes importable there, whatever else stands beside it.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path


def _make_ctxsim_importable() -> None:
    # By file, not by path entry: beside an installed ctxsim stand the harness's dependencies.
    if "ctxsim" in sys.modules:
        return
    folder = Path(__file__).resolve().parents[1]
    spec = importlib.util.spec_from_file_location(
        "ctxsim", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["ctxsim"] = module
    spec.loader.exec_module(module)


if __name__ == "__main__":
    _make_ctxsim_importable()
    from ctxsim.cell.life import live

    live(int(sys.argv[1]), int(sys.argv[2]))
