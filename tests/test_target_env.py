"""What a scenario adds to the environment reaches the application, and nothing else."""

import os
from pathlib import Path

from ctxsim import Scenario, simulate

APP = """
import os

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    said = f"{os.environ['GREETING']} {os.environ.get('HOME')} {environ['QUERY_STRING']}"
    return [said.encode()]
"""


def test_the_application_finds_the_scenarios_variables_beside_the_inherited(tmp_path: Path) -> None:
    """A number is taken as it is written; the harness's own environment stays as it was."""
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "env.yaml").write_text(f"""
version: 1
target: {{app: app:app, env: {{GREETING: 007}}}}
steps: [{{get: "/?{{canary}}", expect: {{contains: "007 {os.environ.get("HOME")} {{canary}}"}}}}]
workers: [sync]
load: {{requests: 50}}
""")
    outcome = simulate(Scenario.load(tmp_path / "env.yaml"))
    assert outcome.verdict == "clean"
    assert outcome.cells[0].compared > 40
    assert "GREETING" not in os.environ
