"""The style check finds each thing that it is for, and lets its neighbour pass."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "check_style.py"

LONG_FUNCTION = "def f():\n" + "    x = 1\n" * 50
SHORT_FUNCTION = "def f():\n" + "    x = 1\n" * 49

RED_AND_SILENT = {
    "long function": ("a.py", LONG_FUNCTION, SHORT_FUNCTION),
    "long module": ("a.py", "x = 1\n" * 501, "x = 1\n" * 500),
    "banner comment": ("a.py", "# ==========\n", "# == equal ==\n"),
    "diary comment": ("a.py", "# no longer slow\n", "# slow, because it waits\n"),  # ok: shown red
    "stub talk": ("a.py", "# for now, nothing\n", "# nothing is kept\n"),  # ok: shown red
    "advertising word": ("a.md", "A powerful tool.\n", "A tool.\n"),  # ok: shown red
    "emoji": ("a.md", "Done \N{WHITE HEAVY CHECK MARK}\n", "Done \N{RIGHTWARDS ARROW}\n"),
    "path of a machine": ("a.yaml", "at: /home/ann/app\n", "at: ./home/app\n"),  # ok: shown red
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    (tmp_path / "tests").mkdir()
    (tmp_path / ".gitignore").write_text(".venv*/\nbuild/\n")
    return tmp_path


def check(project: Path) -> tuple[int, str]:
    command = [sys.executable, str(TOOL), str(project)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not ended.stderr
    return ended.returncode, ended.stdout.replace(str(project), "")


def written(project: Path, name: str, text: str) -> tuple[int, str]:
    (project / "tests" / name).write_text(text)
    return check(project)


@pytest.mark.parametrize("rule", RED_AND_SILENT)
def test_each_rule_finds_its_thing_and_says_where(project: Path, rule: str) -> None:
    name, red, _ = RED_AND_SILENT[rule]
    code, said = written(project, name, red)
    assert code == 1
    assert said.startswith(f"tests/{name}:1: {rule}: ")
    assert said.count("\n") == 1


@pytest.mark.parametrize("rule", RED_AND_SILENT)
def test_each_rule_is_silent_about_what_is_close_to_it(project: Path, rule: str) -> None:
    name, _, silent = RED_AND_SILENT[rule]
    assert written(project, name, silent) == (0, "")


@pytest.mark.parametrize("name", ["utils", "base", "_helpers", "manager", "core"])
def test_a_module_name_that_says_nothing_is_found(project: Path, name: str) -> None:
    assert f"module {name}" in written(project, f"{name}.py", "x = 1\n")[1]


@pytest.mark.parametrize("name", ["UserManager", "Engine", "RequestHandler", "ServiceFactory"])
def test_a_class_name_that_says_nothing_is_found(project: Path, name: str) -> None:
    assert f"class {name}" in written(project, "a.py", f"class {name}:\n    x = 1\n")[1]


def test_names_that_say_what_they_are_pass(project: Path) -> None:
    assert written(project, "corpus.py", "class Handlers:\n    x = 1\n") == (0, "")


@pytest.mark.parametrize(
    "clause",
    [
        "except:\n    pass",
        "except Exception:\n    x = 1",
        "except (OSError, Exception):\n    pass",
        "except Exception as error:\n    log.warning(error)",
    ],
)
def test_a_broad_except_that_hides_the_exception_is_found(project: Path, clause: str) -> None:
    code, said = written(project, "a.py", f"try:\n    f()\n{clause}\n")
    assert (code, "swallowed exception" in said) == (1, True)


@pytest.mark.parametrize(
    "clause",
    [
        "except OSError:\n    pass",
        "except Exception:\n    raise",
        "except BaseException as error:\n    kept.append(error)",
    ],
)
def test_an_except_that_is_narrow_or_keeps_the_exception_passes(project: Path, clause: str) -> None:
    assert written(project, "a.py", f"try:\n    f()\n{clause}\n") == (0, "")


def test_a_line_that_gives_its_reason_is_exempt(project: Path) -> None:
    line = "class Core:  # ok: the name that the protocol has\n    x = 1\n"
    assert written(project, "a.py", line) == (0, "")


def test_an_exemption_without_a_reason_is_none(project: Path) -> None:
    assert written(project, "a.py", "class Core:  # ok:\n    x = 1\n")[0] == 1


@pytest.mark.parametrize("path", ["NOTES.md", "docs/summary.md", "fix.py"])
def test_a_file_that_the_allow_lists_do_not_have_is_found(project: Path, path: str) -> None:
    (project / path).write_text("")
    assert check(project) == (
        1,
        f"{path}:1: misplaced file: not in the allow list of tools/check_style.py\n",
    )


def test_tests_of_one_name_are_found(project: Path) -> None:
    """Modules that are no tests may have one."""
    for folder in ("cell", "runtime"):
        (project / "tests" / folder).mkdir()
        for name in ("test_once.py", "conftest.py"):
            (project / "tests" / folder / name).write_text("")
    what = "pytest takes it for tests/cell/test_once.py"
    assert check(project) == (1, f"tests/runtime/test_once.py:1: name of two tests: {what}\n")


def test_what_git_ignores_is_not_looked_at(project: Path) -> None:
    (project / ".venv-3.12").mkdir()
    (project / ".venv-3.12" / "utils.py").write_text("")
    (project / "tests" / "build").mkdir()
    (project / "tests" / "build" / "utils.py").write_text("")
    assert check(project) == (0, "")


def test_scripts_without_a_suffix_are_looked_at(project: Path) -> None:
    code, said = written(project, "start", "#!/bin/sh\ncd /home/ann\n")  # ok: shown red
    assert (code, said.partition(": ")[0]) == (1, "tests/start:2")
