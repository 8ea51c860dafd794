"""Environments for packages: made once and whole, and one line where they cannot be had."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ctxsim.errors import EntryUnavailableError, ExitCode
from ctxsim.gallery.environments import environment, python_for

WHEEL = "tiny-1.0-py3-none-any.whl"
CONTENT = {
    "tiny.py": "answer = 42\n",
    "tiny-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n",
    "tiny-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "tiny-1.0.dist-info/RECORD": "",
}


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A cache of the test's own, and a pip that asks no index."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")


@pytest.fixture
def wheel(tmp_path: Path) -> str:
    with zipfile.ZipFile(tmp_path / WHEEL, "w") as made:
        for name, text in CONTENT.items():
            made.writestr(name, text)
    return str(tmp_path / WHEEL)


def kept(tmp_path: Path) -> list[Path]:
    return [each for each in (tmp_path / "cache/ctxsim/gallery").iterdir() if each.is_dir()]


def test_an_environment_holds_its_packages_and_is_made_once(tmp_path: Path, wheel: str) -> None:
    """Two that need it at the same time get one and the same, and so does a later one."""
    with ThreadPoolExecutor(2) as pool:
        made = list(pool.map(lambda _: environment(sys.executable, [wheel]), range(2)))
    asked = [str(made[0]), "-c", "import tiny; print(tiny.answer)"]
    assert subprocess.run(asked, capture_output=True, text=True, check=True).stdout == "42\n"
    [folder] = kept(tmp_path)
    inode = folder.stat().st_ino
    assert {*made, environment(sys.executable, [wheel])} == {folder / "bin" / "python"}
    assert folder.stat().st_ino == inode


def test_what_pip_cannot_install_is_told_in_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(EntryUnavailableError, match="pip could not install no-such-thing") as told:
        environment(sys.executable, ["no-such-thing==1.0"])
    assert "\n" not in str(told.value)
    assert told.value.exit_code == ExitCode.INCONCLUSIVE
    assert kept(tmp_path) == []


def test_a_python_that_is_missing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(EntryUnavailableError, match=r"python3\.5 is missing"):
        python_for("3.5")


def test_a_python_that_is_old_enough_is_taken_as_it_is() -> None:
    assert python_for(None) == python_for("3.99") == sys.executable
