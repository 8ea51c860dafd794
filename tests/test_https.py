"""Servers that encrypt: the same is found and clean, and who is not trusted is sent nothing."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from ports import free_port

from ctxsim import check
from ctxsim.cli import main
from ctxsim.errors import TargetError
from ctxsim.jobs import Options
from ctxsim.scenario import Scenario
from ctxsim.simulation import Outcome, simulate

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed"),
]

APP = """
import asyncio, json
last = [b""]
WHO = {"get": {"parameters": [{"name": "q", "in": "query"}]}}
DOCUMENT = {"openapi": "3.1.0", "paths": {"/who": WHO}}

async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    last[0] = scope["query_string"]
    await asyncio.sleep(0.001)
    body = LAST if scope["path"] == "/who" else json.dumps(DOCUMENT).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    status = 200 if scope["path"] in ("/who", "/openapi.json") else 404
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
"""
CLEAN, LEAKY = APP.replace("LAST", 'scope["query_string"]'), APP.replace("LAST", "last[0]")
START = "uvicorn --port {port} --log-level critical {options} served:app"
ENCRYPTED = "--ssl-keyfile key.pem --ssl-certfile cert.pem"


def certificate(folder: Path, name: str) -> None:
    """A key, and a certificate for one name that its own key has signed."""
    command = [
        *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
        *("-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=ctxsim test"),
        *("-addext", f"subjectAltName={name}", "-addext", "keyUsage=digitalSignature,keyCertSign"),
    ]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """Run requests against an application behind a server that encrypts."""
    monkeypatch.chdir(tmp_path)

    def of(
        app: str,
        *lines: str,
        ca: str = "cert.pem",
        name: str = "IP:127.0.0.1",
        options: str = ENCRYPTED,
    ) -> Outcome:
        certificate(tmp_path, name)
        (tmp_path / "served.py").write_text(app)
        port = free_port()
        target = {"kind": "http", "url": f"https://127.0.0.1:{port}", "wait": "60s"}
        target["start"] = START.format(port=port, options=options)
        if ca:
            target["ca"] = ca
        text = f"version: 1\ntarget: {target}\nload: {{requests: 150}}\n" + "\n".join(
            [*lines, "steps: [{get: '/who?q={canary}', expect: {contains: '{canary}'}}]"]
        )
        (tmp_path / "it.yaml").write_text(text)
        return simulate(Scenario.load("it.yaml"), options=Options(compare_alone=False))

    return of


@pytest.mark.parametrize("workers", ["sync", "threads:6", "greenlets:10"])
def test_an_encrypted_server_is_clean_or_leaks_like_another(
    run: Callable[..., Outcome], workers: str
) -> None:
    outcome = run(CLEAN, f"workers: ['{workers}']")
    assert (outcome.verdict, outcome.exit_code, outcome.cells[0].failed) == ("clean", 0, 0)
    if workers != "sync":
        assert any("no requests were pipelined" in note for note in outcome.document.notes)
        assert "CTX201" in {each.code for each in run(LEAKY, f"workers: ['{workers}']").findings}


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"ca": ""}, "certificate is not trusted"),
        ({"name": "DNS:other.test"}, r"certificate is not trusted: .*127\.0\.0\.1"),
        ({"options": ""}, "no encrypted connection can be made"),
        ({"ca": "gone.pem"}, r"gone\.pem cannot be trusted: No such file"),
        ({"ca": "key.pem"}, r"key\.pem cannot be trusted: no certificates"),
    ],
)
def test_who_is_not_trusted_is_no_target(
    run: Callable[..., Outcome], keys: dict[str, str], told: str
) -> None:
    """Whatever the reason, it is told, and nothing is sent."""
    with pytest.raises(TargetError, match=told):
        run(CLEAN, "workers: ['greenlets:5']", **keys)


def test_the_commands_trust_whom_they_are_told_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`check` finds what leaks by https; without the file it says whose certificate that is."""
    monkeypatch.chdir(tmp_path)
    certificate(tmp_path, "IP:127.0.0.1")
    (tmp_path / "served.py").write_text(LEAKY)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"https://127.0.0.1:{listening.getsockname()[1]}"
        server = subprocess.Popen(
            [
                *(sys.executable, "-m", "uvicorn", "--log-level", "critical", *ENCRYPTED.split()),
                *("--fd", str(listening.fileno()), "served:app"),
            ],
            pass_fds=[listening.fileno()],
        )
    try:
        assert main(["check", url, "-q"]) == 3
        assert "certificate is not trusted" in capsys.readouterr().err
        outcome = check(url, ca="cert.pem", workers=["greenlets:10"], requests=300, seed=1)
        assert "CTX201" in {each.code for each in outcome.findings}
        assert main(["init", url, "--ca", "cert.pem", "-o", "made.yaml"]) == 0
        assert Scenario.load("made.yaml").target.ca == "cert.pem"
    finally:
        server.kill()
        server.wait()
