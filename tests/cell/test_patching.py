"""Patching is gevent's own, but for how often it reads what installed packages say."""

from __future__ import annotations

import json
import subprocess
import sys

# A package that wants to hear when gevent has patched: by an entry point, as gevent documents it.
HEARS = """
import importlib.metadata as metadata, json, sys
sys.path.insert(0, sys.argv[1])
reads, heard = [], []
ours = metadata.distributions
metadata.distributions = lambda **given: reads.append(given) or ours(**given)
asked = metadata.entry_points
from ctxsim.cell import patching
from ctxsim.cell.plan import Workers
patching.patch_before(Workers.parse("greenlets:2"))
import hearing, socket, gevent.socket
print(json.dumps({
    "heard": hearing.heard,
    "asked": hearing.asked,
    "reads": len(reads),
    "patched": socket.socket is gevent.socket.socket,
    "given back": metadata.entry_points is asked,
}))
"""
HEARING = """
from importlib import metadata
heard, asked = [], []
def hear(event):
    heard.append(event.module_name)
    asked.append([each.name for each in metadata.entry_points(group="hearing.own")])
"""


def test_gevents_plug_ins_hear_of_each_module_and_packages_are_read_once(tmp_path):
    """Each read is of all packages that are installed, and gevent would do some twenty-five."""
    said = tmp_path / "hearing-1.0.dist-info"
    said.mkdir()
    (said / "METADATA").write_text("Metadata-Version: 2.1\nName: hearing\nVersion: 1.0\n")
    (said / "entry_points.txt").write_text(
        "[gevent.plugins.monkey.did_patch_module]\nany = hearing:hear\n"
        "[hearing.own]\nown = hearing\n"
    )
    (tmp_path / "hearing.py").write_text(HEARING)
    ran = subprocess.run(
        [sys.executable, "-c", HEARS, str(tmp_path)], capture_output=True, text=True, check=True
    )
    told = json.loads(ran.stdout)
    assert {"socket", "time", "threading"} <= set(told["heard"])
    assert told["asked"] == [["own"]] * len(told["heard"])
    assert (told["reads"], told["patched"], told["given back"]) == (1, True, True)
