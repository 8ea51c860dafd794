"""Folders and web UIs for tests of `ctxsim locust`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from locusting import Web, written


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return written(tmp_path)


@pytest.fixture
def web(folder: Path) -> Iterator[Web]:
    running = Web(folder)
    try:
        running.until("/", "extended_tabs")
        yield running
    finally:
        running.process.kill()
        running.process.wait()
